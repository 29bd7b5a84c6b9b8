#include "runtime/otlp_exporter.hpp"

#include <caf/all.hpp>

#include <utility>

#include "runtime/post_json.hpp"

namespace troupe {

namespace {

constexpr auto deadline = std::chrono::seconds{5};

using pointer = actor_pointer<otlp_exporter_actor, otlp_exporter_state>;

// Once, until it works again.
void tell(const otlp_exporter_state& s, bool& fails, const char* what,
          const result<void>& sent) {
  auto before = std::exchange(fails, !sent);
  if (fails && !before && s.options.log)
    s.options.log(std::string{what}
                  + " are not exported: " + sent.failure().message);
}

// False: it is worth another try.
bool send(otlp_exporter_state& s, const std::string& traces) {
  auto sent = post_json(s.to, "/v1/traces", traces, deadline, *s.over);
  tell(s, s.traces_fail, "traces", sent);
  return sent || sent.failure().code == errc::invalid_argument;
}

void send_traces(otlp_exporter_state& s, std::string text) {
  if (!s.unsent.empty()) {
    if (!send(s, s.unsent))
      return;
    s.unsent.clear();
  }
  if (!text.empty() && !send(s, text))
    s.unsent = std::move(text);
}

void export_all(pointer self, const profiler_actor& profiler) {
  using enum profile_query::kind;
  auto ask = [=](profile_query::kind what, auto then) {
    self->request(profiler, deadline, profile_query{what})
        .then([=](profile_report& r) { then(std::move(r.text)); },
              [](const caf::error&) {
                // It has gone, and soon so has this.
              });
  };
  // What could not be sent waits here, and the rest there.
  if (self->state.unsent.empty())
    ask(otlp_traces,
        [=](std::string text) { send_traces(self->state, std::move(text)); });
  else
    send_traces(self->state, {});
  ask(otlp_metrics, [=](std::string text) {
    auto& s = self->state;
    tell(s, s.metrics_fail, "times of stages",
         post_json(s.to, "/v1/metrics", text, deadline, *s.over));
  });
}

} // namespace

otlp_exporter_actor::behavior_type
otlp_exporter(pointer self, profiler_actor profiler, http_address to,
              otlp_options options, std::shared_ptr<std::atomic<bool>> over) {
  self->state.to = std::move(to);
  self->state.over = std::move(over);
  self->state.options = std::move(options);
  self->delayed_send(self, self->state.options.interval, deadline_tick{});
  return {
      [=](const deadline_tick&) {
        export_all(self, profiler);
        self->delayed_send(self, self->state.options.interval, deadline_tick{});
      },
  };
}

} // namespace troupe
