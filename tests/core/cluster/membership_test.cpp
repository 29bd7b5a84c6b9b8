// The registry's side, message by message.

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "core/cluster/membership.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr auto t0 = time_point{} + 100s;

join_request request(std::string name, uint64_t incarnation) {
  auto r = join_request{};
  r.name = std::move(name);
  r.role = node_role::decode;
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

  template <class T>
  const std::vector<registry_message>& tell(const T& m, time_point now) {
    out.answers.clear();
    registry.on(m, now, out);
    return out.answers;
  }

  // The first answer is a T, or the test fails.
  template <class T>
  static T get(const std::vector<registry_message>& answers) {
    BOOST_REQUIRE(!answers.empty());
    BOOST_REQUIRE(std::holds_alternative<T>(answers.front()));
    return std::get<T>(answers.front());
  }

  join_reply join(const join_request& r, time_point now = t0) {
    return get<join_reply>(tell(r, now));
  }

  const std::vector<registry_message>& beat(const join_reply& as,
                                            uint64_t number, time_point now,
                                            bool draining = false) {
    return tell(heartbeat{as.node, as.epoch, number, draining, {}}, now);
  }

  const std::vector<registry_message>& go(const join_reply& as) {
    out.answers.clear();
    registry.on(leave{as.node, as.epoch}, out);
    return out.answers;
  }

  std::vector<membership_event::kind> happened() {
    auto all = std::vector<membership_event::kind>{};
    for (auto& e : out.events)
      all.push_back(e.what);
    out.events.clear();
    return all;
  }

  using kind = membership_event::kind;
  using kinds = std::vector<kind>;
  membership registry;
  membership_output out;
};

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_membership)

BOOST_FIXTURE_TEST_CASE(who_does_not_fit_is_refused, fixture) {
  auto refused = [&](const join_request& r, errc code) {
    auto m = join(r);
    BOOST_TEST(m.number == r.number);
    BOOST_TEST(m.node == 0u);
    BOOST_TEST(!m.reason.empty());
    return m.code == code && registry.members().empty();
  };
  BOOST_TEST(refused(request("a\nb", 1), errc::invalid_argument));
  auto r = request("d1", 1);
  r.model = "xyz";
  BOOST_TEST(refused(r, errc::layout_mismatch));
}

BOOST_FIXTURE_TEST_CASE(nodes_have_the_version_whose_model_they_have, fixture) {
  auto other = request("d2", 2);
  other.model = "xyz";
  BOOST_TEST((join(other).code == errc::layout_mismatch));
  registry.admit(2, "xyz", {2, 1, 8, 8, kv_dtype::f16});
  auto one = join(request("d1", 1));
  auto two = join(other);
  BOOST_TEST(registry.find(one.node)->version == 1u);
  BOOST_TEST(registry.find(two.node)->version == 2u);
  other = request("d3", 3);
  other.model = "xyz";
  other.layout.layers = 3;
  BOOST_TEST((join(other).code == errc::layout_mismatch));
  // With the version its nodes go, and no others.
  happened();
  out.orders.clear();
  registry.dismiss(2, out);
  registry.dismiss(2, out);
  BOOST_TEST((happened() == kinds{kind::dismissed}));
  BOOST_REQUIRE(out.orders.size() == 1u);
  BOOST_TEST(out.orders[0].to == two.node);
  BOOST_TEST(std::get<epoch_over>(out.orders[0].what).epoch == two.epoch);
  get<epoch_over>(beat(two, 2, t0));
  BOOST_TEST(registry.find(one.node) != nullptr);
  other = request("d2", 4);
  other.model = "xyz";
  BOOST_TEST((join(other).code == errc::layout_mismatch));
  registry.dismiss(1, out);
  BOOST_TEST((join(request("d4", 5)).code == errc::unsupported));
}

BOOST_FIXTURE_TEST_CASE(a_join_asked_again_is_the_same_stay, fixture) {
  auto r = request("d1", 1);
  auto first = join(r);
  BOOST_TEST(tell(r, t0).empty()); // doubled on the way
  r.number = 2;
  auto again = join(r);
  BOOST_TEST(again.node == first.node);
  BOOST_TEST(again.epoch == first.epoch);
  BOOST_TEST(again.number == 2u);
  BOOST_TEST((happened() == kinds{kind::joined}));
}

