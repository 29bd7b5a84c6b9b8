#pragma once

#include <string_view>

#include "core/base/result.hpp"
#include "core/text/vocabulary.hpp"

namespace troupe {

/// The vocabulary in a `tokenizer.json`: of model "gpt2" where bytes are
/// spelled by characters, else "bpe". Ids of bos, eos and the like are not in
/// this file, but for those that it puts around every text.
result<vocabulary> parse_tokenizer_json(std::string_view text);

} // namespace troupe
