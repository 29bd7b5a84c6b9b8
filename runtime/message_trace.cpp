#include "runtime/message_trace.hpp"

#include <caf/all.hpp>
#include <unistd.h>

#include <chrono>
#include <mutex>
#include <thread>

#include "actors/trace_recorder.hpp"
#include "actors/tracing/quiet.hpp"
#include "runtime/host_thread.hpp"
#include "runtime/recorded_trace.hpp"
#include "runtime/thread_room.hpp"

namespace troupe {

namespace {

constexpr auto patience = std::chrono::seconds{5};
constexpr auto moment = std::chrono::seconds{2};

// Of a process there is one at most.
struct recording {
  std::mutex life;  ///< held while the recorder is asked, which may take long
  std::mutex mutex; ///< held while this is read or changed; after `life`
  caf::actor_system* system = nullptr; ///< null: there is none
  trace_recorder_actor recorder;
  std::string file;
};

recording& the_recording() {
  // Never destroyed: a runtime that is static ends later than this would.
  static auto& r = *new recording;
  return r;
}

} // namespace

result<message_trace> message_trace::start(caf::actor_system& system,
                                           trace_options options) {
  if (auto ok = room_for_threads(1); !ok)
    return ok.failure();
  auto others = system.registry().running();
  auto file = options.file;
  auto r = start_trace_recorder(system, std::move(options));
  if (!r)
    return r.failure();
  auto& shown = the_recording();
  auto lock = std::scoped_lock{shown.life, shown.mutex};
  shown.system = &system;
  shown.recorder = *r;
  shown.file = std::move(file);
  return message_trace{system, std::move(*r), others};
}

message_trace::~message_trace() {
  if (!recorder_)
    return;
  auto end = std::chrono::steady_clock::now() + moment;
  // An actor that is no longer there may still be writing what it did last.
  while ((system_->registry().running() > others_ || !tracing::quiet())
         && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  stop();
}

trace_status message_trace::status() const {
  return tell(trace_command::kind::flush);
}

trace_status message_trace::stop() {
  {
    auto& shown = the_recording();
    auto lock = std::scoped_lock{shown.life, shown.mutex};
    shown.system = nullptr;
    shown.recorder = nullptr;
  }
  auto s = tell(trace_command::kind::stop);
  caf::anon_send_exit(recorder_, caf::exit_reason::user_shutdown);
  recorder_ = nullptr;
  return s;
}

trace_status message_trace::tell(trace_command::kind what) const {
  auto s = trace_status{};
  auto self = caf::scoped_actor{*system_, true};
  self->request(recorder_, patience, trace_command{what})
      .receive([&](const trace_status& said) { s = said; },
               [&](const caf::error&) {
                 // What is written is written.
                 s.failure = "the disk does not answer";
               });
  return s;
}

std::optional<std::string> trace_file() {
  auto& r = the_recording();
  auto lock = std::lock_guard{r.mutex};
  return r.system ? std::optional{r.file} : std::nullopt;
}

std::optional<std::string> written_trace() {
  auto& r = the_recording();
  auto alive = std::lock_guard{r.life};
  auto file = trace_file();
  if (!file)
    return {};
  auto here = host_thread{};
  auto self = caf::scoped_actor{*r.system, true};
  self->request(r.recorder, patience, trace_command{trace_command::kind::flush})
      .receive([](const trace_status&) {},
               [](const caf::error&) {
                 // What is written can be looked at.
               });
  return file;
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