BOOST_FIXTURE_TEST_CASE(another_life_of_a_name_fences_the_former, fixture) {
  auto former = join(request("d1", 1));
  auto r = request("d1", 2);
  auto taken = get<name_taken>(tell(r, t0));
  BOOST_TEST(taken.incarnation == 2u);
  BOOST_TEST(taken.number == 1u);
  BOOST_TEST(taken.epoch == former.epoch);
  BOOST_TEST((happened() == kinds{kind::joined}));
  r.number = 2;
  r.replaces = taken.epoch;
  auto now = join(r);
  BOOST_TEST(now.node != former.node);
  BOOST_TEST(now.epoch > former.epoch);
  BOOST_TEST((happened() == kinds{kind::replaced, kind::joined}));
  BOOST_REQUIRE(out.orders.size() == 1u);
  BOOST_TEST(out.orders[0].to == former.node);
  BOOST_TEST(std::get<epoch_over>(out.orders[0].what).epoch == former.epoch);
  get<epoch_over>(beat(former, 2, t0));
  // Its join was still under way.
  BOOST_TEST((join(request("d1", 1)).code == errc::stale_epoch));
  BOOST_TEST(registry.find(now.node) != nullptr);
  // The present id with a former epoch.
  former.node = now.node;
  get<epoch_over>(beat(former, 2, t0));
}

// A node crashed with a join under way, whose life the registry never saw.
BOOST_FIXTURE_TEST_CASE(a_join_long_under_way_fences_nobody, fixture) {
  auto first = join(request("d1", 1));
  auto lost = request("d1", 2);
  lost.replaces = first.epoch;
  auto r = request("d1", 3);
  r.replaces = first.epoch;
  auto now = join(r);
  happened();
  BOOST_TEST(get<name_taken>(tell(lost, t0)).epoch == now.epoch);
  BOOST_TEST(happened().empty());
  get<heartbeat_ack>(beat(now, 2, t0));
}

BOOST_AUTO_TEST_CASE(a_later_life_gives_nothing_twice) {
  auto epochs = std::vector<membership_epoch>{};
  auto ids = std::vector<node_id>{};
  auto reply = [&](uint64_t life, int joins) {
    auto o = options();
    o.life = life;
    auto registry = membership{o};
    for (auto i = 0; i < joins; ++i) {
      auto out = membership_output{};
      registry.on(request("n" + std::to_string(i), 1 + i), t0, out);
      auto r = std::get<join_reply>(out.answers.at(0));
      epochs.push_back(r.epoch);
      ids.push_back(r.node);
    }
  };
  constexpr auto clock = uint64_t{1} << 32; // ids come round here
  reply(clock - 2, 5);
  reply(clock + 4, 3);
  BOOST_TEST(std::is_sorted(epochs.begin(), epochs.end()));
  BOOST_TEST((ids == std::vector<node_id>{~1u, ~0u, 1, 2, 3, 4, 5, 6}));
}

BOOST_FIXTURE_TEST_CASE(silence_makes_suspect_then_fences, fixture) {
  auto d = join(request("d1", 1));
  BOOST_TEST((registry.next_deadline() == t0 + 1s));
  registry.tick(t0 + 1s - 1ns, out);
  BOOST_TEST((happened() == kinds{kind::joined}));
  registry.tick(t0 + 1s, out);
  BOOST_TEST((happened() == kinds{kind::suspect}));
  BOOST_TEST(!registry.find(d.node)->takes_work());
  get<heartbeat_ack>(beat(d, 2, t0 + 1500ms));
  BOOST_TEST((happened() == kinds{kind::recovered}));
  BOOST_TEST(beat(d, 2, t0 + 3s).empty());
  registry.tick(t0 + 3500ms - 1ns, out);
  BOOST_TEST((happened() == kinds{kind::suspect}));
  registry.tick(t0 + 3500ms, out);
  BOOST_TEST((happened() == kinds{kind::silent}));
  BOOST_TEST(out.orders.at(0).to == d.node);
  get<epoch_over>(beat(d, 9, t0 + 3500ms));
  BOOST_TEST(!registry.next_deadline());
}

