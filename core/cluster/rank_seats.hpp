#pragma once

#include <optional>
#include <vector>

#include "core/base/result.hpp"
#include "core/base/time.hpp"

namespace troupe {

/// What ranks of other processes and rank 0 say to each other; those of another
/// version refuse. Goes up with the meaning of a message.
inline constexpr uint32_t rank_protocol_version = 2;

/// Which ranks of a group are there: each takes a seat, shows that it lives,
/// and loses the seat if it doesn't. Rank 0 has none.
class rank_seats {
public:
  /// Who is silent for `timeout` is gone.
  rank_seats(uint32_t ranks, duration timeout)
      : timeout_(timeout), heard_(ranks) {}

  uint32_t ranks() const { return static_cast<uint32_t>(heard_.size()); }

  /// The lowest free rank; overloaded if there is none.
  result<uint32_t> take(time_point now);

  /// A rank said something. No effect for one without a seat.
  void hear(uint32_t rank, time_point now);

  /// Whether it had a seat.
  bool leave(uint32_t rank);

  /// Ranks that have just lost their seats.
  std::vector<uint32_t> expire(time_point now);

  bool is_taken(uint32_t rank) const {
    return rank > 0 && rank < ranks() && heard_[rank];
  }
  bool full() const;

private:
  duration timeout_;
  std::vector<std::optional<time_point>> heard_; ///< [ranks]; 0 never
};

} // namespace troupe
