#include "actors/rank_hub.hpp"

#include <boost/test/unit_test.hpp>
#include <thread>

#include "actors/error.hpp"
#include "tests/support/actors/cluster.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

// Seats are given and taken away, whoever says what; ranks themselves are fakes
// that note what they hear.

namespace {

struct heard {
  std::vector<uint64_t> groups;
  std::vector<rank_part> parts;
  std::vector<rank_command> commands;
  uint32_t alive = 0;
};

rank_link_actor::behavior_type fake_link(rank_link_actor::pointer,
                                         std::shared_ptr<heard> log) {
  return {
      [log](const rank_command& c) { log->commands.push_back(c); },
      [log](const rank_renew& m) { log->groups.push_back(m.group); },
      [log](const rank_part& m) { log->parts.push_back(m); },
      [log](const rank_alive&) { ++log->alive; },
      [](const deadline_tick&) {},
  };
}

struct fixture {
  sim_system sim;
  std::shared_ptr<outside_ranks> ranks = std::make_shared<outside_ranks>(
      rank_kind::sequence, shared_tiny_model(),
      std::vector<part>{{0, 1}, {0, 1}, {1, 1}}, 100);
  uint32_t full = 0;
  std::vector<std::string> lost;
  rank_hub_actor hub;
  std::vector<rank_link_actor> links;
  std::vector<std::shared_ptr<heard>> logs;

  fixture() {
    auto o = rank_hub_options{};
    o.ranks = ranks;
    o.fingerprint = "m:i8";
    o.isa = "here";
    o.seat.interval_ns = duration{500ms}.count();
    o.seat.timeout_ns = duration{2s}.count();
    o.full = [this] { ++full; };
    o.lost = [this](const error& e) { lost.push_back(e.message); };
    hub = sim.spawn(rank_hub, std::move(o));
  }

  join_ranks joining() {
    logs.push_back(std::make_shared<heard>());
    links.push_back(sim.spawn(fake_link, logs.back()));
    auto m = join_ranks{};
    m.model = "m:i8";
    m.isa = "here";
    m.link = links.back();
    return m;
  }

  uint32_t join() {
    auto seat = sim.ask<rank_seat>(hub, joining());
    sim.advance(1ms);
    sim.run();
    return seat.rank;
  }

  /// Time passes, and these ranks say so.
  void pass(std::chrono::milliseconds time, std::vector<uint32_t> who) {
    for (; time > 0ms; time -= 250ms) {
      sim.advance(250ms);
      for (auto r : who)
        caf::anon_send(hub, rank_alive{r});
      sim.run();
    }
  }

