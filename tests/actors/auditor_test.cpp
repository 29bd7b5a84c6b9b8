#include "actors/auditor.hpp"

#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include "actors/error.hpp"
#include "tests/support/actors/sim_system.hpp"
#include "tests/support/core/audit_world.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

struct audited : audit_world {
  std::vector<audit_anchor> anchors; // as long as the auditor
  std::shared_ptr<audit_log> log;
  sim_system sim;
  auditor_actor a;

  explicit audited(audit_full when_full = audit_full::refuse) {
    log = std::make_shared<audit_log>(open());
    auto o = auditor_options{};
    o.log = log;
    o.when_full = when_full;
    o.unix_offset = 1000h;
    o.anchor = [this](const audit_anchor& x) { anchors.push_back(x); };
    a = sim.spawn(auditor, o);
  }

  static audit_batch batch(size_t n) {
    auto b = audit_batch{};
    for (size_t i = 0; i < n; ++i)
      b.records.push_back(some_record(i));
    return b;
  }

  void note(uint64_t n) { caf::anon_send(a, audit_note{some_record(n)}); }
  audit_status status() { return sim.ask<audit_status>(a, audit_query{}); }
  size_t recorded(audit_kind k) const {
    return size_t(std::ranges::count(records(), k, &audit_record::kind));
  }
};

struct going_on : audited {
  going_on() : audited(audit_full::go_on) {}
};

} // namespace

BOOST_AUTO_TEST_SUITE(auditor_actor_suite)

BOOST_FIXTURE_TEST_CASE(a_batch_is_durable_when_it_is_answered, audited) {
  auto self = caf::scoped_actor{sim.sys};
  auto pending = self->request(a, caf::infinite, batch(5));
  auto syncs = disk->syncs;
  BOOST_TEST(sim.step());
  BOOST_TEST(!self->has_next_message()); // owed, not answered
  BOOST_TEST(disk->syncs == syncs);
  sim.run();
  pending.receive(
      [&](const audit_receipt& r) {
        BOOST_TEST(r.durable == 6u);
        BOOST_TEST(r.kept);
        BOOST_TEST(disk->syncs == syncs + 1);
      },
      [&](const caf::error& e) { BOOST_FAIL(sim.sys.render(e)); });
  disk->lose_power();
  BOOST_TEST(records().size() == 6u);
}

BOOST_FIXTURE_TEST_CASE(what_comes_meanwhile_is_one_commit, audited) {
  auto syncs = disk->syncs;
  for (uint64_t i = 0; i < 100; ++i)
    note(i);
  auto r = sim.ask<audit_receipt>(a, batch(10));
  BOOST_TEST(r.durable == 111u);
  // The first message asks for a commit, and the others are before it.
  BOOST_TEST(disk->syncs <= syncs + 2);
}

BOOST_FIXTURE_TEST_CASE(it_says_what_is_durable, audited) {
  BOOST_TEST(sim.ask<audit_receipt>(a, audit_await{1}).durable == 1u);
  for (uint64_t i = 0; i < 3; ++i)
    note(i);
  BOOST_TEST(sim.ask<audit_receipt>(a, audit_await{}).durable == 4u);
  // Of records to come.
  auto self = caf::scoped_actor{sim.sys};
  auto pending = self->request(a, caf::infinite, audit_await{6});
  sim.run();
  BOOST_TEST(!self->has_next_message());
  note(1);
  sim.run();
  BOOST_TEST(!self->has_next_message());
  note(2);
  sim.run();
  pending.receive([&](const audit_receipt& r) { BOOST_TEST(r.durable == 6u); },
                  [&](const caf::error& e) { BOOST_FAIL(sim.sys.render(e)); });
}

BOOST_FIXTURE_TEST_CASE(time_alone_seals_what_is_there, audited) {
  note(1);
  sim.run();
  auto s = status();
  BOOST_TEST(s.durable == 2u);
  BOOST_TEST(s.sealed == 1u);
  BOOST_TEST(anchors.size() == 1u);
  sim.drain(3s);
  s = status();
  BOOST_TEST(s.sealed == 2u);
  BOOST_REQUIRE(anchors.size() == 2u);
  BOOST_TEST(anchors[1].records == 2u);
  BOOST_TEST(s.root == to_hex(as_bytes(anchors[1].root)));
  BOOST_TEST(s.checkpoint_wall_ns >= duration{1000h}.count());
  BOOST_TEST(check_anchors(verify(), anchors).empty());
  // Then there is nothing more to do.
  auto syncs = disk->syncs;
  sim.drain(10s);
  BOOST_TEST(disk->syncs == syncs);
}

