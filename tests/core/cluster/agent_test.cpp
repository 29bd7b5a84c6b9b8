#include "core/cluster/agent.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

using kind = agent_news::kind;

const auto t0 = time_point{100s};

struct fixture {
  fixture() : a(options()) {}

  static agent_options options() {
    auto o = agent_options{};
    o.self.name = "red";
    o.self.threads = o.self.blocks = 1;
    o.member.seed = 1;
    return o;
  }

  // What a call wanted done.
  agent_output take() { return std::exchange(out, {}); }

  std::vector<kind> told() {
    auto all = std::vector<kind>{};
    for (auto& n : std::exchange(out.news, {}))
      all.push_back(n.what);
    return all;
  }

  join_request begin(time_point now) {
    a.start(out);
    BOOST_REQUIRE(take().dial_registry);
    a.found(now, out);
    return asked();
  }

  // The join that was sent.
  join_request asked() {
    auto sent = take().send;
    BOOST_REQUIRE_EQUAL(sent.size(), 1u);
    return std::get<join_request>(sent[0]);
  }

  void accept(const join_request& r, time_point now,
              membership_epoch epoch = 5) {
    auto m = join_reply{};
    m.incarnation = r.incarnation;
    m.number = r.number;
    m.node = 9;
    m.epoch = epoch;
    m.interval_ns = duration{250ms}.count();
    m.timeout_ns = duration{2s}.count();
    a.on(m, now, out);
  }

  agent a;
  agent_output out;
};

using kinds = std::vector<kind>;

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_agent)

BOOST_FIXTURE_TEST_CASE(the_registry_is_dialed_again_with_longer_pauses,
                        fixture) {
  a.start(out);
  a.start(out); // it is under way already
  BOOST_TEST(std::exchange(out.dial_registry, false));
  auto now = t0;
  auto pauses = std::vector<int64_t>{};
  for (auto i = 0; i < 7; ++i) {
    a.unreachable("why", now, out);
    auto next = a.next_deadline();
    BOOST_REQUIRE(next.has_value());
    pauses.push_back((*next - now) / 1ms);
    a.tick(*next - 1ms, out);
    BOOST_TEST(!out.dial_registry);
    a.tick(now = *next, out);
    BOOST_TEST(std::exchange(out.dial_registry, false));
  }
  BOOST_TEST(
      pauses == (std::vector<int64_t>{100, 200, 400, 800, 1600, 2000, 2000}),
      boost::test_tools::per_element());
  BOOST_TEST(told() == kinds(7, kind::unreachable));
}

BOOST_FIXTURE_TEST_CASE(the_node_starts_once_its_peers_were_tried, fixture) {
  auto r = begin(t0);
  a.on(node_peers{5, {{"blue", 1}, {"green", 2}}});
  accept(r, t0);
  auto o = take();
  BOOST_TEST((!o.start && o.dial_peer && o.dial_peer->host == "blue"));
  a.peer_unreachable("why", out);
  o = take();
  BOOST_TEST((!o.start && o.dial_peer && o.dial_peer->host == "green"));
  BOOST_TEST((o.news.at(0).what == kind::peer_unreachable));
  a.peer_reached(out);
  o = take();
  BOOST_REQUIRE(o.start.has_value());
  BOOST_TEST(o.start->node == 9u);
  BOOST_TEST(o.start->epoch == 5u);
  BOOST_TEST((o.news.at(0).what == kind::ready));
}

BOOST_FIXTURE_TEST_CASE(peers_of_another_stay_are_none_of_this, fixture) {
  auto r = begin(t0);
  a.on(node_peers{4, {{"blue", 1}}});
  accept(r, t0);
  BOOST_TEST(out.start.has_value());
}

BOOST_FIXTURE_TEST_CASE(a_stay_that_ends_while_peers_are_dialed_starts_nothing,
                        fixture) {
  auto r = begin(t0);
  a.on(node_peers{5, {{"blue", 1}}});
  accept(r, t0);
  BOOST_TEST(take().dial_peer.has_value());
  a.on(epoch_over{5, ""}, t0 + 1s, out);
  BOOST_TEST(!take().kill_node);
  // It joins again, and the dialing goes on where it was.
  a.tick(t0 + 2s, out);
  auto again = asked();
  BOOST_TEST(again.incarnation != r.incarnation);
  accept(again, t0 + 2s, 6);
  auto o = take();
  BOOST_TEST((!o.start && !o.dial_peer));
  a.peer_reached(out);
  BOOST_REQUIRE(out.start.has_value());
  BOOST_TEST(out.start->epoch == 6u);
}

