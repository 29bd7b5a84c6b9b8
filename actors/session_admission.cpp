#include <caf/all.hpp>

#include "actors/error.hpp"
#include "actors/session_performer.hpp"

// What a request passes before it gets a node: limits, its form, the audit log,
// a version, the response cache.

namespace troupe {

void session_performer::start() {
  if (auto refusal = state().reserve(now()))
    end(std::move(*refusal));
  // It may take a while: who is over their limits does not get it.
  else if (auto bad = state().check_form(now()))
    end(std::move(*bad));
  else if (state().options().audit)
    record_admission();
  else
    choose_version();
}

// Nothing is begun that the log does not know of.
void session_performer::record_admission() {
  asking_ = true;
  self_
      ->request(state().options().audit->log, state().options().patience,
                audit_batch{state().take_records()})
      .then(
          [this](const audit_receipt&) {
            asking_ = false;
            if (!state().finished())
              choose_version();
          },
          [this](const caf::error& e) {
            end(finish_reason::error,
                {errc::io_error,
                 "the request cannot be recorded: " + from_caf(e).message});
          });
}

void session_performer::choose_version() {
  if (!state().wants_version())
    return ask_cache();
  // What is not there yet may be on its way to the manager: that is asked.
  if (state().desk() && state().take_version(now())) {
    record();
    return ask_cache();
  }
  asking_ = true;
  self_
      ->request(state().options().versions, state().options().patience,
                state().wanted_version())
      .then(
          [this](const routed_version& v) {
            asking_ = false;
            state().on(v, now());
            record();
            ask_cache();
          },
          [this](const caf::error& e) {
            end(finish_reason::error, from_caf(e));
          });
}

// For as long as another session takes to compute the same answer, which the
// cache limits.
void session_performer::ask_cache() {
  auto question = state().cached_question(now());
  if (!question || state().finished())
    return place();
  asking_ = true;
  auto& cache = state().options().cache;
  // Whoever waits for it would not hear that it is gone.
  self_->monitor(cache);
  self_->request(cache, caf::infinite, std::move(*question))
      .then(
          [this](cache_reply& r) {
            leave_cache();
            react(state().on(std::move(r), now()));
            place();
          },
          [this](const caf::error&) {
            leave_cache();
            place();
          });
}

void session_performer::leave_cache() {
  asking_ = false;
  self_->demonitor(caf::actor_cast<caf::actor_addr>(state().options().cache));
}

} // namespace troupe
