#include "tests/support/actors/sim_system.hpp"

#include <caf/io/all.hpp>

#include <algorithm>

#include "actors/protocol/add_message_types.hpp"
#include "core/base/random.hpp"

namespace troupe::testing {

namespace {

class sim_config : public caf::actor_system_config {
public:
  explicit sim_config(sim_system::network n) {
    troupe::add_message_types(*this);
    set("scheduler.policy", caf::atom("testing"));
    set("logger.file-verbosity", caf::atom("quiet"));
    set("logger.console-verbosity", caf::atom("quiet"));
    if (n == sim_system::network::simulated) {
      load<caf::io::middleman>();
      set("middleman.network-backend", caf::atom("testing"));
      set("middleman.manual-multiplexing", true);
      set("middleman.workers", size_t{0});
      set("middleman.heartbeat-interval", caf::timespan{0});
    }
  }
};

} // namespace

sim_system::sim_system(uint64_t seed, network n)
    : config_(std::make_unique<sim_config>(n)), sys(*config_), seed_(seed) {
  run();
  hidden_ = sys.registry().running();
}

void sim_system::end() {
  for (auto& a : owned_)
    caf::anon_send_exit(a, caf::exit_reason::kill);
  owned_.clear();
  run();
}

sim_system::~sim_system() {
  end();
  sys.await_actors_before_shutdown(false);
}

bool sim_system::step() {
  auto& jobs = scheduler().jobs;
  if (jobs.empty())
    return false;
  if (seed_ != 0) {
    auto i = random_bits(seed_, draws_++) % jobs.size();
    std::rotate(jobs.begin(), jobs.begin() + i, jobs.begin() + i + 1);
  }
  auto* job = jobs.front();
  scheduler().try_run_once();
  // Whoever has more messages takes turns: a node that sends itself steps
  // would keep all others waiting.
  if (jobs.size() > 1 && jobs.front() == job)
    std::rotate(jobs.begin(), jobs.begin() + 1, jobs.end());
  return true;
}

size_t sim_system::run(size_t most) {
  auto n = size_t{0};
  while (n < most && step())
    ++n;
  return n;
}

void sim_system::drain(std::chrono::milliseconds limit) {
  auto& clock = scheduler().clock();
  auto end = clock.current_time + limit;
  run();
  while (scheduler().has_pending_timeout() && clock.current_time < end) {
    scheduler().trigger_timeout();
    run();
  }
}

} // namespace troupe::testing
