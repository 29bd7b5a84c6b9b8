#pragma once

#include "core/base/result.hpp"
#include "core/text/vocabulary.hpp"

namespace troupe {

/// Checks all of a vocabulary that can be checked without an index: sizes,
/// kinds, scores, and that the special ids exist. Fills `kinds` where a file
/// has none, from the special ids and the spelling of byte tokens. bad_file.
result<void> check_vocabulary(vocabulary& vocab);

/// "<0x0A>" -> 10; -1 for anything else.
int parse_byte_token(std::string_view text);

} // namespace troupe
