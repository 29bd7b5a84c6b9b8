#include "core/cluster/rank_seats.hpp"

#include <algorithm>
#include <string>

namespace troupe {

result<uint32_t> rank_seats::take(time_point now) {
  for (auto r = uint32_t{1}; r < ranks(); ++r)
    if (!heard_[r]) {
      heard_[r] = now;
      return r;
    }
  return fail(errc::overloaded,
              "all " + std::to_string(ranks()) + " ranks are there");
}

void rank_seats::hear(uint32_t rank, time_point now) {
  if (is_taken(rank))
    heard_[rank] = std::max(*heard_[rank], now);
}

bool rank_seats::leave(uint32_t rank) {
  auto had = is_taken(rank);
  if (had)
    heard_[rank].reset();
  return had;
}

std::vector<uint32_t> rank_seats::expire(time_point now) {
  auto gone = std::vector<uint32_t>{};
  for (auto r = uint32_t{1}; r < ranks(); ++r)
    if (heard_[r] && now - *heard_[r] > timeout_) {
      heard_[r].reset();
      gone.push_back(r);
    }
  return gone;
}

bool rank_seats::full() const {
  return std::all_of(heard_.begin() + 1, heard_.end(),
                     [](auto& h) { return h.has_value(); });
}

} // namespace troupe
