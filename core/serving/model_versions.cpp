#include "core/serving/model_versions.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>
#include <xxhash.h>

namespace troupe {

namespace {

using enum version_role;
using enum version_state;

bool is_share(double x) {
  return x >= 1e-6 && x <= 1 - 1e-6;
}

} // namespace

// -- commands -----------------------------------------------------------------

result<version_id> model_versions::load(std::string name, uint64_t bytes,
                                        time_point now, std::string source) {
  if (name.empty() || name.size() > longest_name)
    return fail(errc::invalid_argument, "a version's name has 1 to 256 bytes");
  if (source.size() > longest_source)
    return fail(errc::invalid_argument, name + ": its source has "
                                            + std::to_string(source.size())
                                            + " bytes, over 4096");
  auto room = options_.memory_budget;
  for (auto& [v, x] : versions_) {
    room -= std::min(room, x.bytes);
    if (x.name == name && x.role != leaving)
      return fail(errc::invalid_argument, name + ": is there already");
  }
  if (bytes > room)
    return fail(errc::overloaded, name + ": no memory beside the others");
  if (versions_.size() >= most_versions)
    return fail(errc::overloaded, name + ": there are too many versions");
  auto v = ++last_;
  versions_[v] = {std::move(name), std::move(source), bytes};
  note(v, version_event::loading, now);
  tasks_.push_back({version_action::load, v});
  return v;
}

void model_versions::loaded(version_id v, time_point now,
                            const std::string& failure) {
  advance(v, loading, false, now, failure);
}

void model_versions::warmed(version_id v, time_point now,
                            const std::string& failure) {
  advance(v, warming, true, now, failure);
}

void model_versions::advance(version_id v, version_state from, bool to_ready,
                             time_point now, const std::string& failure) {
  auto* x = find(v);
  if (!x || x->state != from)
    return;
  if (x->role == leaving) { // it was given up meanwhile
    x->state = ready;
    unload_if_idle(v, now);
    return;
  }
  if (!failure.empty()) {
    x->state = ready; // nothing is under way any more
    note(v, version_event::failed, now, failure);
    if (v == canary_)
      (void)roll_back(now, failure);
    else
      retire(v, now);
    return;
  }
  x->state = to_ready ? ready : warming;
  note(v, to_ready ? version_event::ready : version_event::loaded, now);
  if (!to_ready)
    tasks_.push_back({version_action::warm, v});
}

void model_versions::unloaded(version_id v, time_point now) {
  auto* x = find(v);
  if (!x || !x->unloading)
    return;
  note(v, version_event::unloaded, now);
  versions_.erase(v);
}

result<void> model_versions::activate(version_id v, time_point now,
                                      const std::string& why) {
  if (!is(v, standby, ready))
    return fail(errc::invalid_argument, "no version on standby that is ready");
  if (canary_ != 0)
    return fail(errc::invalid_argument, "there is a canary");
  make_active(v, now, why);
  return {};
}

result<void> model_versions::start_canary(version_id v, double share,
                                          uint64_t seed, time_point now) {
  if (!is(v, standby, ready))
    return fail(errc::invalid_argument, "no version on standby that is ready");
  if (active_ == 0)
    return fail(errc::invalid_argument, "no version is active");
  if (canary_ != 0)
    return fail(errc::invalid_argument, "there is a canary");
  if (!use_share(share))
    return fail(errc::invalid_argument, "a share is above 0 and below 1");
  find(v)->role = version_role::canary;
  canary_ = v;
  ++rollout_;
  seed_ = seed;
  began_ = now;
  evidence_ = canary_evidence{options_.canary};
  counted_ = recent_map<uint8_t>{remembered_keys};
  first_arrival_ += arrivals_.size();
  arrivals_.clear();
  note(v, version_event::canary, now, "share " + std::to_string(share));
  return {};
}

result<void> model_versions::set_share(double share) {
  if (canary_ == 0)
    return fail(errc::invalid_argument, "there is no canary");
  if (!use_share(share))
    return fail(errc::invalid_argument, "a share is above 0 and below 1");
  return {};
}

bool model_versions::use_share(double share) {
  if (!is_share(share))
    return false;
  share_ = share;
  below_ = static_cast<uint64_t>(std::ldexp(share, 64));
  return true;
}

result<void> model_versions::promote(time_point now, const std::string& why) {
  if (!is(canary_, version_role::canary, ready))
    return fail(errc::invalid_argument, "there is no canary that is ready");
  make_active(canary_, now, why);
  return {};
}

result<void> model_versions::roll_back(time_point now, const std::string& why) {
  if (canary_ == 0)
    return fail(errc::invalid_argument, "there is no canary");
  auto v = canary_;
  canary_ = 0;
  note(v, version_event::rolled_back, now, why);
  retire(v, now);
  return {};
}

result<void> model_versions::remove(version_id v, time_point now) {
  auto* x = find(v);
  if (!x || x->role != standby)
    return fail(errc::invalid_argument, "no version on standby");
  retire(v, now);
  return {};
}

void model_versions::make_active(version_id v, time_point now,
                                 const std::string& why) {
  auto before = active_;
  active_ = v;
  canary_ = canary_ == v ? 0 : canary_;
  find(v)->role = version_role::active;
  note(v, version_event::promoted, now, why);
  if (before == 0)
    return;
  if (options_.keep_previous)
    find(before)->role = standby;
  else
    retire(before, now);
}

void model_versions::retire(version_id v, time_point now) {
  find(v)->role = leaving;
  active_ = active_ == v ? 0 : active_;
  unload_if_idle(v, now);
}

void model_versions::unload_if_idle(version_id v, time_point now) {
  auto& x = *find(v);
  if (x.role != leaving || x.state != ready || x.under_way > 0 || x.unloading)
    return;
  x.unloading = true;
  note(v, version_event::unloading, now);
  tasks_.push_back({version_action::unload, v});
}

// -- requests -----------------------------------------------------------------

bool model_versions::compares() const {
  return is(canary_, version_role::canary, ready)
         && is(active_, version_role::active, ready);
}

std::optional<model_versions::ticket>
model_versions::route(std::string_view key) {
  auto compared = compares();
  auto hash =
      compared ? XXH3_64bits_withSeed(key.data(), key.size(), seed_) : 0;
  auto v = compared && hash < below_ ? canary_ : active_;
  auto* x = find(v);
  if (!x || x->state != ready)
    return std::nullopt;
  ++x->under_way;
  auto b = booking{v, 0, first_arrival_ + arrivals_.size()};
  if (compared) {
    b.rollout = rollout_;
    arrivals_.push_back({hash, share_, v == canary_});
  }
  return ticket{bookings_.add(b), v};
}

bool model_versions::complete(const ticket& t,
                              const std::optional<request_outcome>& outcome,
                              time_point now) {
  auto b = bookings_.take(t.id);
  if (!b)
    return false;
  --find(b->at)->under_way;
  unload_if_idle(b->at, now);
  if (canary_ == 0 || b->rollout != rollout_ || b->arrival < first_arrival_)
    return true;
  auto& a = arrivals_[b->arrival - first_arrival_];
  a.over = true;
  a.outcome = outcome;
  settle(now);
  return true;
}

// In the order in which they came: the quick ones end first, which is no
// chance, and a version that has little to do is quick.
void model_versions::settle(time_point now) {
  while (!arrivals_.empty()
         && (arrivals_.front().over || arrivals_.size() > most_waiting)) {
    weigh(arrivals_.front());
    arrivals_.pop_front();
    ++first_arrival_;
  }
  if (options_.automatic && evidence_.worse())
    (void)roll_back(now, std::string{to_string(evidence_.reason())} + ": "
                             + figures());
}

// The chance that a key became the canary's was taken once, so that it counts
// once: a client who sends much, or whose requests always fail, is no more
// evidence than another.
void model_versions::weigh(const arrival& a) {
  if (!a.outcome)
    return;
  auto& counted = counted_.at(a.key);
  auto kind = uint8_t{a.outcome->failed ? uint8_t{1} : uint8_t{2}};
  if (counted & kind)
    return;
  counted |= kind;
  evidence_.record(a.canary, a.share, *a.outcome);
}

void model_versions::tick(time_point now) {
  if (!options_.automatic || !is(canary_, version_role::canary, ready)
      || now - began_ < options_.least_time || !evidence_.not_worse())
    return;
  (void)promote(now, figures());
}

std::string model_versions::figures() const {
  char against[32];
  std::snprintf(against, sizeof against, "%.3g", evidence_.against());
  auto of = [](uint64_t failed, uint64_t n) {
    return std::to_string(failed) + " of " + std::to_string(n);
  };
  return of(evidence_.canary_failures(), evidence_.canary_requests())
         + " failed, of the baseline "
         + of(evidence_.baseline_failures(), evidence_.baseline_requests())
         + "; evidence " + against;
}

// -- state --------------------------------------------------------------------

model_versions::version* model_versions::find(version_id v) {
  auto i = versions_.find(v);
  return i == versions_.end() ? nullptr : &i->second;
}

bool model_versions::is(version_id v, version_role role,
                        version_state state) const {
  auto* x = find(v);
  return x && x->role == role && x->state == state;
}

void model_versions::note(version_id v, version_event what, time_point now,
                          const std::string& why) {
  events_.push_back({now, what, v, versions_.at(v).name, why});
}

std::vector<version_status> model_versions::versions() const {
  auto all = std::vector<version_status>{};
  for (auto& [v, x] : versions_)
    all.push_back({v, x.name, x.source, x.bytes, x.role, x.state, x.under_way});
  return all;
}

std::vector<version_task> model_versions::take_tasks() {
  return std::exchange(tasks_, {});
}

std::vector<version_record> model_versions::take_events() {
  return std::exchange(events_, {});
}

} // namespace troupe
