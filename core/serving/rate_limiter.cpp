#include "core/serving/rate_limiter.hpp"

#include <cassert>
#include <utility>

#include "core/serving/rate_limiter_state.hpp"

namespace troupe {

namespace {

using levels = std::array<rate_level*, 3>;

constexpr auto requests = static_cast<size_t>(limited::requests);
constexpr auto input = static_cast<size_t>(limited::input_tokens);
constexpr auto output = static_cast<size_t>(limited::output_tokens);
constexpr auto concurrency = static_cast<size_t>(limited::concurrency);

bool have(const levels& of, const std::array<uint64_t, 3>& wanted) {
  for (auto* level : of) {
    if (!level)
      continue;
    if (level->under_way >= level->most_under_way)
      return false;
    for (size_t k = 0; k < wanted.size(); ++k)
      if (!level->buckets[k].has(wanted[k]))
        return false;
  }
  return true;
}

// Why not: what will never do comes first, then the longest wait.
void explain(const levels& of, const std::array<uint64_t, 3>& wanted,
             rate_limiter::admission& a) {
  a.is = rate_limiter::verdict::wait;
  auto blame = [&](size_t level, size_t what) {
    a.level = static_cast<limit_level>(level);
    a.what = static_cast<limited>(what);
  };
  auto wait = [&](duration d, size_t level, size_t what) {
    if (d < a.retry_after)
      return;
    a.retry_after = d;
    blame(level, what);
  };
  for (size_t l = 0; l < of.size(); ++l) {
    if (!of[l])
      continue;
    auto busy = of[l]->under_way >= of[l]->most_under_way;
    auto never = of[l]->most_under_way == 0;
    if (never)
      blame(l, concurrency);
    else if (busy)
      wait(rate_limiter::busy_retry, l, concurrency);
    for (size_t k = 0; k < wanted.size() && !never; ++k) {
      auto& bucket = of[l]->buckets[k];
      never = bucket.never(wanted[k]);
      if (never)
        blame(l, k);
      else if (!bucket.has(wanted[k]))
        wait(bucket.wait(wanted[k]), l, k);
    }
    if (never) {
      a.is = rate_limiter::verdict::never;
      a.retry_after = {};
      return;
    }
  }
}

void accrue(const levels& of, time_point now) {
  for (auto* level : of)
    if (level)
      level->accrue(now);
}

limits_status status_of(const levels& of) {
  auto s = limits_status{};
  auto least = [&s](size_t what, const limit_status& here) {
    if (!s[what] || here.left < s[what]->left)
      s[what] = here;
  };
  for (auto* level : of) {
    if (!level)
      continue;
    for (size_t k = 0; k < level->buckets.size(); ++k)
      if (level->buckets[k].limits())
        least(k, level->buckets[k].status());
    auto most = level->most_under_way;
    if (most != rate_level::no_bound)
      least(concurrency, {most, most - std::min(most, level->under_way), {}});
  }
  return s;
}

} // namespace

// -- decisions ----------------------------------------------------------------

rate_limiter::admission rate_limiter::reserve(handle& who, time_point now,
                                              uint32_t prompt_tokens,
                                              uint32_t max_tokens) {
  auto wanted = reservation::amounts{1, prompt_tokens, max_tokens};
  auto a = admission{};
  auto o = locked(who, now);
  if (who.organisation_->refused) {
    a.unknown_tenant = true;
    return a;
  }
  auto of = levels{&who.organisation_->own, who.key_, who.model_};
  // What flowed in since the last time only adds: it is not counted as long as
  // there is enough without.
  if (!have(of, wanted)) {
    accrue(of, now);
    if (!have(of, wanted)) {
      explain(of, wanted, a);
      return a;
    }
  }
  for (auto* level : of) {
    if (!level)
      continue;
    ++level->under_way;
    for (size_t k = 0; k < wanted.size(); ++k)
      level->buckets[k].reserve(wanted[k]);
  }
  a.is = verdict::admitted;
  a.held.organisation_ = who.organisation_.get();
  a.held.levels_ = of;
  a.held.held_ = wanted;
  return a;
}

limits_status rate_limiter::status(handle& who, time_point now) {
  auto lock = locked(who, now);
  auto of = levels{&who.organisation_->own, who.key_, who.model_};
  accrue(of, now);
  return status_of(of);
}

std::vector<organisation_status> rate_limiter::organisations(time_point now) {
  auto lock = std::scoped_lock{mutex_};
  auto all = std::vector<organisation_status>{};
  auto add = [&](const std::string& name, organisation& o) {
    auto guard = std::scoped_lock{o.mutex};
    auto of = levels{&o.own};
    accrue(of, now);
    all.push_back({name, o.named, o.own.under_way, status_of(of)});
  };
  for (auto& [name, o] : organisations_)
    if (o->named)
      add(name, *o);
  for (auto& e : unknown_)
    add(e.name, *e.state);
  std::ranges::sort(all, {}, &organisation_status::name);
  return all;
}

// -- reservations -------------------------------------------------------------

// REQUIRES: the lock is held.
void rate_limiter::reservation::spend(const amounts& of) {
  for (auto* level : levels_) {
    if (!level)
      continue;
    for (size_t k = 0; k < of.size(); ++k) {
      level->buckets[k].spend(of[k]);
      level->buckets[k].release(std::min(of[k], held_[k]));
    }
  }
  for (size_t k = 0; k < of.size(); ++k)
    held_[k] -= std::min(of[k], held_[k]);
}

void rate_limiter::reservation::begin(time_point now) {
  if (!organisation_)
    return;
  auto lock = std::scoped_lock{organisation_->mutex};
  accrue(levels_, now);
  spend({held_[requests], held_[input], 0});
}

uint32_t rate_limiter::reservation::take_output(time_point now, uint32_t n) {
  if (!organisation_)
    return 0;
  auto lock = std::scoped_lock{organisation_->mutex};
  accrue(levels_, now);
  auto beyond = n - std::min<uint64_t>(n, held_[output]);
  for (auto* level : levels_)
    if (level && beyond > 0)
      beyond = std::min(beyond, level->buckets[output].left());
  auto given =
      static_cast<uint32_t>(std::min<uint64_t>(n, held_[output]) + beyond);
  spend({held_[requests], held_[input], given});
  taken_ += given;
  return given;
}

void rate_limiter::reservation::settle(time_point now, uint32_t output_tokens) {
  if (!organisation_)
    return;
  {
    auto lock = std::scoped_lock{organisation_->mutex};
    accrue(levels_, now);
    auto rest = output_tokens - std::min(output_tokens, taken_);
    spend({held_[requests], held_[input], rest});
  }
  refund();
}

void rate_limiter::reservation::give_back() {
  auto lock = std::scoped_lock{organisation_->mutex};
  for (auto* level : levels_) {
    if (!level)
      continue;
    --level->under_way;
    for (size_t k = 0; k < held_.size(); ++k)
      level->buckets[k].release(held_[k]);
  }
  organisation_ = nullptr;
  held_ = {};
  taken_ = 0;
}

} // namespace troupe
