#include "runtime/message_trace.hpp"

#include <caf/all.hpp>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "actors/trace_recorder.hpp"

namespace troupe {

namespace {

constexpr auto patience = std::chrono::seconds{5};
constexpr auto moment = std::chrono::seconds{2};

} // namespace

result<message_trace> message_trace::start(caf::actor_system& system,
                                           trace_options options) {
  auto others = system.registry().running();
  auto r = start_trace_recorder(system, std::move(options));
  if (!r)
    return r.failure();
  return message_trace{system, std::move(*r), others};
}

message_trace::~message_trace() {
  if (!recorder_)
    return;
  auto end = std::chrono::steady_clock::now() + moment;
  while (system_->registry().running() > others_
         && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  auto self = caf::scoped_actor{*system_, true};
  self->request(recorder_, patience, trace_command{trace_command::kind::stop})
      .receive([](const trace_status&) {},
               [](const caf::error&) {
                 // The disk does not answer: what is written is written.
               });
  self->send_exit(recorder_, caf::exit_reason::user_shutdown);
}

trace_options about(trace_options o, const std::string& role,
                    const std::string& file, const model& m) {
  o.about.emplace_back("role", role);
  o.about.emplace_back("pid", std::to_string(::getpid()));
  o.about.emplace_back("model", file);
  o.about.emplace_back("model_digest", m.digest);
  return o;
}

} // namespace troupe
