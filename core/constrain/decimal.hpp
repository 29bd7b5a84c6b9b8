#pragma once

#include <compare>
#include <optional>
#include <string>

namespace troupe::constrain {

/// A decimal number, exact.
struct decimal {
  bool negative = false; ///< never of zero
  std::string whole;     ///< digits; no zero leads, empty for 0
  std::string fraction;  ///< digits; no zero ends it

  /// Reads "-12.50"; no exponent. REQUIRES: it is such a text.
  static decimal parse(const std::string& text);
  /// The shortest text that reads as that number; nothing if it is not finite
  /// or has more than 40 digits before the point or behind it.
  static std::optional<decimal> of(double value);

  bool is_zero() const { return whole.empty() && fraction.empty(); }
  bool is_integer() const { return fraction.empty(); }
  size_t digits() const { return whole.size() + fraction.size(); }
  decimal magnitude() const { return {false, whole, fraction}; }
  /// As JSON writes it.
  std::string text() const;

  bool operator==(const decimal&) const = default;
};

std::strong_ordering operator<=>(const decimal& a, const decimal& b);

/// Whether `a` is a multiple of `b`; nothing if that takes more than 18
/// digits. REQUIRES: `b` is above 0.
std::optional<bool> is_multiple(const decimal& a, const decimal& b);

} // namespace troupe::constrain
