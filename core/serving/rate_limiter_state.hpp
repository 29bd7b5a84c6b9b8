#pragma once

#include "core/serving/rate_limiter.hpp"
#include "core/serving/rate_limiter_bucket.hpp"

namespace troupe {

/// An organisation and all below it, guarded by one lock. On cache lines of its
/// own: others are at work beside it.
///
/// What the table names no more stays, though nobody is led to it, until its
/// requests have ended and it is full: who is removed and named again has not
/// gained a burst.
struct alignas(128) rate_limiter::organisation {
  struct model_state {
    rate_level own;
    bool named = false;
  };
  struct key_state {
    rate_level own;
    std::map<std::string, model_state, std::less<>> models;
    bool named = false;
  };

  std::mutex mutex;
  uint64_t generation = 0;
  bool named = false;
  bool refused = false;
  rate_level own;
  std::map<std::string, key_state, std::less<>> keys;

  /// Takes on what the table says.
  void configure(const limits_table::organisation& to, uint64_t generation,
                 time_point now);
  /// The table does not name it any more.
  void retire(uint64_t generation, time_point now);
  /// Nobody can tell it from a new one.
  bool untouched(time_point now);

private:
  void drop_untouched(time_point now);
};

} // namespace troupe