BOOST_FIXTURE_TEST_CASE(a_death_is_believed_at_once, fixture) {
  auto d = join(request("d1", 1));
  registry.down(d.node, out);
  registry.down(d.node, out);
  BOOST_TEST((happened() == kinds{kind::joined, kind::died}));
  BOOST_TEST(!registry.next_deadline());
  BOOST_TEST((join(request("d1", 2)).code == errc::none));
}

BOOST_FIXTURE_TEST_CASE(a_drained_node_is_told_and_leaves, fixture) {
  BOOST_TEST((registry.drain("d1", out).failure().code == errc::no_node));
  auto d = join(request("d1", 1));
  BOOST_TEST(*registry.drain("d1", out) == d.node);
  BOOST_TEST(*registry.drain("d1", out) == d.node);
  BOOST_REQUIRE(out.orders.size() == 1u);
  BOOST_TEST(out.orders[0].to == d.node);
  BOOST_TEST(!registry.find(d.node)->takes_work());
  // Again with each answer, until the node says that it does.
  for (auto number : {2, 3}) {
    auto answers = beat(d, number, t0);
    BOOST_REQUIRE(answers.size() == 2u);
    BOOST_TEST(std::get<drain_order>(answers[1]).epoch == d.epoch);
  }
  BOOST_TEST(beat(d, 4, t0, true).size() == 1u);
  get<epoch_over>(go(d));
  get<epoch_over>(go(d));
  BOOST_TEST((happened() == kinds{kind::joined, kind::draining, kind::left}));
  auto again = join(request("d1", 2));
  BOOST_TEST(again.node != d.node);
  BOOST_TEST(registry.find(again.node)->takes_work());
}

BOOST_FIXTURE_TEST_CASE(a_node_may_drain_of_its_own, fixture) {
  auto d = join(request("d1", 1));
  BOOST_TEST(beat(d, 2, t0, true).size() == 1u);
  BOOST_TEST((happened() == kinds{kind::joined, kind::draining}));
  BOOST_TEST(!registry.find(d.node)->takes_work());
}

BOOST_FIXTURE_TEST_CASE(a_load_of_nonsense_is_dropped, fixture) {
  auto d = join(request("d1", 1));
  auto b = heartbeat{d.node, d.epoch, 2, false, {}};
  b.load.blocks = 8;
  b.load.free_blocks = 3;
  tell(b, t0);
  BOOST_TEST(registry.find(d.node)->load.free_blocks == 3u);
  auto sent = [&](auto change) {
    auto bad = b;
    bad.number = ++b.number;
    bad.load.free_blocks = 2;
    change(bad.load);
    get<heartbeat_ack>(tell(bad, t0));
    return registry.find(d.node)->load.free_blocks == 2u;
  };
  constexpr auto nan = std::numeric_limits<double>::quiet_NaN();
  BOOST_TEST(!sent([&](node_load& l) { l.cost.row = nan; }));
  BOOST_TEST(!sent([&](node_load& l) { l.cost.base = -1; }));
  BOOST_TEST(!sent([&](node_load& l) { l.blocks = 1; }));
  BOOST_TEST(!sent([&](node_load& l) { l.block_tokens = 0; }));
  BOOST_TEST(sent([&](node_load&) {}));
}

BOOST_AUTO_TEST_CASE(a_full_cluster_takes_no_more) {
  auto o = options();
  o.max_nodes = 1;
  auto registry = membership{o};
  auto code = [&](const join_request& r) {
    auto out = membership_output{};
    registry.on(r, t0, out);
    return std::get<join_reply>(out.answers.at(0)).code;
  };
  BOOST_TEST((code(request("a", 1)) == errc::none));
  BOOST_TEST((code(request("b", 2)) == errc::overloaded));
  auto again = request("a", 3); // in its own place
  again.replaces = registry.members().begin()->second.epoch;
  BOOST_TEST((code(again) == errc::none));
}

BOOST_AUTO_TEST_SUITE_END()
