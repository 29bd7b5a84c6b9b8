#pragma once

#include <string>
#include <string_view>

namespace troupe {

/// How SentencePiece spells a space: U+2581.
constexpr auto space_mark = std::string_view{"\u2581"};

/// Appends `text` with its spaces spelled so.
void append_escaped(std::string_view text, std::string& out);

/// Appends `text` with such spaces read.
void append_unescaped(std::string_view text, std::string& out);

/// Whether `text` begins with a space, spelled one way or the other.
bool begins_with_space(std::string_view text);

/// Whether such a space stands anywhere but at the beginning.
bool has_inner_space(std::string_view text);

/// The end of the word that begins at `at`: its spaces, and what is not one.
size_t end_of_spaced(std::string_view text, size_t at);

/// Without Unicode's White_Space at the beginning, or the end.
std::string_view trimmed_left(std::string_view text);
std::string_view trimmed_right(std::string_view text);

/// In Unicode's normalization form C; bytes that are not UTF-8 stay.
std::string to_nfc(std::string_view text);

} // namespace troupe
