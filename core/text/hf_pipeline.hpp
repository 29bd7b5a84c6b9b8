#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/base/result.hpp"

namespace troupe {

/// What the trees around the model of a `tokenizer.json` say: `normalizer`,
/// `pre_tokenizer`, `post_processor` and `decoder`.
struct hf_pipeline {
  bool nfc = false;
  /// Spaces are spelled U+2581, and one is put in front.
  bool marks_spaces = false;
  bool prefix = false;
  bool prefix_first_only = false;
  bool prefix_unless_space = false;
  /// Bytes are spelled by GPT-2's characters.
  bool byte_level = false;
  /// Regular expressions that cut words.
  std::vector<std::string> patterns;
  /// Tokens that every text begins or ends with; -1: none.
  int64_t begin = -1;
  int64_t end = -1;
};

/// Recognises the trees; unsupported, by name, for what is not known or would
/// not be followed to the letter.
result<hf_pipeline> parse_pipeline(const nlohmann::json& tokenizer);

} // namespace troupe
