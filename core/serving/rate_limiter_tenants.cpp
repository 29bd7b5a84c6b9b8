#include <cassert>
#include <utility>

#include "core/serving/rate_limiter.hpp"
#include "core/serving/rate_limiter_state.hpp"

// Who has which buckets, and how that changes.

namespace troupe {

namespace {

// An unknown tenant looks for a place among so many that were found longest
// ago, so that a flood of names costs no more than that each.
constexpr auto most_looked_at = 16;

} // namespace

rate_limiter::rate_limiter(limits_table table, time_point now)
    : table_(std::move(table)) {
  assert(check(table_));
  shared_ = make(table_.unknown_limits, now);
  nobody_ = make({}, now);
  nobody_->refused = true;
  apply(now);
}

rate_limiter::~rate_limiter() = default;

// -- finding ------------------------------------------------------------------

rate_limiter::handle rate_limiter::resolve(tenant who, time_point now) {
  auto lock = std::scoped_lock{mutex_};
  return resolve_locked(std::move(who), now);
}

rate_limiter::handle rate_limiter::resolve_locked(tenant who, time_point now) {
  auto h = handle{};
  h.organisation_ = find(who.organisation, now);
  h.generation_ = generation_;
  auto& o = *h.organisation_;
  auto guard = std::scoped_lock{o.mutex};
  auto key = o.keys.find(who.key);
  if (key != o.keys.end() && key->second.named) {
    h.key_ = &key->second.own;
    auto model = key->second.models.find(who.model);
    if (model != key->second.models.end() && model->second.named)
      h.model_ = &model->second.own;
  }
  h.who_ = std::move(who);
  return h;
}

std::unique_lock<std::mutex> rate_limiter::locked(handle& who, time_point now) {
  for (;;) {
    if (who.organisation_) {
      auto lock = std::unique_lock{who.organisation_->mutex};
      if (who.generation_ == who.organisation_->generation) [[likely]]
        return lock;
    }
    who = resolve(std::move(who.who_), now);
  }
}

rate_limiter::organisation_ptr rate_limiter::find(const std::string& name,
                                                  time_point now) {
  auto i = organisations_.find(name);
  if (i != organisations_.end() && i->second->named)
    return i->second;
  switch (table_.unknown) {
  case unknown_tenants::refuse:
    return nobody_;
  case unknown_tenants::share:
    return shared_;
  case unknown_tenants::each:
    return name.size() <= longest_name ? remember(name, now) : shared_;
  }
  return nobody_;
}

rate_limiter::organisation_ptr rate_limiter::remember(const std::string& name,
                                                      time_point now) {
  if (auto i = by_name_.find(name); i != by_name_.end()) {
    unknown_.splice(unknown_.end(), unknown_, i->second);
    return i->second->state;
  }
  if (unknown_.size() >= table_.most_unknown && !forget_one(now))
    return shared_;
  auto state = taken_out(name);
  if (state)
    state->configure({table_.unknown_limits, {}}, generation_, now);
  else
    state = make_unknown(now);
  state->named = false;
  unknown_.push_back({name, state});
  by_name_.emplace(name, std::prev(unknown_.end()));
  return state;
}

// Only one that has no handle and that nobody can tell from a new one: being
// forgotten gains nothing.
bool rate_limiter::forget_one(time_point now) {
  for (auto k = 0; k < most_looked_at && !unknown_.empty(); ++k) {
    auto& oldest = unknown_.front();
    if (oldest.state.use_count() == 1 && oldest.state->untouched(now)) {
      by_name_.erase(oldest.name);
      unknown_.pop_front();
      return true;
    }
    unknown_.splice(unknown_.end(), unknown_, unknown_.begin());
  }
  return false;
}

rate_limiter::organisation_ptr rate_limiter::make(const tenant_limits& limits,
                                                  time_point now) const {
  auto o = std::make_shared<organisation>();
  o->own.last = now;
  o->own.configure(limits, now);
  o->generation = generation_;
  return o;
}

// It may have drawn on the shared buckets before there was room for it, and
// must not gain by being remembered.
rate_limiter::organisation_ptr
rate_limiter::make_unknown(time_point now) const {
  auto o = make(table_.unknown_limits, now);
  auto lock = std::scoped_lock{shared_->mutex};
  shared_->own.accrue(now);
  for (size_t k = 0; k < o->own.buckets.size(); ++k)
    o->own.buckets[k].begin_like(shared_->own.buckets[k]);
  return o;
}

// The state that a name has, which is then that of nobody.
rate_limiter::organisation_ptr
rate_limiter::taken_out(const std::string& name) {
  auto state = organisation_ptr{};
  if (auto i = organisations_.find(name); i != organisations_.end()) {
    state = std::move(i->second);
    organisations_.erase(i);
  } else if (auto j = by_name_.find(name); j != by_name_.end()) {
    state = std::move(j->second->state);
    unknown_.erase(j->second);
    by_name_.erase(j);
  }
  return state;
}

size_t rate_limiter::remembered() const {
  auto lock = std::scoped_lock{mutex_};
  return unknown_.size();
}

// -- changing -----------------------------------------------------------------

result<void> rate_limiter::configure(limits_table table, time_point now) {
  if (auto ok = check(table); !ok)
    return ok;
  auto lock = std::scoped_lock{mutex_};
  table_ = std::move(table);
  apply(now);
  return {};
}

// Every state gets the new generation under its lock: from then on no handle
// that was found before reaches what may be dropped.
void rate_limiter::apply(time_point now) {
  ++generation_;
  for (auto i = organisations_.begin(); i != organisations_.end();) {
    if (table_.organisations.contains(i->first)) {
      ++i;
      continue;
    }
    i->second->retire(generation_, now);
    i = i->second->untouched(now) ? organisations_.erase(i) : std::next(i);
  }
  apply_to_unknown(now);
  for (auto& [name, entry] : table_.organisations) {
    auto state = taken_out(name);
    if (!state)
      state = make(entry.limits, now);
    state->configure(entry, generation_, now);
    organisations_.emplace(name, std::move(state));
  }
  shared_->configure({table_.unknown_limits, {}}, generation_, now);
  nobody_->configure({}, generation_, now);
}

void rate_limiter::apply_to_unknown(time_point now) {
  auto limits = limits_table::organisation{table_.unknown_limits, {}};
  for (auto i = unknown_.begin(); i != unknown_.end();) {
    if (table_.organisations.contains(i->name)) {
      ++i; // becomes known
      continue;
    }
    if (table_.unknown == unknown_tenants::each) {
      i->state->configure(limits, generation_, now);
      i->state->named = false;
      ++i;
      continue;
    }
    i->state->retire(generation_, now);
    if (!i->state->untouched(now))
      organisations_.emplace(i->name, i->state);
    by_name_.erase(i->name);
    i = unknown_.erase(i);
  }
}

} // namespace troupe
