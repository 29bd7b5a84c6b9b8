#pragma once

#include <caf/all.hpp>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "actors/error.hpp"
#include "actors/host_signals.hpp"
#include "actors/node_book.hpp"
#include "actors/protocol/interfaces.hpp"
#include "actors/thread_lender.hpp"
#include "actors/version_desk.hpp"
#include "core/serving/rate_limiter.hpp"
#include "runtime/audit_service.hpp"
#include "runtime/clients.hpp"
#include "runtime/cluster/transport.hpp"
#include "runtime/forks.hpp"
#include "runtime/host_thread.hpp"
#include "runtime/message_trace.hpp"
#include "runtime/model_path.hpp"
#include "runtime/node_setup.hpp"
#include "runtime/otlp_exporter.hpp"
#include "runtime/runtime.hpp"
#include "runtime/system_config.hpp"
#include "runtime/version_host.hpp"

namespace troupe {

/// The actors of one runtime, and how they come and go.
struct runtime::impl {
  explicit impl(runtime_options o) : options(std::move(o)) {}

  ~impl();

  /// Checks the options and loads the model.
  static result<std::unique_ptr<impl>> load(runtime_options options);

  /// Starts the actors: in `outside`, or if it is null in a system of their
  /// own.
  result<void> start(caf::actor_system* outside);
  result<void> record(trace_options o);
  result<void> open_cluster();
  void manage_versions();
  void observe();
  void flush();
  void drain();
  void await_actors(const std::vector<caf::actor>& ended);
  result<void> connect();

  /// Why this process has nothing of it; nothing where it has.
  std::optional<error> forked() const {
    if (forks == forks_before())
      return {};
    return fail(errc::abandoned, "the runtime and its threads stayed in the "
                                 "process that forked this one: open another");
  }

  /// Why the calling thread cannot wait for what its actors do.
  std::optional<error> cannot_wait() const {
    auto why = forked();
    return why ? why : must_not_wait();
  }

  /// Whether the end needs to know who hears of requests.
  bool remembers() const {
    return options.client || options.drain_within > duration{};
  }

  /// One who hears of a request. Those that are dead are forgotten each time
  /// that there are twice as many as lived.
  void remember(caf::actor_addr client) {
    auto guard = std::lock_guard{clients_mutex};
    if (clients.size() >= forget_at) {
      std::erase_if(clients, [](auto& c) {
        return caf::actor_cast<caf::strong_actor_ptr>(c) == nullptr;
      });
      forget_at = std::max<size_t>(16, 2 * clients.size());
    }
    clients.push_back(std::move(client));
  }

  // Numbers a request, and starts whoever hears of it.
  template <class Client, class Request, class Handler>
  subscription subscribe(Client client, Request request, Handler on_event);

  template <class Answer, class Question>
  result<Answer> ask(Question question, std::chrono::seconds most) {
    if (auto why = cannot_wait())
      return *why;
    auto here = host_thread{};
    auto answer = result<Answer>{Answer{}};
    auto self = caf::scoped_actor{*system};
    self->request(gateway, most, std::move(question))
        .receive([&](const Answer& a) { answer = a; },
                 [&](const caf::error& e) { answer = from_caf(e); });
    return answer;
  }

  const uint32_t forks = forks_before();
  runtime_options options;
  std::shared_ptr<const model> weights;
  std::shared_ptr<const tokenizer> text;
  std::shared_ptr<rate_limiter> limits; ///< null: there are none
  std::atomic<request_id> last_request{0};
  std::shared_ptr<thread_lender> lender; ///< null: there is none
  system_config config;                  ///< of the own system
  std::unique_ptr<caf::actor_system> own_system;
  caf::actor_system* system = nullptr; ///< that one, or the host's
  std::mutex trace_mutex;
  std::optional<message_trace> trace;
  std::optional<audit_service> audit;
  first_versions first;
  std::shared_ptr<version_nodes> nodes;
  std::unique_ptr<cluster_transport> transport;
  uint16_t port = 0;
  std::atomic<bool> closing{false}; ///< no new requests
  std::mutex clients_mutex;
  std::vector<caf::actor_addr> clients; ///< alive or not
  size_t forget_at = 16;
  registry_actor registry;
  std::shared_ptr<node_book> book = std::make_shared<node_book>();
  gateway_actor gateway;
  model_manager_actor manager;
  std::shared_ptr<version_desk> desk;
  response_cache_actor cache; ///< null: there is none
  profiler_actor profiler;
  otlp_exporter_actor exporter; ///< null: there is none
  std::shared_ptr<std::atomic<bool>> over =
      std::make_shared<std::atomic<bool>>(false);
  version_host_actor host;
  door_actor door;
  std::shared_ptr<front_door> front = std::make_shared<front_door>();
};

/// The clock of actors.
inline time_point stamp() {
  return std::chrono::steady_clock::now();
}

} // namespace troupe
