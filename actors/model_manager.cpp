#include "actors/model_manager.hpp"

#include <caf/all.hpp>

#include <algorithm>

#include "actors/audit_trail.hpp"
#include "actors/error.hpp"

namespace troupe {

namespace {

constexpr auto tick_interval = std::chrono::seconds{1};
/// How often the evidence of a rollout is kept while nothing else happens.
constexpr auto keep_interval = std::chrono::seconds{10};

} // namespace

void model_manager_state::init(model_manager_options opts) {
  desk_ = opts.desk ? std::move(opts.desk) : std::make_shared<version_desk>();
  unix_offset_ = opts.unix_offset;
  seed_ = opts.seed;
  audited_ = opts.audit != nullptr;
  note_events();
}

void model_manager_state::note_events() {
  for (auto& e : desk_->open()->take_events()) {
    auto at = std::chrono::duration_cast<std::chrono::milliseconds>(
        e.at.time_since_epoch() + unix_offset_);
    notes_.push_back({at.count(), e.what, e.version, e.name, e.why});
    if (audited_)
      records_.push_back(audit::version_event(audit_time_of(e.at, unix_offset_),
                                              name, to_string(e.what),
                                              {e.name, e.version, {}}, e.why));
    changed_ = true;
  }
  while (notes_.size() > most_notes)
    notes_.pop_front();
}

// -- requests -----------------------------------------------------------------

result<routed_version>
model_manager_state::route(const route_version& m,
                           const caf::actor_addr& session) {
  auto t = desk_->route([&] { return m.key; });
  if (!t)
    return t.failure();
  sessions_[session] = *t;
  return routed_version{t->id, t->version};
}

void model_manager_state::done(const version_done& m,
                               const caf::actor_addr& session, time_point now) {
  sessions_.erase(session);
  auto outcome = std::optional<request_outcome>{};
  if (m.counts)
    outcome = request_outcome{m.failed, duration{m.ttft_ns},
                              duration{m.tpot_ns}, m.cut_off};
  desk_->open()->complete({m.ticket, m.version}, outcome, now);
}

void model_manager_state::down(const caf::actor_addr& session, time_point now) {
  if (auto s = sessions_.extract(session))
    desk_->open()->complete(s.mapped(), std::nullopt, now);
}

// -- commands -----------------------------------------------------------------

result<version_started> model_manager_state::load(const load_version& m,
                                                  time_point now) {
  auto v = desk_->open()->load(m.name, m.bytes, now, m.path);
  if (!v)
    return v.failure();
  return version_started{*v};
}

result<versions_status> model_manager_state::command(const version_command& m,
                                                     time_point now) {
  using enum version_command::kind;
  auto done = [&]() -> result<void> {
    auto all = desk_->open();
    switch (m.what) {
    case activate:
      return all->activate(m.version, now, m.why);
    case canary:
      return all->start_canary(m.version, m.share, seed_++, now);
    case share:
      return all->set_share(m.share);
    case promote:
      return all->promote(now, m.why);
    case roll_back:
      return all->roll_back(now, m.why);
    case remove:
      return all->remove(m.version, now);
    }
    return fail(errc::invalid_argument, "no such command");
  }();
  if (!done)
    return done.failure();
  changed_ = true;
  note_events();
  return status();
}

versions_status model_manager_state::status() const {
  auto s = versions_status{};
  auto all = desk_->open();
  s.active = all->active();
  s.canary = all->canary();
  s.share = all->share();
  s.evidence = all->evidence_text();
  for (auto& v : all->versions())
    s.versions.push_back(
        {v.id, v.name, v.source, v.bytes, v.role, v.state, v.under_way});
  s.notes.assign(notes_.begin(), notes_.end());
  return s;
}

void model_manager_state::tick(time_point now) {
  for (auto& t : desk_->take_abandoned())
    desk_->open()->complete(t, std::nullopt, now);
  desk_->open()->tick(now);
}

void model_manager_state::on(const version_report& m, time_point now) {
  using enum version_action;
  switch (m.what) {
  case load:
    return desk_->open()->loaded(m.version, now, m.failure);
  case warm:
    return desk_->open()->warmed(m.version, now, m.failure);
  case unload:
    return desk_->open()->unloaded(m.version, now);
  }
}

std::vector<version_order> model_manager_state::take_orders() {
  note_events();
  auto orders = std::vector<version_order>{};
  auto tasks = desk_->open()->take_tasks();
  if (tasks.empty())
    return orders;
  auto all = desk_->open()->versions();
  for (auto& t : tasks) {
    auto v = std::ranges::find(all, t.version, &version_status::id);
    if (v != all.end())
      orders.push_back({t.what, t.version, v->name, v->source});
  }
  return orders;
}

std::optional<keep_versions> model_manager_state::take_state(time_point now) {
  note_events();
  auto all = desk_->open();
  // Evidence grows with each request, but is not worth a write for each.
  auto due = all->canary() != 0 && (!kept_ || now - *kept_ >= keep_interval);
  if (!std::exchange(changed_, false) && !due)
    return std::nullopt;
  kept_ = now;
  return keep_versions{all->save(now)};
}

// -- behaviour ----------------------------------------------------------------

namespace {

using pointer = actor_pointer<model_manager_actor, model_manager_state>;

// What the state has to say to its host.
class spokesman {
public:
  spokesman(pointer self, version_host_actor host, auditor_actor audit)
      : self_(self), host_(std::move(host)), audit_(std::move(audit)) {}

  time_point now() const { return time_point{self_->clock().now()}; }

  void speak() {
    for (auto& o : self_->state.take_orders())
      if (host_)
        self_->send(host_, std::move(o));
    if (auto keep = self_->state.take_state(now()); keep && host_)
      self_->send(host_, std::move(*keep));
    for (auto& r : self_->state.take_records())
      self_->send(audit_, audit_note{std::move(r)});
  }

private:
  pointer self_;
  version_host_actor host_;
  auditor_actor audit_;
};

template <class T>
caf::result<T> answer(result<T> r) {
  if (!r)
    return to_caf(r.failure());
  return std::move(*r);
}

} // namespace

model_manager_actor::behavior_type model_manager(pointer self,
                                                 model_manager_options opts) {
  auto s = std::make_shared<spokesman>(self, opts.host, opts.audit);
  self->state.init(std::move(opts));
  s->speak();
  self->set_down_handler([=](const caf::down_msg& m) {
    self->state.down(m.source, s->now());
    s->speak();
  });
  auto sender = [=] {
    return caf::actor_cast<caf::actor_addr>(self->current_sender());
  };
  self->delayed_send(self, tick_interval, deadline_tick{});
  return {
      [=](const route_version& m) {
        auto v = self->state.route(m, sender());
        if (v)
          self->monitor(sender());
        return answer(std::move(v));
      },
      [=](const version_done& m) {
        self->demonitor(sender());
        self->state.done(m, sender(), s->now());
        s->speak();
      },
      [=](const load_version& m) {
        auto v = self->state.load(m, s->now());
        s->speak();
        return answer(std::move(v));
      },
      [=](const version_command& m) {
        auto done = self->state.command(m, s->now());
        s->speak();
        return answer(std::move(done));
      },
      [=](const versions_query&) { return self->state.status(); },
      [=](const version_report& m) {
        self->state.on(m, s->now());
        s->speak();
      },
      [=](const deadline_tick&) {
        self->state.tick(s->now());
        s->speak();
        self->delayed_send(self, tick_interval, deadline_tick{});
      },
  };
}

} // namespace troupe
