// The node's side, message by message.

#include <boost/test/unit_test.hpp>

#include <vector>

#include "core/cluster/member.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

constexpr auto t0 = time_point{} + 100s;

struct fixture {
  fixture() : node(join_request{}, {7}) {}

  template <class T>
  std::vector<T> take() {
    auto all = std::vector<T>{};
    for (auto& m : out.send)
      if (auto* x = std::get_if<T>(&m))
        all.push_back(*x);
    out.send.clear();
    return all;
  }

  join_reply yes(const join_request& r, membership_epoch epoch = 5) {
    return {r.incarnation, r.number,      3,          epoch,
            250'000'000,   2'000'000'000, errc::none, {}};
  }

  join_reply no(const join_request& r, errc code) {
    return {r.incarnation, r.number, 0, 0, 0, 0, code, "no"};
  }

  join_request begin() {
    node.start(t0, out);
    return take<join_request>().at(0);
  }

  std::vector<member_event::kind> happened() {
    auto all = std::vector<member_event::kind>{};
    for (auto& e : out.events)
      all.push_back(e.what);
    out.events.clear();
    return all;
  }

  bool in(member::state s) const { return node.now_in() == s; }

  using state = member::state;
  using kind = member_event::kind;
  using kinds = std::vector<kind>;
  member node;
  member_output out;
};

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_member)

BOOST_FIXTURE_TEST_CASE(a_join_is_repeated_less_and_less_often, fixture) {
  auto first = begin();
  auto now = t0;
  auto last = duration{};
  for (auto i = 0; i < 12; ++i) {
    auto next = *node.next_deadline();
    last = next - now;
    BOOST_TEST((last <= 2s && last >= 50ms));
    now = next;
    node.tick(now - 1ns, out);
    BOOST_TEST(out.send.empty());
    node.tick(now, out);
    auto again = take<join_request>();
    BOOST_REQUIRE(again.size() == 1u);
    BOOST_TEST(again[0].incarnation == first.incarnation);
    BOOST_TEST(again[0].number == i + 2u);
  }
  BOOST_TEST((last >= 1s));
}

BOOST_FIXTURE_TEST_CASE(the_lease_counts_from_when_it_was_asked_for, fixture) {
  auto r = begin();
  node.on(yes(r), t0 + 400ms, out);
  BOOST_TEST(in(state::member));
  BOOST_TEST(node.admits(t0 + 2s - 1ns));
  BOOST_TEST(!node.acts(t0 + 2s)); // even before anything is ticked
  auto beat = take<heartbeat>().at(0);
  BOOST_TEST(beat.node == 3u);
  BOOST_TEST(beat.epoch == 5u);
  node.on(heartbeat_ack{4, beat.number}, t0 + 1s, out);     // another epoch
  node.on(heartbeat_ack{5, beat.number + 1}, t0 + 1s, out); // never sent
  BOOST_TEST(!node.acts(t0 + 2s));
}

BOOST_FIXTURE_TEST_CASE(an_answer_to_a_heartbeat_extends_the_lease, fixture) {
  node.on(yes(begin()), t0, out);
  auto beat = take<heartbeat>().at(0);
  node.tick(t0 + 500ms, out);
  auto later = take<heartbeat>().at(0);
  node.on(heartbeat_ack{5, later.number}, t0 + 1900ms, out);
  BOOST_TEST(node.acts(t0 + 2500ms - 1ns));
  BOOST_TEST(!node.acts(t0 + 2500ms));
  node.on(heartbeat_ack{5, beat.number}, t0 + 1950ms, out); // overtaken
  BOOST_TEST(node.acts(t0 + 2500ms - 1ns));
}

BOOST_FIXTURE_TEST_CASE(a_cut_off_node_stops_and_comes_back_anew, fixture) {
  auto r = begin();
  node.on(yes(r), t0, out);
  auto beat = take<heartbeat>().at(0);
  // It hung: what lies in its mailbox does not bring the lease back.
  node.on(heartbeat_ack{5, beat.number}, t0 + 3s, out);
  BOOST_TEST(in(state::fenced));
  node.tick(t0 + 3s, out);
  BOOST_TEST(out.send.empty()); // until its sequences are dropped
  BOOST_TEST(!node.next_deadline());
  node.dropped(t0 + 3s, out);
  BOOST_TEST(in(state::joining));
  node.tick(*node.next_deadline(), out);
  auto again = take<join_request>().at(0);
  BOOST_TEST(again.incarnation != r.incarnation);
  node.on(yes(r), t0 + 4s, out); // of the former life
  BOOST_TEST(in(state::joining));
  node.on(yes(again, 6), t0 + 4s, out);
  BOOST_TEST(in(state::member));
  node.on(epoch_over{5, ""}, t0 + 4s, out); // of the former life
  BOOST_TEST(in(state::member));
}

BOOST_FIXTURE_TEST_CASE(a_registry_that_knows_it_no_more_fences_it, fixture) {
  node.on(yes(begin()), t0, out);
  node.on(epoch_over{5, ""}, t0 + 1s, out);
  BOOST_TEST(in(state::fenced));
  BOOST_TEST(!node.acts(t0 + 1s));
}

