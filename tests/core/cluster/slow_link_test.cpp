// A node and its registry, both alive, over a link that is slow.

#include <boost/test/unit_test.hpp>

#include <map>
#include <optional>
#include <variant>

#include "core/cluster/member.hpp"
#include "core/cluster/membership.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr auto t0 = time_point{} + 100s;

struct pair {
  explicit pair(duration t) : trip(t) {
    auto o = membership_options{};
    o.cluster = {"abc", {2, 1, 8, 8, kv_dtype::f16}, "x86_64"};
    registry.emplace(o);
    auto r = join_request{};
    r.name = "d1";
    r.model = o.cluster.model;
    r.layout = o.cluster.layout;
    r.isa = o.cluster.isa;
    r.threads = r.blocks = 1;
    node.emplace(r, member_options{});
  }

  void to_registry(const member_message& m) {
    auto out = membership_output{};
    if (auto* join = std::get_if<join_request>(&m))
      registry->on(*join, now, out);
    else if (auto* beat = std::get_if<heartbeat>(&m))
      registry->on(*beat, now, out);
    for (auto& answer : out.answers)
      down.emplace(now + trip, answer);
    registry_events += out.events.size();
  }

  void take(member_output& out) {
    for (auto& m : out.send)
      up.emplace(now + trip, m);
    node_events += out.events.size();
    out = {};
  }

  void run(duration d) {
    auto out = member_output{};
    node->start(now, out);
    take(out);
    for (auto end = now + d; now < end; now += 1ms) {
      for (; !up.empty() && up.begin()->first <= now; up.erase(up.begin()))
        to_registry(up.begin()->second);
      for (; !down.empty() && down.begin()->first <= now;
           down.erase(down.begin()))
        std::visit([&](auto& m) { node->on(m, now, out); },
                   down.begin()->second);
      node->tick(now, out);
      take(out);
      auto expired = membership_output{};
      registry->tick(now, expired);
      registry_events += expired.events.size();
    }
  }

  duration trip;
  time_point now = t0;
  std::optional<membership> registry;
  std::optional<member> node;
  std::multimap<time_point, member_message> up;
  std::multimap<time_point, registry_message> down;
  size_t registry_events = 0;
  size_t node_events = 0;
};

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_slow_link)

// There and back in less than half of the timeout: it joins, nothing else
// becomes of it on either side, not even a suspicion.
BOOST_AUTO_TEST_CASE(nobody_is_lost_over_a_slow_link) {
  for (auto trip : {1ms, 100ms, 250ms, 499ms}) {
    auto p = pair{trip};
    p.run(30s);
    BOOST_TEST(p.registry_events == 1u);
    BOOST_TEST(p.node_events == 1u);
    BOOST_TEST(p.node->acts(p.now));
  }
}

// The lease must end before the registry's patience does, so a link that takes
// as long as the timeout cannot keep one.
BOOST_AUTO_TEST_CASE(a_link_slower_than_the_timeout_keeps_nobody) {
  auto p = pair{1001ms};
  p.run(30s);
  BOOST_TEST(!p.node->acts(p.now));
}

BOOST_AUTO_TEST_SUITE_END()
