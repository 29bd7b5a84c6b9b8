#include "actors/semantic_tier.hpp"

#include "core/base/random.hpp"

namespace troupe {

std::optional<semantic_tier::turn> semantic_tier::begin(const cache_lookup& q) {
  if (q.text.empty())
    return std::nullopt;
  auto t = turn{};
  t.scope = {q.tenant, q.version, q.scope, {}};
  t.text = q.text;
  return t;
}

cached_response semantic_tier::look_up(turn& t, time_point now) {
  using enum semantic_cache::found;
  auto r = cache_.lookup(t.scope, t.text, t.vector,
                         random_unit(seed_, draws_++), now);
  t.explores = r.is == explore;
  if (r.is == hit) {
    ++hits_;
    return r.answer;
  }
  if (r.is == explore) {
    t.entry = r.entry;
    t.similarity = r.similarity;
    t.near = std::move(r.answer);
  }
  return nullptr;
}

void semantic_tier::learn(turn t, cached_response answer, time_point now) {
  if (t.vector.empty())
    return;
  if (t.explores) {
    auto same = *answer == *t.near;
    ++explored_;
    confirmed_ += same;
    cache_.observe(t.entry, t.similarity, same);
    // One entry with many neighbours learns more than many with few.
    if (same)
      return;
  }
  cache_.store(t.scope, std::move(t.text), t.vector, std::move(answer), now);
}

void semantic_tier::describe(cache_status& to) const {
  to.semantic_hits = hits_;
  to.explored = explored_;
  to.confirmed = confirmed_;
  to.semantic_entries = cache_.entries();
  to.semantic_bytes = cache_.bytes();
}

} // namespace troupe
