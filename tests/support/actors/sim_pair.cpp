#include "tests/support/actors/sim_pair.hpp"

#include <caf/io/basp_broker.hpp>

namespace troupe::testing {

namespace {

using caf::io::network::test_multiplexer;

test_multiplexer& network_of(sim_system& s) {
  return dynamic_cast<test_multiplexer&>(s.sys.middleman().backend());
}

bool move_bytes(sim_system& s) {
  auto& n = network_of(s);
  return n.try_exec_runnable() || n.read_data() || n.try_accept_connection();
}

bool let_time_pass(sim_system& s) {
  return s.scheduler().has_pending_timeout() && s.scheduler().trigger_timeout();
}

} // namespace

sim_pair::~sim_pair() {
  // Both sides say goodbye while the other can still hear it.
  near.end();
  far.end();
  run();
}

void sim_pair::prepare() {
  auto door = caf::io::accept_handle::from_int(1);
  at_near_ = caf::io::connection_handle::from_int(2);
  at_far_ = caf::io::connection_handle::from_int(3);
  network_of(near).prepare_connection(door, at_near_, network_of(far), "near",
                                      port_, at_far_);
}

bool sim_pair::step() {
  for (auto i = 0; i < 4; ++i) {
    auto moved = false;
    switch (turn_++ % 4) {
    case 0:
      moved = near.step();
      break;
    case 1:
      moved = move_bytes(near);
      break;
    case 2:
      moved = far.step();
      break;
    default:
      moved = move_bytes(far);
    }
    if (moved)
      return true;
  }
  return false;
}

size_t sim_pair::run(size_t most) {
  auto n = size_t{0};
  while (n < most && step())
    ++n;
  return n;
}

void sim_pair::drain(std::chrono::milliseconds limit) {
  auto& clock = near.scheduler().clock();
  auto end = clock.current_time + limit;
  run();
  auto both = [this] {
    auto one = let_time_pass(near), other = let_time_pass(far);
    return one || other;
  };
  while (clock.current_time < end && both())
    run();
}

void sim_pair::cut() {
  auto tell = [](sim_system& s, caf::io::connection_handle h) {
    auto broker =
        s.sys.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
    caf::anon_send(broker, caf::io::connection_closed_msg{h});
  };
  tell(near, at_near_);
  tell(far, at_far_);
}

} // namespace troupe::testing
