#pragma once

#include <string>
#include <string_view>

namespace troupe::schema {

/// What an escape stands for: one code point, or a part of a class.
struct atom {
  std::string set; ///< empty if it is one code point
  char32_t code = 0;
};

/// Reads a regular expression of ECMA-262, and what may be escaped within and
/// without its classes. Functions that return false have said why.
class pattern_reader {
public:
  explicit pattern_reader(std::string_view in) : in_(in) {}

protected:
  bool refuse(std::string why);
  bool take(std::string_view text); ///< if it is next
  char32_t take_code();
  /// What follows a backslash. REQUIRES: something does.
  bool escaped_atom(atom& a);

  std::string_view in_; ///< UTF-8
  size_t at_ = 0;
  std::string why_; ///< empty while it is well

private:
  bool no_digit_follows();
  bool control(atom& a);
  bool hex(size_t digits, char32_t& code);
  bool unicode(atom& a);
  bool property(char p, atom& a);
};

} // namespace troupe::schema
