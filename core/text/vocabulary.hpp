#pragma once

#include <string>
#include <vector>

#include "core/base/ids.hpp"

namespace troupe {

/// What a token is for; the values are those of GGUF's
/// `tokenizer.ggml.token_type`.
enum class token_kind : uint8_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6,
};

/// A tokenizer as a model file describes it; plain data, not yet checked.
struct vocabulary {
  /// "gpt2" (byte-level BPE) or "llama" (SentencePiece unigram-style SPM).
  std::string model;
  /// Pre-tokenizer of a BPE: "gpt-2", "llama-bpe", "qwen2", "default".
  std::string pre;
  /// One entry a token; `scores` and `kinds` are empty or as long.
  std::vector<std::string> tokens;
  std::vector<float> scores;
  std::vector<token_kind> kinds;
  /// "left right", best first; BPE only.
  std::vector<std::string> merges;
  token_id bos = -1;
  token_id eos = -1;
  /// End of turn, where it is not `eos`.
  token_id eot = -1;
  token_id unk = -1;
  token_id pad = -1;
  bool add_bos = false;
  bool add_eos = false;
  /// SPM: text is prefixed by one space.
  bool add_space_prefix = true;
  /// Jinja source, or empty.
  std::string chat_template;
};

} // namespace troupe
