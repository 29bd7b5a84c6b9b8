#include "core/serving/rate_limiter_state.hpp"

namespace troupe {

namespace {

// The state of that name; a new one begins now.
template <class Map>
auto& state_of(Map& map, const std::string& name, time_point now) {
  auto [i, fresh] = map.try_emplace(name);
  if (fresh)
    i->second.own.last = now;
  i->second.named = true;
  return i->second;
}

} // namespace

void rate_limiter::organisation::configure(const limits_table::organisation& to,
                                           uint64_t number, time_point now) {
  auto lock = std::scoped_lock{mutex};
  generation = number;
  named = true;
  own.configure(to.limits, now);
  for (auto& [name, key] : keys) {
    key.named = false;
    for (auto& [model, state] : key.models)
      state.named = false;
  }
  for (auto& [name, entry] : to.keys) {
    auto& key = state_of(keys, name, now);
    key.own.configure(entry.limits, now);
    for (auto& [model, limits] : entry.models)
      state_of(key.models, model, now).own.configure(limits, now);
  }
  drop_untouched(now);
}

void rate_limiter::organisation::retire(uint64_t number, time_point now) {
  auto lock = std::scoped_lock{mutex};
  generation = number;
  named = false;
  drop_untouched(now);
}

void rate_limiter::organisation::drop_untouched(time_point now) {
  auto unused = [](const auto& state) {
    return !state.named && state.own.untouched();
  };
  for (auto& [name, key] : keys) {
    key.own.accrue(now);
    for (auto& [model, state] : key.models)
      state.own.accrue(now);
    std::erase_if(key.models, [&](auto& m) { return unused(m.second); });
  }
  std::erase_if(keys, [&](auto& k) {
    return k.second.models.empty() && unused(k.second);
  });
}

bool rate_limiter::organisation::untouched(time_point now) {
  auto lock = std::scoped_lock{mutex};
  auto full = [now](rate_level& level) {
    level.accrue(now);
    return level.untouched();
  };
  for (auto& [name, key] : keys) {
    if (!full(key.own))
      return false;
    for (auto& [model, state] : key.models)
      if (!full(state.own))
        return false;
  }
  return full(own);
}

} // namespace troupe
