#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "core/serving/rate_limiter_limits.hpp"

namespace troupe {

/// A token bucket in integers. Its content is counted in `per`ths of an
/// amount, one for each unit of amount and nanosecond, so that nothing is
/// rounded, however seldom or often it is asked.
///
/// Reservations are a promise on the content and leave it only when they are
/// spent. A bucket does not fill beyond its burst over what is promised, so
/// that what is *spent* over any window is at most its burst and what its rate
/// gives in the window, however late reservations are spent or given back.
///
/// REQUIRES: whoever uses it has the lock that guards it, and has called
/// `accrue` for the present.
class rate_bucket {
public:
  bool limits() const { return limited_; }
  uint64_t burst() const { return limit_.burst; }
  uint64_t reserved() const { return reserved_; }

  /// A bucket that was not limited is full; another keeps what it has, but no
  /// more than the new burst or what is promised.
  void configure(const std::optional<rate_limit>& limit) {
    auto was = limited_;
    limited_ = limit.has_value();
    if (!limited_)
      return;
    // Contents are in units of the period: another one has other units.
    if (was)
      content_ = content_ / limit_.per.count() * limit->per.count();
    limit_ = *limit;
    full_ = in_units(limit_.burst);
    auto most = std::max(full_, in_units(reserved_));
    content_ = was ? std::min(content_, most) : most;
  }

  /// Holds no more than what the other could give away now.
  /// REQUIRES: both have the same limit.
  void begin_like(const rate_bucket& other) {
    content_ =
        std::min(full_, other.content_ - other.in_units(other.reserved_));
  }

  void accrue(uint64_t ns) {
    if (!limited_ || content_ >= full_)
      return;
    content_ = std::min(full_, content_ + product(ns, limit_.amount));
  }

  /// `n` will never be there.
  bool never(uint64_t n) const {
    return limited_
           && (n > limit_.burst
               || (limit_.amount == 0 && content_ < in_units(n)));
  }

  bool has(uint64_t n) const {
    return !limited_ || content_ >= in_units(reserved_ + n);
  }

  /// What could be reserved or spent now.
  uint64_t left() const {
    if (!limited_)
      return std::numeric_limits<uint64_t>::max();
    auto free = content_ - in_units(reserved_);
    return free > 0 ? static_cast<uint64_t>(free / limit_.per.count()) : 0;
  }

  /// Until `n` more have flowed in than are reserved now.
  /// REQUIRES: !has(n) && !never(n).
  duration wait(uint64_t n) const {
    return time_for(in_units(reserved_ + n) - content_);
  }

  // Reservations are counted without a limit as well: one may come.
  void reserve(uint64_t n) { reserved_ += n; }
  void release(uint64_t n) {
    reserved_ -= n;
    // Only a promise made before the burst became smaller exceeds it.
    if (content_ > full_)
      content_ = std::max(full_, in_units(reserved_));
  }
  void spend(uint64_t n) {
    if (limited_)
      content_ -= in_units(n);
  }

  /// Nobody can tell it from a new one.
  bool untouched() const {
    return reserved_ == 0 && (!limited_ || content_ >= full_);
  }

  /// REQUIRES: limits().
  limit_status status() const {
    return {limit_.burst, left(),
            content_ < full_ ? time_for(full_ - content_) : duration{0}};
  }

private:
  using units = __int128;

  static units product(uint64_t a, uint64_t b) {
    return static_cast<units>(a) * b;
  }
  units in_units(uint64_t n) const { return product(n, limit_.per.count()); }

  duration time_for(units missing) const {
    constexpr auto most = std::numeric_limits<int64_t>::max();
    if (limit_.amount == 0)
      return duration{most};
    auto up = missing + (limit_.amount - 1);
    if (up <= most) // by far the most common, and a faster division
      return duration{static_cast<int64_t>(up)
                      / static_cast<int64_t>(limit_.amount)};
    auto ns = up / limit_.amount;
    return duration{ns > most ? most : static_cast<int64_t>(ns)};
  }

  units content_ = 0; ///< at least in_units(reserved_), but for debts
  units full_ = 0;
  rate_limit limit_;
  uint64_t reserved_ = 0;
  bool limited_ = false;
};

/// The limits of one organisation, key or model.
struct rate_level {
  static constexpr auto no_bound = std::numeric_limits<uint32_t>::max();

  std::array<rate_bucket, 3> buckets; ///< by `limited`
  time_point last = {};               ///< the latest time seen
  uint32_t most_under_way = no_bound;
  uint32_t under_way = 0;

  /// A clock that steps back gives nothing, nor does its way up again.
  void accrue(time_point now) {
    if (now <= last)
      return;
    // Modulo 2^64, since the difference may exceed a duration.
    auto ns = static_cast<uint64_t>(now.time_since_epoch().count())
              - static_cast<uint64_t>(last.time_since_epoch().count());
    for (auto& b : buckets)
      b.accrue(ns);
    last = now;
  }

  void configure(const tenant_limits& limits, time_point now) {
    accrue(now);
    buckets[0].configure(limits.requests);
    buckets[1].configure(limits.input_tokens);
    buckets[2].configure(limits.output_tokens);
    most_under_way = limits.concurrency.value_or(no_bound);
  }

  /// Nobody can tell it from a new one.
  bool untouched() const {
    return under_way == 0
           && std::ranges::all_of(buckets, &rate_bucket::untouched);
  }
};

} // namespace troupe
