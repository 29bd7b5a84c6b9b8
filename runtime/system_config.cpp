#include "runtime/system_config.hpp"

#include <caf/all.hpp>
#include <caf/scheduler/coordinator.hpp>

#include <algorithm>
#include <thread>

#include "runtime/actors.hpp"
#include "runtime/quiet_clock.hpp"
#include "runtime/quiet_workers.hpp"
#include "runtime/thread_room.hpp"

namespace troupe {

namespace {

/// Workers and a clock of ours; that which CAF's coordinator has is asleep.
class scheduler : public caf::scheduler::coordinator<quiet_workers> {
public:
  using super = caf::scheduler::coordinator<quiet_workers>;
  using super::super;

  static caf::actor_system::module* make(caf::actor_system& system,
                                         caf::detail::type_list<>) {
    return new scheduler{system};
  }

  quiet_clock& clock() noexcept override { return clock_; }

protected:
  void start() override {
    timer_ = std::thread{[this] {
      caf::detail::set_thread_name("troupe.clock");
      system().thread_started();
      clock_.run();
      system().thread_terminates();
    }};
    super::start();
  }

  // All actors are gone but hidden ones. What would be shipped to these after
  // the workers keeps them for ever.
  void stop() override {
    clock_.stop();
    timer_.join();
    super::stop();
  }

private:
  quiet_clock clock_;
  std::thread timer_;
};

} // namespace

void use_quiet_clock(caf::actor_system_config& config) {
  config.load<scheduler>();
}

system_config::system_config() {
  troupe::add_message_types(*this);
  use_quiet_clock(*this);
  auto cores = std::max(2u, std::thread::hardware_concurrency());
  auto workers = std::min(cores - 1, 4u);
  set("scheduler.max-threads", size_t{workers});
  set("scheduler.max-throughput", size_t{300});
  // What the command line may say is Troupe's to parse, not CAF's.
  set("logger.console", caf::atom("none"));
}

// Where CAF cannot begin a thread, the process is aborted.
result<std::unique_ptr<caf::actor_system>> system_config::make_system() {
  // The clock, connections, and actors that have threads of their own.
  constexpr auto others = 8u;
  auto workers = caf::get_or(*this, "scheduler.max-threads", size_t{1});
  if (auto ok = room_for_threads(static_cast<unsigned>(workers) + others); !ok)
    return ok.failure();
  return std::make_unique<caf::actor_system>(*this);
}

} // namespace troupe
