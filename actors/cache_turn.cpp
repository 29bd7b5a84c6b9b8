#include "actors/cache_turn.hpp"

namespace troupe {

void cache_turn::on(const cache_reply& r) {
  use_ = r.use;
  fill_.flight = r.flight;
  fill_.turn = r.turn;
}

void cache_turn::delivered(std::span<const token_id> tokens,
                           std::span<const sampled> details) {
  if (use_ != cache_use::miss)
    return;
  auto& a = fill_.answer;
  a.tokens.insert(a.tokens.end(), tokens.begin(), tokens.end());
  a.details.insert(a.details.end(), details.begin(), details.end());
}

std::optional<cache_fill> cache_turn::fill(finish_reason reason,
                                           bool cut_short) {
  auto whole =
      (reason == finish_reason::stop || reason == finish_reason::length)
      && !cut_short;
  if (use_ != cache_use::miss || !whole || fill_.flight == 0)
    return std::nullopt;
  fill_.answer.reason = reason;
  auto f = std::move(fill_);
  fill_ = {};
  return f;
}

} // namespace troupe
