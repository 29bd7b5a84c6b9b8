#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::jinja {

/// Bytes of which each is known to come from the template (trusted) or from a
/// message. All operations keep that; a mask of a byte each is the simplest
/// that can't get it wrong.
class text {
public:
  text() = default;
  text(std::string_view bytes, bool trusted)
      : bytes_(bytes), trust_(bytes.size(), trusted ? '\1' : '\0') {}

  const std::string& bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  /// REQUIRES: at < size().
  bool trusted(size_t at) const { return trust_[at] != '\0'; }

  /// Runs of trusted bytes, ascending and apart from each other: [begin, end).
  std::vector<std::pair<size_t, size_t>> trusted_runs() const;

  void append(const text& more);
  void append(std::string_view bytes, bool trusted);
  /// Bytes [begin, end). REQUIRES: begin <= end <= size().
  text cut(size_t begin, size_t end) const;

private:
  std::string bytes_;
  std::string trust_; ///< as long; 1: trusted
};

/// What Python's str.isspace, and so Jinja's trim, holds to be white space.
bool is_space(char32_t code);

/// Where code points begin, and the size at the end; a byte that is not UTF-8
/// counts as one.
std::vector<size_t> boundaries(std::string_view bytes);
size_t count_code_points(std::string_view bytes);

/// Bytes from `at` on that are white space; and those that are it at the end.
size_t leading_space(std::string_view bytes, size_t at = 0);
size_t trailing_space(std::string_view bytes);

/// Without white space, or the code points in `chars` unless that is null.
text strip(const text& from, bool left, bool right,
           const std::string* chars = nullptr);

/// At most `most` are replaced, from the left; -1: all.
text replace(const text& from, const std::string& old, const text& by,
             int64_t most);

/// At runs of white space if `at` is empty.
std::vector<text> split(const text& from, const std::string& at, int64_t most);

/// Python's: by Unicode's full mapping of each code point alone.
enum class letter_case : uint8_t { upper, lower, title };

text to_case(const text& from, letter_case to);
/// The first code point in title case, the others in lower case.
text capitalize(const text& from);
/// Python's str.title: what follows a letter is lower.
text title_letters(const text& from);
/// Jinja's title: what follows white space, "-" or an opening bracket is upper.
text title_words(const text& from);

} // namespace troupe::jinja