BOOST_FIXTURE_TEST_CASE(a_fenced_node_is_gone_before_it_joins_again, fixture) {
  accept(begin(t0), t0);
  BOOST_TEST(take().start.has_value());
  a.tick(t0 + 2s, out); // no answer to anything
  auto o = take();
  BOOST_TEST(o.kill_node);
  BOOST_TEST((o.news.at(0).what == kind::fenced));
  a.tick(t0 + 4s, out);
  BOOST_TEST(take().send.empty());
  a.node_ended(t0 + 5s, out);
  a.tick(t0 + 7s, out);
  asked();
}

BOOST_FIXTURE_TEST_CASE(a_node_that_dies_ends_its_stay, fixture) {
  auto r = begin(t0);
  accept(r, t0);
  take();
  a.node_ended(t0 + 1s, out);
  BOOST_TEST(told() == kinds{kind::fenced});
  BOOST_TEST(!take().kill_node);
  a.node_ended(t0 + 1s, out); // once is enough
  BOOST_TEST(told().empty());
  a.tick(t0 + 3s, out);
  BOOST_TEST(asked().incarnation != r.incarnation);
}

BOOST_FIXTURE_TEST_CASE(without_the_registry_the_stay_is_over, fixture) {
  accept(begin(t0), t0);
  take();
  a.lost_registry(t0 + 1s, out);
  BOOST_TEST(take().kill_node);
  a.node_ended(t0 + 1s, out);
  BOOST_TEST(take().send.empty());
  a.tick(*a.next_deadline(), out);
  auto o = take();
  BOOST_TEST(o.dial_registry);
  BOOST_TEST(o.send.empty()); // to whom?
  a.found(t0 + 9s, out);
  asked();
}

BOOST_FIXTURE_TEST_CASE(a_node_leaves_once_it_is_empty, fixture) {
  accept(begin(t0), t0);
  take();
  a.leave(t0 + 100ms, out);
  BOOST_TEST(told() == kinds{kind::draining});
  take();
  a.on(node_emptied{4}, t0 + 200ms, out); // of another stay
  BOOST_TEST(take().send.empty());
  a.on(node_emptied{5}, t0 + 200ms, out);
  auto sent = take().send;
  BOOST_REQUIRE_EQUAL(sent.size(), 1u);
  BOOST_TEST(std::holds_alternative<leave>(sent[0]));
  a.on(epoch_over{5, ""}, t0 + 300ms, out);
  BOOST_TEST(out.over);
  BOOST_TEST(told() == kinds{kind::left});
  BOOST_TEST(!a.next_deadline().has_value());
}

BOOST_FIXTURE_TEST_CASE(who_leaves_does_not_wait_for_a_registry, fixture) {
  a.start(out);
  a.leave(t0, out);
  BOOST_TEST(out.over);
  BOOST_TEST(told() == kinds{kind::left});
  a.found(t0, out); // too late
  BOOST_TEST(out.send.empty());
}

BOOST_FIXTURE_TEST_CASE(a_registry_that_dies_while_a_node_leaves_ends_it,
                        fixture) {
  accept(begin(t0), t0);
  take();
  a.leave(t0, out);
  a.lost_registry(t0, out);
  BOOST_TEST(!out.over);
  BOOST_TEST(take().kill_node);
  a.node_ended(t0, out);
  BOOST_TEST(out.over);
}

BOOST_FIXTURE_TEST_CASE(who_is_refused_for_good_ends_with_the_reason, fixture) {
  auto r = begin(t0);
  auto m = join_reply{};
  m.incarnation = r.incarnation;
  m.number = r.number;
  m.code = errc::layout_mismatch;
  m.reason = "model differs";
  a.on(m, t0, out);
  BOOST_TEST(out.over);
  BOOST_TEST(out.news.at(0).reason == "model differs");
}

BOOST_AUTO_TEST_SUITE_END()
