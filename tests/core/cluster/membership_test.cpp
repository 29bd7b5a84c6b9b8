// The registry's side, message by message.

#include <boost/test/unit_test.hpp>

#include <limits>

#include "core/cluster/membership.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr auto t0 = time_point{} + 100s;

join_request request(std::string name, uint64_t incarnation) {
  auto r = join_request{};
  r.name = std::move(name);
  r.role = member_role::decode;
  r.incarnation = incarnation;
  r.number = 1;
  r.model = "abc";
  r.layout = {2, 1, 8, 8, kv_dtype::f16};
  r.isa = "x86_64";
  r.threads = 2;
  r.blocks = 8;
  return r;
}

membership_options options() {
  auto o = membership_options{};
  o.cluster = {"abc", {2, 1, 8, 8, kv_dtype::f16}, "x86_64"};
  return o;
}

struct fixture {
  fixture() : registry(options()) {}

  join_reply join(const join_request& r, time_point now = t0) {
    auto m = registry.on(r, now, events);
    BOOST_REQUIRE(std::holds_alternative<join_reply>(m));
    return std::get<join_reply>(m);
  }

  registry_message beat(const join_reply& as, uint64_t number, time_point now) {
    auto b = heartbeat{};
    b.node = as.node;
    b.epoch = as.epoch;
    b.number = number;
    return registry.on(b, now, events);
  }

  std::vector<membership_event::kind> happened() {
    auto all = std::vector<membership_event::kind>{};
    for (auto& e : events)
      all.push_back(e.what);
    events.clear();
    return all;
  }

  bool refused(const join_request& r, errc code, const std::string& reason) {
    auto m = join(r);
    BOOST_TEST(m.reason == reason);
    BOOST_TEST(m.number == r.number);
    BOOST_TEST(m.node == 0u);
    BOOST_TEST(registry.members().empty());
    return m.code == code;
  }

  using kind = membership_event::kind;
  using kinds = std::vector<kind>;
  membership registry;
  membership_events events;
};

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_membership)

BOOST_FIXTURE_TEST_CASE(a_refusal_names_both_sides, fixture) {
  auto r = request("d1", 1);
  r.version = 7;
  BOOST_TEST(refused(r, errc::unsupported,
                     "protocol version differs: the cluster has 1, "
                     "node d1 has 7"));
  r = request("d1", 1);
  r.model = "xyz";
  BOOST_TEST(refused(r, errc::layout_mismatch,
                     "model digest differs: the cluster has abc, "
                     "node d1 has xyz"));
  r = request("d1", 1);
  r.layout.dtype = kv_dtype::i8;
  BOOST_TEST(refused(r, errc::layout_mismatch,
                     "KV layout differs: the cluster has f16 [2 layers, 1 "
                     "heads, 8 + 8], node d1 has i8 [2 layers, 1 heads, "
                     "8 + 8]"));
  r = request("d1", 1);
  r.isa = "aarch64";
  BOOST_TEST(refused(r, errc::layout_mismatch,
                     "ISA class differs: the cluster has x86_64, "
                     "node d1 has aarch64"));
}

BOOST_FIXTURE_TEST_CASE(requests_that_make_no_sense_are_refused, fixture) {
  auto bad = [&](auto change) {
    auto r = request("d1", 1);
    change(r);
    return join(r).code == errc::invalid_argument && registry.members().empty();
  };
  using request = join_request;
  BOOST_TEST(bad([](request& r) { r.name = ""; }));
  BOOST_TEST(bad([](request& r) { r.name = "a\nb"; }));
  BOOST_TEST(bad([](request& r) { r.name = std::string(65, 'a'); }));
  BOOST_TEST(bad([](request& r) { r.role = member_role{9}; }));
  BOOST_TEST(bad([](request& r) { r.model = "\x1b[31m"; }));
  BOOST_TEST(bad([](request& r) { r.isa = ""; }));
  BOOST_TEST(bad([](request& r) { r.layout.dtype = kv_dtype{3}; }));
  BOOST_TEST(bad([](request& r) { r.threads = 0; }));
  BOOST_TEST(bad([](request& r) { r.blocks = 0; }));
}

BOOST_FIXTURE_TEST_CASE(a_join_asked_again_is_the_same_stay, fixture) {
  auto r = request("d1", 1);
  auto first = join(r);
  BOOST_TEST(std::holds_alternative<std::monostate>(
      registry.on(r, t0, events))); // doubled on the way
  r.number = 2;
  auto again = join(r);
  BOOST_TEST(again.node == first.node);
  BOOST_TEST(again.epoch == first.epoch);
  BOOST_TEST(again.number == 2u);
  BOOST_TEST((happened() == kinds{kind::joined}));
}

