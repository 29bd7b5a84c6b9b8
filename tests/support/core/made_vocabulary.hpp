#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace troupe::constrain {

/// Tokens like those of a model of English, JSON and some Chinese: the end of
/// a text (token 0), all bytes, punctuation as JSON runs it together, runs of
/// whitespace, numbers of up to three digits, characters of three bytes and
/// beginnings of those, and syllables of English put together to words, with
/// and without a space in front and a capital. `size` of them, or all that
/// there are (about 160,000); the same on each call.
std::vector<std::string> made_pieces(size_t size);

} // namespace troupe::constrain
