#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/random.hpp"
#include "core/cluster/member.hpp"
#include "core/cluster/membership.hpp"
#include "tests/support/core/cluster_world.hpp"

namespace troupe::testing {

/// The world of run_cluster(): what happens in it, the link between its nodes
/// and their registry, and what must hold there.
class cluster_world {
public:
  cluster_world(uint64_t seed, cluster_bug bug);

  cluster_outcome run();

private:
  struct node {
    std::string name;
    std::optional<member> self; ///< none: crashed
    bool hangs = false;
    bool cut_in = false;
    bool cut_out = false;
    uint64_t first_incarnation = 0;
    uint64_t incarnation = 0; ///< of its last join
    membership_epoch epoch = 0;
    time_point answered{}; ///< within that epoch
    time_point next_tick{};
  };

  struct packet {
    size_t node;
    bool to_registry;
    uint64_t incarnation; ///< of the node that sent it
    member_message up;
    registry_message down;
  };

  uint64_t draw(uint64_t below) { return random_bits(seed_, ++draws_) % below; }
  bool one_in(uint64_t n) { return draw(n) == 0; }
  bool ok() const { return out_.violation.empty(); }
  void broken(std::string what);

  // -- what happens -----------------------------------------------------------

  void start_registry();
  void boot(size_t i);
  void disturb();
  void crash(node& n);
  void down(node_id id);
  void advance(duration d);
  void turn();
  void turn(size_t i);
  void settle();
  void drain_one();

  template <class F>
  void with(size_t i, F f) {
    auto out = member_output{};
    f(*nodes_[i].self, out);
    send(i, std::move(out));
  }

  // -- the link ---------------------------------------------------------------

  void send(size_t i, member_output out);
  void put(packet p);
  void deliver(packet p);
  void to_registry(packet p);
  void forge(packet& p);

  // -- what must hold ---------------------------------------------------------

  void note(membership_output out);
  void note(const membership_event& e);
  void verify();
  bool settled() const;

  uint64_t seed_;
  cluster_bug bug_;
  uint64_t draws_ = 0;
  uint64_t boots_ = 0;
  uint64_t registry_life_ = 0;
  bool calm_ = false;
  time_point now_ = time_point{} + std::chrono::seconds{100};
  time_point last_fault_{};
  std::optional<membership> registry_;
  std::vector<node> nodes_;
  std::multimap<time_point, packet> wire_;
  std::set<membership_epoch> spent_;
  std::set<membership_epoch> silent_;
  std::set<membership_epoch> left_;
  std::map<node_id, size_t> owners_;
  cluster_outcome out_;
};

} // namespace troupe::testing
