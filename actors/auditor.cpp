#include "actors/auditor.hpp"

#include <caf/all.hpp>

#include "actors/owed_reply.hpp"

namespace troupe {

// -- state --------------------------------------------------------------------

void auditor_state::init(auditor_options opts) {
  opts_ = std::move(opts);
  tell_anchor();
}

audit_time auditor_state::at(time_point now) const {
  auto mono = now.time_since_epoch();
  return {(mono + opts_.unix_offset).count(), mono.count()};
}

void auditor_state::tell_anchor() {
  auto& c = opts_.log->checkpoint();
  if (!c || !opts_.anchor || c->records() == anchored_)
    return;
  anchored_ = c->records();
  opts_.anchor(audit_anchor::of(opts_.log->id(), *c));
}

result<void> auditor_state::add(const audit_record& r, time_point now) {
  auto n = opts_.log->append(r);
  if (!n && n.failure().code == errc::overloaded) {
    // Those who wait for the batch hear of it with the rest.
    if (auto ok = opts_.log->commit(at(now)); !ok)
      dropped_ = ok.failure();
    n = opts_.log->append(r);
  }
  if (n)
    return {};
  ++refused_;
  return n.failure();
}

auditor_state::outcome auditor_state::commit(time_point now) {
  last_ = now;
  auto ok = opts_.log->commit(at(now));
  auto failed = std::exchange(dropped_, std::nullopt);
  if (!ok)
    failed = ok.failure();
  tell_anchor();
  if (failed && opts_.when_full == audit_full::refuse)
    return *failed;
  return audit_receipt{opts_.log->durable(), !failed};
}

void auditor_state::tick(time_point now) {
  if (opts_.log->due(at(now)))
    (void)opts_.log->commit(at(now));
  tell_anchor();
}

auditor_state::~auditor_state() {
  close(last_);
}

void auditor_state::close(time_point now) {
  if (!opts_.log || std::exchange(closed_, true))
    return;
  (void)opts_.log->close(at(now));
  tell_anchor();
}

bool auditor_state::is_durable(uint64_t number) const {
  return number > 0 && number <= opts_.log->durable();
}

bool auditor_state::needs_ticks() const {
  return opts_.log->lost() > 0 || opts_.log->durable() > opts_.log->sealed();
}

audit_status auditor_state::status() const {
  auto s = audit_status{};
  auto& log = *opts_.log;
  s.durable = log.durable();
  s.sealed = log.sealed();
  s.lost = log.lost();
  s.refused = refused_;
  if (auto& c = log.checkpoint()) {
    s.root = to_hex(as_bytes(c->chain.tree().root()));
    s.checkpoint_wall_ns = c->time.wall_ns;
  }
  if (auto& e = log.failing())
    s.failing = e->message;
  s.refuses = log.lost() > 0 && opts_.when_full == audit_full::refuse;
  return s;
}

// -- behaviour ----------------------------------------------------------------

namespace {

using pointer = actor_pointer<auditor_actor, auditor_state>;

constexpr auto tick_interval = std::chrono::milliseconds{100};

// The state, and the promises to those who wait.
class scribe {
public:
  explicit scribe(pointer self) : self_(self) {}

  time_point now() const { return time_point{self_->clock().now()}; }

  caf::result<audit_receipt> on(const audit_batch& b) {
    auto failed = std::optional<error>{};
    for (auto& r : b.records)
      if (auto ok = self_->state.add(r, now()); !ok)
        failed = ok.failure();
    ask_for_commit();
    if (failed)
      return to_caf(*failed);
    return wait(0);
  }

  void on(const audit_note& n) {
    (void)self_->state.add(n.record, now());
    ask_for_commit();
  }

  caf::result<audit_receipt> on(const audit_await& w) {
    if (self_->state.is_durable(w.number))
      return audit_receipt{self_->state.status().durable, true};
    ask_for_commit();
    return wait(w.number);
  }

  // What was sent while the last commit took its time is before this in the
  // mailbox: it is one batch.
  void commit() {
    asked_ = false;
    auto outcome = self_->state.commit(now());
    auto later = std::vector<waiting>{};
    for (auto& w : std::exchange(waiting_, {}))
      if (outcome && w.number > outcome->durable)
        later.push_back(std::move(w));
      else if (outcome)
        w.reply->deliver(*outcome);
      else
        w.reply->fail(outcome.failure());
    waiting_ = std::move(later);
    arm();
  }

  void tick() {
    ticking_ = false;
    self_->state.tick(now());
    arm();
  }

private:
  struct waiting {
    uint64_t number = 0; ///< 0: the next commit
    std::unique_ptr<owed_reply<audit_receipt>> reply;
  };

  caf::result<audit_receipt> wait(uint64_t number) {
    auto promise = self_->make_response_promise<audit_receipt>();
    waiting_.push_back(
        {number, std::make_unique<owed_reply<audit_receipt>>(promise)});
    return promise;
  }

  void ask_for_commit() {
    if (!std::exchange(asked_, true))
      self_->send(self_, audit_commit{});
  }

  void arm() {
    if (self_->state.needs_ticks() && !std::exchange(ticking_, true))
      self_->delayed_send(self_, tick_interval, deadline_tick{});
  }

  pointer self_;
  std::vector<waiting> waiting_;
  bool asked_ = false;
  bool ticking_ = false;
};

} // namespace

auditor_actor::behavior_type auditor(pointer self, auditor_options opts) {
  self->state.init(std::move(opts));
  auto s = std::make_shared<scribe>(self);
  self->set_exit_handler([=](const caf::exit_msg& m) {
    self->state.close(s->now());
    self->quit(m.reason);
  });
  return {
      [=](const audit_batch& b) { return s->on(b); },
      [=](const audit_note& n) { s->on(n); },
      [=](const audit_await& w) { return s->on(w); },
      [=](const audit_query&) { return self->state.status(); },
      [=](const audit_commit&) { s->commit(); },
      [=](const deadline_tick&) { s->tick(); },
  };
}

} // namespace troupe
