#include "runtime/cluster/shard_host.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "actors/host_signals.hpp"
#include "actors/rank_link.hpp"
#include "core/model/shared_model.hpp"
#include "core/parallel/tensor_shard.hpp"
#include "runtime/cluster/transport.hpp"
#include "runtime/host_thread.hpp"
#include "runtime/node_setup.hpp"
#include "runtime/system_config.hpp"

namespace troupe {

namespace {

constexpr auto first_redial = std::chrono::milliseconds{100};
constexpr auto max_redial = std::chrono::milliseconds{2000};

bool is_final(const error& why) {
  return why.code == errc::unsupported || why.code == errc::layout_mismatch
         || why.code == errc::invalid_argument;
}

// A rank's part of the model, cut out once.
class shard_source {
public:
  explicit shard_source(std::shared_ptr<const model> whole)
      : whole_(std::move(whole)) {}

  result<std::shared_ptr<const model>> get(const rank_seat& seat) {
    auto lock = std::lock_guard{mutex_};
    if (seat.kind == rank_kind::sequence)
      return whole_;
    if (shard_ && rank_ == seat.rank && ranks_ == seat.ranks)
      return shard_;
    auto shard = load_shard(whole_, seat.ranks, seat.rank);
    if (!shard)
      return shard.failure();
    rank_ = seat.rank;
    ranks_ = seat.ranks;
    shard_ = std::move(*shard);
    return shard_;
  }

private:
  std::mutex mutex_;
  std::shared_ptr<const model> whole_;
  std::shared_ptr<const model> shard_; ///< under the mutex
  uint32_t rank_ = 0;
  uint32_t ranks_ = 0;
};

} // namespace

struct shard_host::impl {
  explicit impl(shard_host_options o) : options(std::move(o)) {}

  ~impl() {
    leave();
    dialer = {};
    transport.reset();
  }

  result<void> start();
  void run();
  std::optional<error> stay();
  void say(const std::string& line) {
    if (options.news)
      options.news(line);
  }

  void leave() {
    auto lock = std::lock_guard{mutex};
    leaving = true;
    changed.notify_all();
  }

  shard_host_options options;
  std::shared_ptr<const model> weights;
  std::shared_ptr<shard_source> shards;
  system_config config;
  std::unique_ptr<caf::actor_system> system;
  std::unique_ptr<cluster_transport> transport;
  std::mutex mutex;
  std::condition_variable changed;
  // Under the mutex.
  bool leaving = false;
  bool done = false;
  error refused;
  std::jthread dialer;
};

result<void> shard_host::impl::start() {
  auto here = host_thread{};
  auto signals = host_signals{};
  cluster_transport::configure(config);
  auto own = config.make_system();
  if (!own)
    return own.failure();
  system = std::move(*own);
  auto t = transport_options{};
  t.tls = options.tls;
  auto started = cluster_transport::start(*system, std::move(t));
  if (!started)
    return started.failure();
  transport = std::move(*started);
  shards = std::make_shared<shard_source>(weights);
  dialer = std::jthread{[this] { run(); }};
  return {};
}

// Joins again and again.
void shard_host::impl::run() {
  auto wait = first_redial;
  auto said = std::string{};
  for (;;) {
    auto began = std::chrono::steady_clock::now();
    auto why = stay();
    auto lock = std::unique_lock{mutex};
    if (why && is_final(*why) && !leaving)
      refused = fail(errc::unsupported,
                     to_string(options.join) + " refused: " + why->message);
    if (leaving || refused) {
      done = true;
      changed.notify_all();
      return;
    }
    if (why && why->message != said) {
      said = why->message;
      lock.unlock();
      say(said);
      lock.lock();
    }
    if (std::chrono::steady_clock::now() - began > max_redial)
      wait = first_redial;
    changed.wait_for(lock, wait, [this] { return leaving; });
    wait = std::min(2 * wait, max_redial);
  }
}

// One connection, from its beginning to its end; why it ended.
std::optional<error> shard_host::impl::stay() {
  auto hub =
      transport->connect<rank_hub_actor>(options.join.host, options.join.port);
  if (!hub)
    return hub.failure();
  struct state {
    std::optional<error> over;
  };
  auto ended = std::make_shared<state>();
  auto o = rank_link_options{};
  o.hub = *hub;
  o.whole = weights;
  o.weights = [from = shards](const rank_seat& s) { return from->get(s); };
  o.fingerprint = fingerprint(*weights, options.activations);
  o.isa = isa_class;
  o.threads = options.threads;
  o.activations = options.activations;
  o.seated = [this](const rank_seat& s) {
    say("rank " + std::to_string(s.rank) + " of " + std::to_string(s.ranks));
  };
  o.over = [this, ended](const error& why) {
    auto lock = std::lock_guard{mutex};
    ended->over = why;
    changed.notify_all();
  };
  auto link = system->spawn(rank_link, std::move(o));
  {
    auto lock = std::unique_lock{mutex};
    changed.wait(lock, [&] { return leaving || ended->over; });
  }
  auto self = caf::scoped_actor{*system, true};
  caf::anon_send_exit(link, caf::exit_reason::user_shutdown);
  self->wait_for(link);
  auto lock = std::lock_guard{mutex};
  return ended->over;
}

shard_host::shard_host(std::unique_ptr<impl> p) : impl_(std::move(p)) {}
shard_host::shard_host(shard_host&&) noexcept = default;
shard_host& shard_host::operator=(shard_host&&) noexcept = default;
shard_host::~shard_host() = default;

result<shard_host> shard_host::start(shard_host_options options) {
  if (options.threads == 0)
    options.threads = std::max(1u, std::thread::hardware_concurrency());
  auto p = std::make_unique<impl>(std::move(options));
  auto loaded = load_shared_model(p->options.model);
  if (!loaded)
    return loaded.failure();
  p->weights = std::move(*loaded);
  if (auto ok = p->start(); !ok)
    return ok.failure();
  return shard_host{std::move(p)};
}

void shard_host::leave() {
  impl_->leave();
}

result<void> shard_host::wait() {
  auto lock = std::unique_lock{impl_->mutex};
  impl_->changed.wait(lock, [this] { return impl_->done; });
  if (impl_->refused)
    return impl_->refused;
  return {};
}

} // namespace troupe
