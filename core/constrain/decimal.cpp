#include "core/constrain/decimal.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace troupe::constrain {

decimal decimal::parse(const std::string& text) {
  auto d = decimal{};
  auto begin = size_t{0};
  if (text.starts_with('-')) {
    d.negative = true;
    begin = 1;
  }
  auto point = std::min(text.find('.'), text.size());
  d.whole = text.substr(begin, point - begin);
  if (point < text.size())
    d.fraction = text.substr(point + 1);
  d.whole.erase(0, d.whole.find_first_not_of('0'));
  d.fraction.erase(d.fraction.find_last_not_of('0') + 1);
  d.negative = d.negative && !d.is_zero();
  return d;
}

std::optional<decimal> decimal::of(double value) {
  if (!std::isfinite(value) || std::fabs(value) >= 1e40)
    return {};
  auto room = std::array<char, 512>{};
  auto end = std::to_chars(room.data(), room.data() + room.size(), value,
                           std::chars_format::fixed);
  if (end.ec != std::errc{})
    return {};
  auto d = parse(std::string{room.data(), end.ptr});
  return d.fraction.size() > 40 ? std::nullopt : std::optional{d};
}

std::string decimal::text() const {
  auto s = std::string{negative ? "-" : ""};
  s += whole.empty() ? "0" : whole;
  if (!fraction.empty())
    s += "." + fraction;
  return s;
}

std::strong_ordering operator<=>(const decimal& a, const decimal& b) {
  if (a.negative != b.negative)
    return a.negative ? std::strong_ordering::less
                      : std::strong_ordering::greater;
  auto order = a.whole.size() <=> b.whole.size();
  if (order == 0)
    order = a.whole.compare(b.whole) <=> 0;
  if (order == 0) // digits that are not there sort before those that are
    order = a.fraction.compare(b.fraction) <=> 0;
  return a.negative ? 0 <=> order : order;
}

std::optional<bool> is_multiple(const decimal& a, const decimal& b) {
  auto shift = std::max(a.fraction.size(), b.fraction.size());
  auto scaled = [&](const decimal& d) -> std::optional<uint64_t> {
    auto s = d.whole + d.fraction + std::string(shift - d.fraction.size(), '0');
    s.erase(0, s.find_first_not_of('0'));
    if (s.size() > 18)
      return {};
    return s.empty() ? 0 : std::stoull(s);
  };
  auto x = scaled(a), y = scaled(b);
  if (!x || !y)
    return {};
  return *x % *y == 0;
}

} // namespace troupe::constrain
