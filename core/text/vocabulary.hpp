#pragma once

#include <optional>
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
  /// "gpt2" (byte-level BPE), "llama" (SentencePiece's BPE, by scores) or
  /// "bpe" (by merges, over characters, what is unknown as byte tokens).
  std::string model;
  /// Pre-tokenizer of a "gpt2", such as "gpt-2" or "llama-bpe".
  std::string pre;
  /// BPE: regular expressions that cut text into words, one after another;
  /// those of `pre` if there is no value.
  std::optional<std::vector<std::string>> patterns;
  /// BPE: a word that is a token is that token, whatever the merges say. As
  /// is usual with `pre` if there is no value.
  std::optional<bool> ignore_merges;
  /// BPE: text is put into Unicode's normalization form C first.
  bool nfc = false;
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
  /// SPM and "bpe": text is prefixed by one space,
  bool add_space_prefix = true;
  /// only where the whole text begins, not again after special tokens,
  bool prefix_first_only = false;
  /// and not if it begins with one.
  bool prefix_unless_space = false;
  /// Special tokens that swallow the white space before or after them.
  std::vector<token_id> lstrip;
  std::vector<token_id> rstrip;
  /// More tokens that end a generation.
  std::vector<token_id> ends;
  /// Jinja source, or empty.
  std::string chat_template;

  bool operator==(const vocabulary&) const = default;
};

} // namespace troupe