BOOST_FIXTURE_TEST_CASE(another_life_of_a_name_fences_the_former, fixture) {
  auto former = join(request("d1", 1));
  auto now = join(request("d1", 2));
  BOOST_TEST(now.node != former.node);
  BOOST_TEST(now.epoch > former.epoch);
  BOOST_TEST((happened() == kinds{kind::joined, kind::replaced, kind::joined}));
  BOOST_TEST(std::holds_alternative<epoch_over>(beat(former, 2, t0)));
  // Its join was still under way.
  BOOST_TEST((join(request("d1", 1)).code == errc::stale_epoch));
  BOOST_TEST(registry.find(now.node) != nullptr);
  // The present id with a former epoch, and the other way round.
  former.node = now.node;
  BOOST_TEST(std::holds_alternative<epoch_over>(beat(former, 2, t0)));
}

BOOST_FIXTURE_TEST_CASE(silence_makes_suspect_then_fences, fixture) {
  auto d = join(request("d1", 1));
  BOOST_TEST((registry.next_deadline() == t0 + 1s));
  registry.expire(t0 + 1s - 1ns, events);
  BOOST_TEST((happened() == kinds{kind::joined}));
  registry.expire(t0 + 1s, events);
  BOOST_TEST((happened() == kinds{kind::suspect}));
  BOOST_TEST(!registry.find(d.node)->takes_work());
  BOOST_TEST(std::holds_alternative<heartbeat_ack>(beat(d, 2, t0 + 1500ms)));
  BOOST_TEST((happened() == kinds{kind::recovered}));
  BOOST_TEST(std::holds_alternative<std::monostate>(beat(d, 2, t0 + 3s)));
  registry.expire(t0 + 3500ms - 1ns, events);
  BOOST_TEST((happened() == kinds{kind::suspect}));
  registry.expire(t0 + 3500ms, events);
  BOOST_TEST((happened() == kinds{kind::silent}));
  BOOST_TEST(std::holds_alternative<epoch_over>(beat(d, 9, t0 + 3500ms)));
  BOOST_TEST(!registry.next_deadline());
}

BOOST_FIXTURE_TEST_CASE(a_death_is_believed_at_once, fixture) {
  auto d = join(request("d1", 1));
  registry.down(d.node, events);
  registry.down(d.node, events);
  BOOST_TEST((happened() == kinds{kind::joined, kind::died}));
  BOOST_TEST(!registry.next_deadline());
  BOOST_TEST((join(request("d1", 2)).code == errc::none));
}

BOOST_FIXTURE_TEST_CASE(a_drained_node_is_told_and_leaves, fixture) {
  BOOST_TEST((registry.drain(5, events).failure().code == errc::no_node));
  auto d = join(request("d1", 1));
  BOOST_TEST(registry.drain(d.node, events).ok());
  BOOST_TEST(registry.drain(d.node, events).ok());
  BOOST_TEST(std::get<heartbeat_ack>(beat(d, 2, t0)).drain);
  BOOST_TEST(std::holds_alternative<epoch_over>(
      registry.on(leave{d.node, d.epoch}, events)));
  BOOST_TEST(std::holds_alternative<epoch_over>(
      registry.on(leave{d.node, d.epoch}, events)));
  BOOST_TEST((happened() == kinds{kind::joined, kind::draining, kind::left}));
}

BOOST_FIXTURE_TEST_CASE(a_load_of_nonsense_is_dropped, fixture) {
  auto d = join(request("d1", 1));
  auto b = heartbeat{d.node, d.epoch, 2, false, {}};
  b.load.capacity = 8;
  b.load.free_blocks = 3;
  registry.on(b, t0, events);
  BOOST_TEST(registry.find(d.node)->load.free_blocks == 3u);
  auto sent = [&](auto change) {
    auto bad = b;
    bad.number = ++b.number;
    bad.load.free_blocks = 2;
    change(bad.load);
    BOOST_TEST(
        std::holds_alternative<heartbeat_ack>(registry.on(bad, t0, events)));
    return registry.find(d.node)->load.free_blocks == 2u;
  };
  constexpr auto nan = std::numeric_limits<double>::quiet_NaN();
  BOOST_TEST(!sent([&](node_load& l) { l.cost.row = nan; }));
  BOOST_TEST(!sent([&](node_load& l) { l.cost.base = -1; }));
  BOOST_TEST(!sent([&](node_load& l) { l.capacity = 1; }));
  BOOST_TEST(sent([&](node_load&) {}));
}

BOOST_AUTO_TEST_CASE(a_full_cluster_takes_no_more) {
  auto o = options();
  o.max_nodes = 1;
  auto registry = membership{o};
  auto events = membership_events{};
  registry.on(request("a", 1), t0, events);
  auto m = std::get<join_reply>(registry.on(request("b", 2), t0, events));
  BOOST_TEST((m.code == errc::overloaded));
  m = std::get<join_reply>(registry.on(request("a", 3), t0, events));
  BOOST_TEST((m.code == errc::none)); // in its own place
}

BOOST_AUTO_TEST_SUITE_END()
