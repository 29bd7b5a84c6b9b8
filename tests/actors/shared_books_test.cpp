#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include <algorithm>
#include <atomic>
#include <thread>

#include "actors/error.hpp"
#include "actors/model_manager.hpp"
#include "actors/registry.hpp"
#include "tests/support/actors/faked_front.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

// Sessions that choose their version and their node themselves, in the books of
// the model manager and of the registry.

namespace {

constexpr auto begin = time_point{} + 1h;

model_versions one_version() {
  auto m = model_versions{};
  auto v = *m.load("one", 1, begin);
  m.loaded(v, begin);
  m.warmed(v, begin);
  BOOST_REQUIRE(m.activate(v, begin, "").ok());
  m.take_tasks();
  return m;
}

struct fixture : faked_front {
  explicit fixture(session_options o = {}) {
    o.nodes = book;
    o.desk = desk;
    auto m = model_manager_options{};
    m.desk = desk;
    manager = o.versions = sim.spawn(model_manager, std::move(m));
    reg = sim.spawn(registry, registry_options{2s, {}, book});
    open(std::move(o));
    sim.run();
  }

  decode_actor mixed(node_id id, std::shared_ptr<node_log> log) {
    auto a = sim.spawn(fake_decode, std::move(log));
    caf::anon_send(reg, add_mixed{id, a});
    sim.run();
    return a;
  }

  generate_request request() {
    auto r = generate_request{};
    r.prompt = {10, 11, 12};
    r.max_tokens = 8;
    return r;
  }

  void say(node_log& log, finish_reason reason, errc code = errc::none) {
    auto& j = log.jobs.back();
    emit(j, output_for(j, 0, {20}, reason, code));
    sim.run();
  }

  uint64_t under_way(version_id v) {
    for (auto& s : desk->open()->versions())
      if (s.id == v)
        return s.under_way;
    return 99;
  }

  std::shared_ptr<node_book> book = std::make_shared<node_book>();
  std::shared_ptr<version_desk> desk =
      std::make_shared<version_desk>(one_version());
  model_manager_actor manager;
  std::shared_ptr<node_log> a = std::make_shared<node_log>();
  std::shared_ptr<node_log> b = std::make_shared<node_log>();
};

struct patient_fixture : fixture {
  patient_fixture() : fixture(patience()) {}

