#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace troupe {

/// A number as JSON writes it, never rounded: its digits, from the first to the
/// last that is not 0, stand behind "0." and count times 10^magnitude. Refers
/// to the text that it was made of.
class decimal {
public:
  /// REQUIRES: a number of RFC 8259 whose exponent has 15 digits at most,
  /// leading zeros aside.
  explicit decimal(std::string_view text);
  explicit decimal(int64_t number);

  bool negative() const { return negative_; } ///< 0 is not
  bool zero() const { return digits_ == 0; }
  int64_t magnitude() const { return magnitude_; }
  uint32_t digits() const { return digits_; } ///< none if it is 0
  bool is_integer() const { return magnitude_ >= digits_; }

  /// The integer that it is, if it has 18 digits at most.
  std::optional<int64_t> small() const;

  /// Calls `f` with each digit, 0 to 9, from the first one.
  template <class F>
  void each_digit(F f) const {
    auto* p = first();
    for (uint32_t i = 0; i < digits_; ++p)
      if (*p != '.') {
        f(static_cast<unsigned>(*p - '0'));
        ++i;
      }
  }

  /// Less than, equal to, or greater than 0, as a - b is.
  friend int compare(const decimal& a, const decimal& b);

private:
  const char* first() const { return text_ ? text_ : own_.data(); }

  const char* text_ = nullptr; ///< the first digit that counts, or null
  std::array<char, 20> own_{}; ///< digits where there is no text
  int64_t magnitude_ = 0;
  uint32_t digits_ = 0;
  bool negative_ = false;
};

int compare(const decimal& a, const decimal& b);

/// What `multipleOf` divides by: mantissa * 10^exponent.
struct decimal_divisor {
  uint64_t mantissa = 1; ///< no multiple of 10
  int64_t exponent = 0;

  /// Nothing for 0, less than 0, or more than 19 digits.
  static std::optional<decimal_divisor> of(const decimal& x);

  /// Whether `x` is this, times an integer: exactly, whatever their sizes.
  bool divides(const decimal& x) const;
  /// The same, quickly. REQUIRES: |x| < 10^18.
  bool divides(int64_t x) const;
};

} // namespace troupe
