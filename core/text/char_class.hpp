#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace troupe {

/// A set of code points, as `[...]`, `\p{...}` and `\s` write it in a regular
/// expression. Bytes that are not UTF-8 are code points beyond Unicode: they
/// have no category and are in no range.
class char_class {
public:
  /// A code point for a byte that is not part of UTF-8.
  static constexpr auto not_utf8 = char32_t{0x110000};

  void add_range(char32_t first, char32_t last) {
    ranges_.push_back({first, last});
  }
  /// Code points that are `code` where case does not matter.
  void add_folded(char32_t code);
  /// `\s`: Unicode's White_Space, as in the engine of the original files.
  void add_space(bool negated);
  /// `\p{NAME}` of a general category such as "L" or "Lu"; false if unknown.
  bool add_category(std::string_view name, bool negated);
  void negate() { negated_ = !negated_; }

  bool contains(char32_t code) const;

private:
  struct range {
    char32_t first;
    char32_t last;
  };

  std::vector<range> ranges_;
  std::vector<char32_t> folded_;
  uint32_t categories_ = 0; // any of these
  std::vector<uint32_t> none_of_;
  bool space_ = false;
  bool no_space_ = false;
  bool negated_ = false;
};

} // namespace troupe
