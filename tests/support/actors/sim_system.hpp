#pragma once

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <memory>
#include <vector>

#include "actors/protocol/interfaces.hpp"

namespace troupe::testing {

/// An actor system in one thread: messages are handled one at a time, in an
/// order that depends on the seed alone, and time passes when told to. Spawn
/// everything scheduled in it: a detached actor would run away.
class sim_system {
  // Before `sys`, which is made from it.
  std::unique_ptr<caf::actor_system_config> config_;

public:
  enum class network { none, simulated };

  /// Seed 0: actors take turns. Another: the next one is drawn.
  explicit sim_system(uint64_t seed = 0, network n = network::none);
  sim_system(const sim_system&) = delete;
  sim_system& operator=(const sim_system&) = delete;

  /// Ends all owned actors.
  ~sim_system();
  void end();

  caf::actor_system sys;

  /// Spawns an actor that ends with this object.
  template <class F, class... Ts>
  auto spawn(F f, Ts&&... xs) {
    auto a = sys.spawn(f, std::forward<Ts>(xs)...);
    owned_.push_back(caf::actor_cast<caf::strong_actor_ptr>(a));
    return a;
  }

  template <class Handle>
  void kill(const Handle& a) {
    caf::anon_send_exit(a, caf::exit_reason::kill);
  }

  /// Lets one actor handle one message. False if there is none.
  bool step();

  /// As many steps as there are, at most `most`; returns how many.
  size_t run(size_t most = 10'000'000);

  void advance(std::chrono::milliseconds by) { scheduler().advance_time(by); }

  /// Runs, and lets time pass up to `limit` for whoever waits for it.
  void drain(std::chrono::milliseconds limit = std::chrono::minutes{1});

  /// Sends a request, runs, and returns the answer.
  template <class R, class Handle, class M>
  R ask(const Handle& to, M m) {
    auto r = R{};
    auto self = caf::scoped_actor{sys};
    auto pending = self->request(to, caf::infinite, std::move(m));
    run();
    pending.receive([&](R& x) { r = std::move(x); },
                    [&](caf::error& e) { BOOST_ERROR(sys.render(e)); });
    return r;
  }

  /// The same where an error is expected.
  template <class R, class Handle, class M>
  caf::error ask_error(const Handle& to, M m) {
    auto error = caf::error{};
    auto self = caf::scoped_actor{sys};
    auto pending = self->request(to, caf::infinite, std::move(m));
    run();
    pending.receive([&](R&) { BOOST_ERROR("an answer where none should be"); },
                    [&](caf::error& e) { error = std::move(e); });
    return error;
  }

  /// Actors alive, those of the system itself not counted.
  size_t alive() { return sys.registry().running() - hidden_; }

  caf::scheduler::test_coordinator& scheduler() {
    return static_cast<caf::scheduler::test_coordinator&>(sys.scheduler());
  }

private:
  uint64_t seed_;
  uint64_t draws_ = 0;
  size_t hidden_ = 0;
  std::vector<caf::strong_actor_ptr> owned_;
};

} // namespace troupe::testing