  static session_options patience() {
    auto o = session_options{};
    o.node_patience = 1s;
    return o;
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(shared_books_suite)

BOOST_FIXTURE_TEST_CASE(a_request_is_with_its_node_at_once, fixture) {
  mixed(1, a);
  auto id = start(request());
  // The gateway, the session, the node: nobody else was asked.
  BOOST_REQUIRE_EQUAL(a->jobs.size(), 1u);
  BOOST_TEST(under_way(1) == 1u);
  BOOST_TEST(book->requests() == 1u);
  BOOST_TEST(sim.ask<cluster_status>(reg, status_query{}).requests == 1u);
  say(*a, finish_reason::stop);
  sim.drain();
  BOOST_TEST((heard->end(id).reason == finish_reason::stop));
  BOOST_TEST(heard->end(id).version == 1u);
  BOOST_TEST(under_way(1) == 0u);
  BOOST_TEST(book->requests() == 0u);
}

BOOST_FIXTURE_TEST_CASE(what_is_chosen_here_counts_for_those_who_ask, fixture) {
  mixed(1, a);
  mixed(2, b);
  start(request());
  BOOST_REQUIRE_EQUAL(a->jobs.size(), 1u);
  auto p = sim.ask<placement>(reg, place_request{77, {}, {3, 8}});
  BOOST_TEST(p.prefill_id == 2u);
  start(request());
  start(request());
  BOOST_TEST(a->jobs.size() + b->jobs.size() == 3u);
  BOOST_TEST(a->jobs.size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(without_nodes_a_request_ends, fixture) {
  auto id = start(request());
  sim.drain();
  BOOST_TEST((heard->end(id).code == errc::no_node));
  BOOST_TEST(under_way(1) == 0u);
}

BOOST_FIXTURE_TEST_CASE(without_nodes_a_request_waits_for_one,
                        patient_fixture) {
  start(request());
  sim.advance(200ms);
  sim.run();
  mixed(1, a);
  sim.advance(50ms);
  sim.run();
  BOOST_TEST(a->jobs.size() == 1u);
  BOOST_TEST(book->requests() == 1u);
}

BOOST_FIXTURE_TEST_CASE(without_a_version_a_request_ends, fixture) {
  *desk->open().operator->() = model_versions{};
  mixed(1, a);
  auto id = start(request());
  sim.drain();
  BOOST_TEST((heard->end(id).code == errc::no_node));
  BOOST_TEST(heard->end(id).message == "no version of the model is ready");
  BOOST_TEST(a->jobs.empty());
}

BOOST_FIXTURE_TEST_CASE(a_node_that_dies_is_left_and_avoided, fixture) {
  auto first = mixed(1, a);
  mixed(2, b);
  auto id = start(request());
  say(*a, finish_reason::none);
  sim.kill(first);
  sim.drain();
  BOOST_REQUIRE_EQUAL(b->jobs.size(), 1u);
  BOOST_TEST(b->jobs[0].spec.emitted == std::vector<token_id>{20},
             boost::test_tools::per_element());
  auto& j = b->jobs.back();
  emit(j, output_for(j, 1, {21}, finish_reason::stop));
  sim.drain();
  BOOST_TEST((heard->end(id).reason == finish_reason::stop));
  BOOST_TEST(book->requests() == 0u);
  BOOST_TEST(under_way(1) == 0u);
}

BOOST_FIXTURE_TEST_CASE(where_a_request_has_moved_is_known_to_all, fixture) {
  mixed(1, a);
  auto other = mixed(2, b);
  auto r = request();
  r.request = 5;
  start(r);
  auto& j = a->jobs.at(0);
  auto m = sequence_moved{};
  m.request = 5;
  m.seq = j.spec.seq;
  m.epoch = next_move(j.spec.epoch);
  m.node = 2;
  m.holder = caf::actor_cast<sequence_holder>(other);
  caf::anon_send(gate, m);
  sim.run();
  auto again = from_caf(sim.ask_error<migrated>(reg, migrate_request{5, 2}));
  BOOST_TEST(again.message == "it runs there already");
}

BOOST_FIXTURE_TEST_CASE(a_session_that_is_killed_gives_its_version_back,
                        fixture) {
  client = sim.spawn(fake_assassin, heard);
  mixed(1, a);
  auto id = start(request());
  say(*a, finish_reason::none);
  BOOST_TEST((heard->end(id).code == errc::abandoned));
  BOOST_TEST(under_way(1) == 1u);
  sim.advance(1s);
  sim.run();
  BOOST_TEST(under_way(1) == 0u);
  BOOST_TEST(book->requests() == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_request_ends_on_the_version_that_it_began_on,
                        fixture) {
  mixed(1, a);
  auto id = start(request());
  {
    auto all = desk->open();
    auto two = *all->load("two", 1, begin);
    all->loaded(two, begin);
    all->warmed(two, begin);
    BOOST_REQUIRE(all->activate(two, begin, "").ok());
  }
  caf::anon_send(reg, add_mixed{2, sim.spawn(fake_decode, b), 2});
  sim.run();
  start(request());
  BOOST_TEST(b->jobs.size() == 1u);
  BOOST_TEST(under_way(1) == 1u);
  BOOST_TEST(under_way(2) == 1u);
  say(*a, finish_reason::stop);
  sim.drain();
  BOOST_TEST(heard->end(id).version == 1u);
  BOOST_TEST(under_way(1) == 0u);
  BOOST_TEST(under_way(2) == 1u);
}

// Nodes and versions are told of by messages, which a request may overtake
// where it does not send any itself.
BOOST_AUTO_TEST_CASE(what_is_in_no_book_yet_is_asked_for) {
  auto f = faked_front{};
  auto m = model_manager_options{};
  m.desk = std::make_shared<version_desk>(one_version());
  auto o = session_options{};
  o.versions = f.sim.spawn(model_manager, std::move(m));
  o.nodes = std::make_shared<node_book>();
  o.desk = std::make_shared<version_desk>();
  f.open(std::move(o));
  auto r = generate_request{};
  r.prompt = {10, 11, 12};
  auto id = f.start(std::move(r));
  BOOST_TEST(f.script->asked.size() == 1u);
  BOOST_REQUIRE_EQUAL(f.jobs(), 1u);
  f.say(0, {20}, finish_reason::stop);
  f.sim.drain();
  BOOST_TEST((f.heard->end(id).reason == finish_reason::stop));
  BOOST_TEST(f.heard->end(id).version == 1u);
  BOOST_TEST(f.script->released.size() == 1u);
}

// Each place and version that is taken is given back, whoever else does the
// same.
BOOST_AUTO_TEST_CASE(many_threads_may_use_them_at_once) {
  auto sim = sim_system{};
  auto log = std::make_shared<node_log>();
  auto book = node_book{};
  for (auto id : {1u, 2u, 3u})
    book.add(add_mixed{id, sim.spawn(fake_decode, log)});
  auto desk = version_desk{one_version()};
  auto failed = std::atomic<int>{0};
  auto work = [&](request_id from) {
    for (auto r = from; r < from + 2000; ++r) {
      auto t = desk.route([r] { return std::to_string(r); });
      auto p = book.place({r, {}, {100, 10}, 1});
      if (!t || !p || !book.find(migrate_request{r, p->decode_id % 3 + 1}))
        ++failed;
      book.move({r, p->decode_id % 3 + 1});
      book.release({r});
      if (!t || !desk.open()->complete(*t, std::nullopt, begin))
        ++failed;
    }
  };
  auto threads = std::vector<std::thread>{};
  for (auto i = 0u; i < 4; ++i)
    threads.emplace_back(work, i * 10'000);
  for (auto& t : threads)
    t.join();
  BOOST_TEST(failed == 0);
  BOOST_TEST(book.requests() == 0u);
  for (auto& v : desk.open()->versions())
    BOOST_TEST(v.under_way == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
