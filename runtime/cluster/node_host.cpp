#include "runtime/cluster/node_host.hpp"

#include <caf/all.hpp>

#include <condition_variable>
#include <mutex>

#include "actors/host_signals.hpp"
#include "runtime/host_thread.hpp"
#include "runtime/message_trace.hpp"
#include "runtime/system_config.hpp"

namespace troupe {

struct node_host::impl {
  explicit impl(node_host_options o) : options(std::move(o)) {}

  ~impl() {
    member.reset();
    transport.reset();
    trace.reset();
  }

  result<void> start();
  void hear(const agent_news& n);

  node_host_options options;
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  error refused;
  system_config config;
  std::unique_ptr<caf::actor_system> system;
  std::optional<message_trace> trace;
  std::unique_ptr<cluster_transport> transport;
  std::optional<node_member> member;
};

void node_host::impl::hear(const agent_news& n) {
  if (options.news)
    options.news(std::string{to_string(n.what)}, n.reason);
  if (n.what != agent_news::kind::left && n.what != agent_news::kind::refused)
    return;
  auto guard = std::lock_guard{mutex};
  over = true;
  if (n.what == agent_news::kind::refused)
    refused = fail(errc::unsupported,
                   to_string(options.join) + " refused: " + n.reason);
  changed.notify_all();
}

result<void> node_host::impl::start() {
  auto here = host_thread{};
  auto signals = host_signals{};
  cluster_transport::configure(config);
  auto own = config.make_system();
  if (!own)
    return own.failure();
  system = std::move(*own);
  if (options.runtime.trace) {
    auto t = message_trace::start(*system, *options.runtime.trace);
    if (!t)
      return t.failure();
    trace.emplace(std::move(*t));
  }
  auto t = transport_options{};
  t.tls = options.tls;
  auto started = cluster_transport::start(*system, std::move(t));
  if (!started)
    return started.failure();
  transport = std::move(*started);
  auto o = node_member_options{options};
  o.on_news = [this](const agent_news& n) { hear(n); };
  o.on_ranks = [this](const std::string& what) {
    if (options.news)
      options.news(what, "");
  };
  auto m = node_member::start(*system, *transport, std::move(o));
  if (!m)
    return m.failure();
  member.emplace(std::move(*m));
  return {};
}

node_host::node_host(std::unique_ptr<impl> p) : impl_(std::move(p)) {}
node_host::node_host(node_host&&) noexcept = default;
node_host& node_host::operator=(node_host&&) noexcept = default;
node_host::~node_host() = default;

result<node_host> node_host::start(node_host_options options) {
  return without_throwing([&]() -> result<node_host> {
    auto p = std::make_unique<impl>(std::move(options));
    if (auto ok = p->start(); !ok)
      return ok.failure();
    return node_host{std::move(p)};
  });
}

uint16_t node_host::ranks_port() const {
  return impl_->member->ranks_port();
}

void node_host::leave() {
  auto here = host_thread{};
  if (impl_->member->leave())
    return;
  auto guard = std::lock_guard{impl_->mutex};
  impl_->over = true;
  impl_->changed.notify_all();
}

result<void> node_host::wait() {
  auto guard = std::unique_lock{impl_->mutex};
  impl_->changed.wait(guard, [this] { return impl_->over; });
  if (impl_->refused)
    return impl_->refused;
  return {};
}

} // namespace troupe
