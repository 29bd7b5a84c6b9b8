#include "core/schema/decimal.hpp"

#include <charconv>

namespace troupe {

namespace {

__extension__ using wide = unsigned __int128;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

uint64_t multiply(uint64_t a, uint64_t b, uint64_t modulus) {
  return static_cast<uint64_t>(wide{a} * b % modulus);
}

// 10^exponent modulo `modulus`, by squaring.
uint64_t power_of_ten(uint64_t exponent, uint64_t modulus) {
  auto result = 1 % modulus;
  for (auto base = 10 % modulus; exponent > 0; exponent >>= 1) {
    if (exponent & 1)
      result = multiply(result, base, modulus);
    base = multiply(base, base, modulus);
  }
  return result;
}

} // namespace

decimal::decimal(std::string_view text) {
  auto* p = text.data();
  auto* end = p + text.size();
  negative_ = p != end && *p == '-';
  p += negative_;
  auto seen = int64_t{0};   // digits, those of leading zeros too
  auto whole = int64_t{-1}; // of them before the point
  auto lead = int64_t{0};   // zeros before the first that counts
  auto last = int64_t{0};   // digits up to the last that is not 0
  for (; p != end && (is_digit(*p) || *p == '.'); ++p) {
    if (*p == '.') {
      whole = seen;
      continue;
    }
    if (*p != '0') {
      if (last == 0) {
        lead = seen;
        text_ = p;
      }
      last = seen + 1;
    }
    ++seen;
  }
  if (last == 0) {
    negative_ = false;
    return;
  }
  auto exponent = int64_t{0};
  if (p != end) { // at the e
    p += p + 1 != end && p[1] == '+' ? 2 : 1;
    std::from_chars(p, end, exponent);
  }
  magnitude_ = (whole < 0 ? seen : whole) - lead + exponent;
  digits_ = static_cast<uint32_t>(last - lead);
}

decimal::decimal(int64_t number) {
  negative_ = number < 0;
  auto x = static_cast<uint64_t>(number);
  if (negative_)
    x = 0 - x;
  if (x == 0)
    return;
  auto* end = std::to_chars(own_.data(), own_.data() + own_.size(), x).ptr;
  magnitude_ = end - own_.data();
  while (end[-1] == '0')
    --end;
  digits_ = static_cast<uint32_t>(end - own_.data());
}

std::optional<int64_t> decimal::small() const {
  if (zero())
    return 0;
  if (!is_integer() || magnitude_ > 18)
    return {};
  auto x = int64_t{0};
  each_digit([&](unsigned d) { x = x * 10 + d; });
  for (auto i = static_cast<int64_t>(digits_); i < magnitude_; ++i)
    x *= 10;
  return negative_ ? -x : x;
}

int compare(const decimal& a, const decimal& b) {
  if (a.negative_ != b.negative_)
    return a.negative_ ? -1 : 1;
  auto sign = a.negative_ ? -1 : 1;
  if (a.zero() || b.zero())
    return sign * (static_cast<int>(b.zero()) - static_cast<int>(a.zero()));
  if (a.magnitude_ != b.magnitude_)
    return a.magnitude_ < b.magnitude_ ? -sign : sign;
  auto* p = a.first();
  auto* q = b.first();
  auto common = a.digits_ < b.digits_ ? a.digits_ : b.digits_;
  for (uint32_t i = 0; i < common; ++i, ++p, ++q) {
    p += *p == '.';
    q += *q == '.';
    if (*p != *q)
      return *p < *q ? -sign : sign;
  }
  // The longer one has a digit more that is not 0.
  if (a.digits_ == b.digits_)
    return 0;
  return a.digits_ < b.digits_ ? -sign : sign;
}

std::optional<decimal_divisor> decimal_divisor::of(const decimal& x) {
  if (x.zero() || x.negative() || x.digits() > 19)
    return {};
  auto d = decimal_divisor{0, x.magnitude() - x.digits()};
  x.each_digit([&](unsigned digit) { d.mantissa = d.mantissa * 10 + digit; });
  return d;
}

bool decimal_divisor::divides(const decimal& x) const {
  if (x.zero())
    return true;
  // x is digits * 10^(magnitude - count), and its digits are no multiple of 10:
  // a divisor with more tens in it cannot divide it.
  auto tens = x.magnitude() - x.digits() - exponent;
  if (tens < 0)
    return false;
  auto rest = uint64_t{0};
  x.each_digit([&](unsigned d) {
    rest = static_cast<uint64_t>((wide{rest} * 10 + d) % mantissa);
  });
  return multiply(rest, power_of_ten(static_cast<uint64_t>(tens), mantissa),
                  mantissa)
         == 0;
}

bool decimal_divisor::divides(int64_t x) const {
  if (exponent != 0)
    return divides(decimal{x});
  auto size = static_cast<uint64_t>(x < 0 ? -x : x);
  return size % mantissa == 0;
}

} // namespace troupe