  ~fixture() {
    ranks->renew(); // nobody has a group of the past
    sim.end();
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(rank_hub_seats)

BOOST_FIXTURE_TEST_CASE(all_ranks_make_a_group, fixture) {
  BOOST_TEST(join() == 1u);
  BOOST_TEST(full == 0u);
  BOOST_TEST(join() == 2u);
  BOOST_TEST(full == 1u);
  auto e = from_caf(sim.ask_error<rank_seat>(hub, joining()));
  BOOST_TEST((e.code == errc::overloaded));
  pass(10s, {1, 2});
  BOOST_TEST(lost.empty());
  BOOST_TEST(logs[0]->alive > 10u);
  BOOST_TEST(full == 1u);
}

BOOST_FIXTURE_TEST_CASE(others_are_refused_with_the_reason, fixture) {
  auto refusal = [&](auto change) {
    auto m = joining();
    change(m);
    return from_caf(sim.ask_error<rank_seat>(hub, m));
  };
  auto e = refusal([](auto& m) { m.model = "m:i16"; });
  BOOST_TEST((e.code == errc::layout_mismatch));
  BOOST_TEST(e.message == "the rank has model m:i16, rank 0 m:i8");
  e = refusal([](auto& m) { m.isa = "there"; });
  BOOST_TEST((e.code == errc::layout_mismatch));
  e = refusal([](auto& m) { m.version = 99; });
  BOOST_TEST((e.code == errc::unsupported));
  e = refusal([](auto& m) { m.link = nullptr; });
  BOOST_TEST((e.code == errc::invalid_argument));
  BOOST_TEST(join() == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_silent_rank_and_a_dead_one_are_lost, fixture) {
  join();
  join();
  auto group = ranks->renew();
  sim.run();
  BOOST_TEST(logs[0]->groups.size() == 1u);
  pass(3s, {1});
  BOOST_REQUIRE(lost.size() == 1u);
  BOOST_TEST(lost[0] == "rank 2: it said nothing for 2000 ms");
  auto x = std::vector<float>(4);
  auto ok = group->ranks().all_reduce(x);
  BOOST_REQUIRE(!ok);
  BOOST_TEST(ok.failure().message
             == "rank 2 of 3 was lost: it said nothing for 2000 ms");
  // Its seat is another's; what it says now counts for nothing.
  BOOST_TEST(join() == 2u);
  BOOST_TEST(full == 2u);
  sim.kill(links[0]);
  sim.run();
  BOOST_REQUIRE(lost.size() == 2u);
  BOOST_TEST(lost[1] == "rank 1: its process is gone");
  // A group that begins now has lost it from the first.
  auto next = ranks->renew();
  BOOST_TEST(!next->ranks().all_reduce(x));
}

BOOST_FIXTURE_TEST_CASE(parts_reach_their_ranks, fixture) {
  join();
  join();
  auto group = ranks->renew();
  sim.run();
  auto number = logs[0]->groups.back();
  BOOST_TEST(logs[1]->groups.back() == number);
  auto part = [&](uint32_t from, uint32_t to) {
    return rank_part{number,
                     from,
                     to,
                     0,
                     collective_kind::all_reduce,
                     0,
                     2,
                     {1.f * static_cast<float>(from), 0.5f}};
  };
  caf::anon_send(hub, part(1, 2));
  caf::anon_send(hub, part(1, 7));
  caf::anon_send(hub, part(1, 0));
  caf::anon_send(hub, part(2, 0));
  sim.run();
  BOOST_REQUIRE(logs[1]->parts.size() == 1u);
  BOOST_TEST(logs[1]->parts[0].from == 1u);
  auto x = std::vector<float>{0.25f, 0.25f};
  BOOST_REQUIRE(group->ranks().all_reduce(x));
  BOOST_TEST(x == (std::vector<float>{3.25f, 1.25f}),
             boost::test_tools::per_element());
  sim.run();
  BOOST_TEST(logs[0]->parts.size() == 1u);
  BOOST_TEST(logs[1]->parts.size() == 2u);
  // A rank that cannot go on with this group, then with an older one.
  auto next = ranks->renew();
  caf::anon_send(hub, rank_lost{number, 1, "of the past"});
  sim.run();
  caf::anon_send(hub, rank_lost{number + 1, 2, "no memory"});
  sim.run();
  auto ok = next->ranks().all_reduce(x);
  BOOST_REQUIRE(!ok);
  BOOST_TEST(ok.failure().message == "rank 2 of 3 was lost: no memory");
}

BOOST_FIXTURE_TEST_CASE(kv_waits_until_there_is_room_for_it, fixture) {
  join();
  join();
  auto group = ranks->renew();
  auto command = [](size_t bytes) {
    auto c = rank_command{};
    c.blocks.push_back({0, {}});
    c.blocks[0].bytes.resize(bytes);
    return c;
  };
  constexpr auto most = outside_ranks::max_unread;
  group->tell()(1, command(most - 1));
  group->tell()(1, command(0)); // needs no room
  auto sent = std::atomic<bool>{false};
  auto node = std::jthread{[&] {
    group->tell()(1, command(most));
    sent = true;
  }};
  sim.run();
  BOOST_TEST(logs[0]->commands.size() == 2u);
  caf::anon_send(hub, rank_taken{logs[0]->groups.back(), 1, most - 1});
  while (!sent)
    sim.run();
  sim.run();
  BOOST_TEST(logs[0]->commands.size() == 3u);
  // Whoever waits for a rank that is lost waits no more.
  node = std::jthread{[&] { group->tell()(1, command(1)); }};
  sim.kill(links[0]);
  sim.run();
  node.join();
  BOOST_TEST(logs[0]->commands.size() == 3u);
}

BOOST_AUTO_TEST_SUITE_END()
