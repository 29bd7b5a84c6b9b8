#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "core/text/vocabulary.hpp"

namespace troupe {

/// A token that a Hugging Face tokenizer looks for before all else.
struct hf_added_token {
  token_id id = -1;
  std::string content;
  bool special = false;
  bool normalized = false;
  bool lstrip = false;
  bool rstrip = false;
  bool single_word = false;
};

/// One of `added_tokens`, or of `added_tokens_decoder` with its id beside it.
/// bad_file if it has no content or no sensible id.
result<hf_added_token> parse_added_token(const nlohmann::json& from,
                                         int64_t id);

/// Puts them into the vocabulary: special ones as control tokens, also those
/// that look like one, so that no text can spell them; the others as
/// user-defined tokens. bad_file if another token has the id, unsupported for
/// one that is only looked for as a word.
result<void> add_tokens(const std::vector<hf_added_token>& added,
                        vocabulary& to);

/// Whether a token is spelled as control tokens are, such as "<|im_end|>".
bool looks_special(std::string_view text);

} // namespace troupe
