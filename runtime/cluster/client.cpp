#include "runtime/cluster/client.hpp"

#include <caf/all.hpp>

#include "actors/error.hpp"
#include "runtime/cluster/connector.hpp"
#include "runtime/host_thread.hpp"
#include "runtime/system_config.hpp"

namespace troupe {

namespace {

constexpr auto patience = std::chrono::seconds{10};
constexpr auto drain_patience = std::chrono::minutes{10};

} // namespace

struct cluster_client::impl {
  template <class Answer, class Question, class Patience>
  result<Answer> ask(Question question, Patience most) {
    auto here = host_thread{};
    auto answer = result<Answer>{Answer{}};
    auto self = caf::scoped_actor{*system};
    self->request(front.registry, most, std::move(question))
        .receive([&](const Answer& a) { answer = a; },
                 [&](const caf::error& e) { answer = from_caf(e); });
    return answer;
  }

  system_config config;
  std::unique_ptr<caf::actor_system> system;
  std::unique_ptr<cluster_transport> transport;
  registry_found front;
};

cluster_client::cluster_client(std::unique_ptr<impl> p) : impl_(std::move(p)) {}
cluster_client::cluster_client(cluster_client&&) noexcept = default;
cluster_client& cluster_client::operator=(cluster_client&&) noexcept = default;
cluster_client::~cluster_client() = default;

result<cluster_client>
cluster_client::connect(const cluster_client_options& options) {
  auto here = host_thread{};
  auto p = std::make_unique<impl>();
  cluster_transport::configure(p->config);
  auto system = p->config.make_system();
  if (!system)
    return system.failure();
  p->system = std::move(*system);
  auto t = transport_options{};
  t.tls = options.tls;
  auto started = cluster_transport::start(*p->system, std::move(t));
  if (!started)
    return started.failure();
  p->transport = std::move(*started);
  auto found = find_registry(*p->system, *p->transport, options.at);
  if (!found)
    return found.failure();
  p->front = std::move(*found);
  return cluster_client{std::move(p)};
}

result<cluster_status> cluster_client::status() {
  return impl_->ask<cluster_status>(status_query{}, patience);
}

result<drained> cluster_client::drain(const std::string& name) {
  return impl_->ask<drained>(drain_request{0, name}, drain_patience);
}

} // namespace troupe
