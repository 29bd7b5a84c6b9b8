#pragma once

#include <optional>
#include <vector>

#include "core/base/result.hpp"
#include "core/constrain/decimal.hpp"
#include "core/constrain/text_dfa.hpp"

namespace troupe::constrain {

struct number_bound {
  decimal value;
  bool open = false; ///< the value itself is out
  bool operator==(const number_bound&) const = default;
};

/// Which numbers of JSON.
struct number_shape {
  bool integer = false;
  std::optional<number_bound> low;
  std::optional<number_bound> high;
  std::vector<decimal> divisors; ///< of all of which it is a multiple
  std::optional<std::vector<decimal>> values; ///< one of these

  bool holds(const decimal& d) const;
  /// Neither bounds, nor divisors, nor values.
  bool free() const { return !low && !high && divisors.empty() && !values; }
};

/// Whether the bounds leave nothing.
bool is_empty(const number_shape& s);

/// Texts of those numbers, but only those that no reader rounds: integers have
/// at most 18 digits, others 15, and an exponent, two digits at most, stands
/// only where there are no bounds and no divisors. unsupported, with the
/// keyword, if a bound or divisor has too many digits for that.
result<text_dfa> number_texts(const number_shape& s, work_meter& meter);

} // namespace troupe::constrain