// -- a full disk --------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(whoever_waits_hears_that_the_disk_is_full, audited) {
  disk->room = disk->size() + 10;
  auto e = sim.ask_error<audit_receipt>(a, batch(3));
  BOOST_TEST((from_caf(e).code == errc::io_error));
  e = sim.ask_error<audit_receipt>(a, audit_await{});
  auto s = status();
  BOOST_TEST(s.refuses);
  BOOST_TEST(s.lost == 3u);
  BOOST_TEST(!s.failing.empty());
  disk->room.reset();
  sim.drain(1s);
  s = status();
  BOOST_TEST(!s.refuses);
  BOOST_TEST(s.lost == 0u);
  BOOST_TEST(s.failing.empty());
  BOOST_TEST(recorded(audit_kind::log_gap) == 1u);
  BOOST_TEST(sim.ask<audit_receipt>(a, batch(3)).kept);
  BOOST_TEST(verify().findings.empty());
}

BOOST_FIXTURE_TEST_CASE(it_goes_on_without_if_it_is_to, going_on) {
  disk->sync_fails = true;
  auto r = sim.ask<audit_receipt>(a, batch(3));
  BOOST_TEST(!r.kept);
  BOOST_TEST(r.durable == 1u);
  auto s = status();
  BOOST_TEST(!s.refuses);
  BOOST_TEST(s.lost == 3u);
  disk->sync_fails = false;
  BOOST_TEST(sim.ask<audit_receipt>(a, batch(2)).kept);
  auto all = records();
  BOOST_REQUIRE(all.size() == 4u);
  BOOST_TEST((all[1].kind == audit_kind::log_gap));
  BOOST_TEST(all[1].find(audit_field_id::count)->number == 3u);
}

// -- bad records --------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_record_that_is_too_large_is_refused, audited) {
  auto b = batch(3);
  b.records[1].organisation = std::string(2000, 'x');
  auto e = sim.ask_error<audit_receipt>(a, b);
  BOOST_TEST((from_caf(e).code == errc::invalid_argument));
  auto s = status();
  BOOST_TEST(s.refused == 1u);
  BOOST_TEST(s.durable == 3u);
}

BOOST_FIXTURE_TEST_CASE(more_than_one_batch_is_several, audit_world) {
  options.most_pending_bytes = 1000;
  auto log = std::make_shared<audit_log>(open());
  auto sim = sim_system{};
  auto o = auditor_options{};
  o.log = log;
  auto a = sim.spawn(auditor, o);
  BOOST_TEST(sim.ask<audit_receipt>(a, audited::batch(50)).durable == 51u);
  // Those who wait hear of all of them.
  disk->sync_fails = true;
  auto b = audited::batch(50);
  auto e = sim.ask_error<audit_receipt>(a, b);
  BOOST_TEST((from_caf(e).code == errc::io_error));
}

// -- the end ------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(it_closes_its_log, audited) {
  note(1);
  sim.run();
  caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
  sim.run();
  auto r = verify();
  BOOST_TEST(r.closed);
  BOOST_TEST(r.records == 3u);
  BOOST_TEST(r.sealed == 3u);
  BOOST_TEST(anchors.back().records == 3u);
}

BOOST_FIXTURE_TEST_CASE(it_closes_its_log_when_it_is_killed, audited) {
  auto self = caf::scoped_actor{sim.sys};
  auto pending = self->request(a, caf::infinite, audit_await{100});
  note(1);
  sim.run();
  sim.kill(a);
  sim.run();
  BOOST_TEST(verify().closed);
  pending.receive([](const audit_receipt&) { BOOST_FAIL("an answer"); },
                  [](const caf::error& e) { BOOST_TEST(bool(e)); });
}

BOOST_AUTO_TEST_SUITE_END()
