#pragma once

#include <vector>

namespace troupe::constrain {

/// A set of Unicode scalar values, as ranges that ascend and do not touch.
class code_set {
public:
  static constexpr auto last_code = char32_t{0x10ffff};

  struct range {
    char32_t first;
    char32_t last;
    bool operator==(const range&) const = default;
  };

  code_set() = default;
  code_set(std::initializer_list<range> ranges);

  /// All scalar values.
  static code_set all();

  /// Adds all of a range that are scalar values: surrogates are left out.
  void add(char32_t first, char32_t last);
  void add(char32_t code) { add(code, code); }
  void add(const code_set& other);

  code_set complement() const;
  bool contains(char32_t code) const;
  bool empty() const { return ranges_.empty(); }
  const std::vector<range>& ranges() const { return ranges_; }

  bool operator==(const code_set&) const = default;

private:
  void insert(char32_t first, char32_t last);

  std::vector<range> ranges_;
};

/// ECMA-262's `\d`, `\w`, `\s`, `.`, without the flags `i` and `s`.
code_set digit_codes();
code_set word_codes();
code_set space_codes();
code_set dot_codes();

} // namespace troupe::constrain