BOOST_FIXTURE_TEST_CASE(it_says_what_became_of_it, fixture) {
  node.on(yes(begin()), t0, out);
  BOOST_REQUIRE(out.events.size() == 1u);
  BOOST_TEST(out.events[0].node == 3u);
  BOOST_TEST(out.events[0].epoch == 5u);
  BOOST_TEST((happened() == kinds{kind::joined}));
  node.tick(t0 + 2s, out);
  node.tick(t0 + 2s, out);
  BOOST_TEST((happened() == kinds{kind::fenced}));
  node.dropped(t0 + 2s, out);
  node.drain(t0 + 2s, out);
  BOOST_TEST((happened() == kinds{kind::left}));
}

// One answer makes one join, however often it comes.
BOOST_FIXTURE_TEST_CASE(it_replaces_whom_it_was_told_of, fixture) {
  auto r = begin();
  BOOST_TEST(r.replaces == 0u);
  auto taken = name_taken{r.incarnation, r.number, 4};
  node.on(taken, t0, out);
  node.on(taken, t0, out);
  auto again = take<join_request>();
  BOOST_REQUIRE(again.size() == 1u);
  BOOST_TEST(again[0].replaces == 4u);
  BOOST_TEST(again[0].incarnation == r.incarnation);
  BOOST_TEST(again[0].number == r.number + 1);
  node.on(name_taken{r.incarnation + 1, again[0].number, 9}, t0, out);
  BOOST_TEST(out.send.empty());
  node.on(yes(again[0]), t0, out);
  node.on(name_taken{r.incarnation, again[0].number, 9}, t0, out);
  BOOST_TEST(in(state::member));
  node.on(epoch_over{5, ""}, t0, out);
  node.dropped(t0, out);
  take<heartbeat>();
  node.tick(*node.next_deadline(), out);
  BOOST_TEST(take<join_request>().at(0).replaces == 0u);
}

BOOST_FIXTURE_TEST_CASE(refusals, fixture) {
  auto r = begin();
  node.on(no(r, errc::overloaded), t0, out);
  BOOST_TEST(in(state::joining)); // there may be room later
  BOOST_TEST((node.failure().code == errc::overloaded));
  node.on(no(r, errc::stale_epoch), t0, out);
  node.tick(*node.next_deadline(), out);
  auto again = take<join_request>().at(0);
  BOOST_TEST(again.incarnation != r.incarnation);
  node.on(no(again, errc::layout_mismatch), t0, out);
  BOOST_TEST(in(state::left));
  BOOST_TEST(node.failure().message == "no");
  BOOST_TEST((happened() == kinds{kind::refused}));
  BOOST_TEST(!node.next_deadline());
}

BOOST_FIXTURE_TEST_CASE(an_answer_with_impossible_times_is_none, fixture) {
  auto r = begin();
  for (auto [interval, timeout] :
       {std::pair{0, 5}, {-1, 5}, {5, 5}, {6, 5}, {0, 0}}) {
    auto m = yes(r);
    m.interval_ns = interval;
    m.timeout_ns = timeout;
    node.on(m, t0, out);
    BOOST_TEST(in(state::joining));
  }
}

BOOST_FIXTURE_TEST_CASE(draining_ends_in_a_leave_that_is_repeated, fixture) {
  node.on(yes(begin()), t0, out);
  node.on(drain_order{4}, t0, out); // of another stay
  BOOST_TEST(in(state::member));
  out = {};
  node.on(drain_order{5}, t0, out);
  node.on(drain_order{5}, t0, out); // came twice
  BOOST_TEST(in(state::draining));
  BOOST_TEST((happened() == kinds{kind::draining}));
  auto beats = take<heartbeat>();
  BOOST_REQUIRE(beats.size() == 1u);
  BOOST_TEST(beats[0].draining);
  BOOST_TEST(node.acts(t0));
  BOOST_TEST(!node.admits(t0));
  node.tick(t0 + 500ms, out);
  BOOST_TEST(take<heartbeat>().at(0).draining);
  node.drained(t0 + 600ms, out);
  BOOST_TEST(!node.acts(t0 + 600ms));
  BOOST_TEST(take<leave>().size() == 1u);
  node.tick(t0 + 1100ms, out);
  BOOST_TEST(take<leave>().size() == 1u);
  node.on(epoch_over{5, ""}, t0 + 1200ms, out);
  BOOST_TEST(in(state::left));
  BOOST_TEST((happened() == kinds{kind::left}));
  node.start(t0 + 9s, out);
  BOOST_TEST(take<join_request>().size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_node_that_is_fenced_while_draining_leaves, fixture) {
  node.on(yes(begin()), t0, out);
  node.drain(t0, out);
  node.tick(t0 + 2s, out);
  BOOST_TEST(in(state::fenced));
  node.dropped(t0 + 2s, out);
  BOOST_TEST(in(state::left));
}

BOOST_AUTO_TEST_SUITE_END()
