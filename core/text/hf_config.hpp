#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/text/hf_added_tokens.hpp"
#include "core/text/hf_vocabulary.hpp"

namespace troupe {

/// What a Hugging Face model says of its tokenizer outside of the tokenizer's
/// own file.
struct hf_config {
  /// Spellings of special tokens.
  std::optional<std::string> bos, eos, unk, pad;
  std::optional<bool> add_bos, add_eos;
  /// How tokenizers of SentencePiece treat text after special tokens: as a
  /// text of its own (legacy), or not.
  bool legacy = true;
  std::string chat_template;
  std::vector<hf_added_token> added;
  /// Ids of generation_config.json.
  std::vector<token_id> ends;
  std::optional<token_id> bos_id, pad_id;
};

/// Reads tokenizer_config.json, special_tokens_map.json, added_tokens.json,
/// generation_config.json and the chat template, each if it is there. Of
/// several templates, that named "default".
result<hf_config> parse_hf_config(const hf_files& files);

} // namespace troupe
