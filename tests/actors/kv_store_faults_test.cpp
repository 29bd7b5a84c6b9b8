// A KV store whose peers fall silent or die, and whose sequences are cancelled.

#include "tests/actors/kv_store_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using fixture = kv_store_fixture;

BOOST_AUTO_TEST_SUITE(kv_store_faults)

// -- silence and refusal ------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_silent_destination_is_given_up, fixture) {
  swap_out(1);
  away->deaf_to_offers = true;
  ask_for(1, other);
  sim.drain(10min);
  BOOST_TEST(!sim.scheduler().has_pending_timeout());
  BOOST_TEST((no_resume() == errc::timeout));
  away->deaf_to_offers = false;
  resume(1); // it never had it
  expect_nothing_stored();
}

// It may have taken the sequence over and be writing into its blocks.
BOOST_FIXTURE_TEST_CASE(who_is_silent_after_the_commit_keeps_the_blocks,
                        fixture) {
  swap_out(1);
  away->deaf_to_commits = true;
  ask_for(1, other);
  sim.drain(10min);
  BOOST_TEST((no_resume() == errc::timeout));
  expect_nothing_stored();
}

BOOST_FIXTURE_TEST_CASE(who_knows_nothing_of_a_commit_may_have_had_it,
                        fixture) {
  swap_out(1);
  away->deaf_to_commits = true;
  ask_for(1, other);
  sim.run();
  caf::send_as(other, store,
               kv_abort{1, next_move(first_life), errc::unknown_sequence, ""});
  sim.run();
  expect_nothing_stored();
}

BOOST_FIXTURE_TEST_CASE(a_refused_commit_leaves_it_here, fixture) {
  swap_out(1);
  away->deaf_to_commits = true;
  ask_for(1, other);
  sim.run();
  caf::send_as(other, store,
               kv_abort{1, next_move(first_life), errc::digest_mismatch, ""});
  sim.run();
  away->deaf_to_commits = false;
  resume(1);
  expect_nothing_stored();
}

BOOST_FIXTURE_TEST_CASE(a_silent_source_loses_its_blocks, fixture) {
  caf::send_as(other, store, [&] {
    auto o = offer(1);
    o.source = caf::actor_cast<kv_source_actor>(
        sim.spawn(fake_prefill, std::make_shared<node_log>()));
    return o;
  }());
  sim.run();
  BOOST_TEST(status().blocks_in_use == seq_blocks);
  sim.drain(10min);
  expect_nothing_stored();
  BOOST_TEST(!sim.scheduler().has_pending_timeout());
}

// -- at every message ---------------------------------------------------------

namespace {

// Out and back while `interrupt` happens after k messages; for every k.
template <class Interrupt, class Verify>
void interrupted_everywhere(store_sizes o, Interrupt interrupt, Verify verify) {
  auto k = size_t{0};
  for (auto over = false; !over; ++k) {
    BOOST_TEST_CONTEXT("interrupted after message " << k) {
      auto f = fixture{o};
      f.offer_to_store(1);
      auto left = k - f.sim.run(k);
      if (left > 0) {
        BOOST_REQUIRE(f.at_home->sender->done());
        if (o.file_blocks > 0)
          f.swap_out(2); // the first makes way for it
        f.ask_for(1, f.other);
        left -= f.sim.run(left);
        over = left > 0;
      }
      interrupt(f);
      f.sim.drain(10min);
      verify(f);
    }
  }
  BOOST_TEST(k > 10u);
}

// The destination has it, or has nothing.
void expect_whole_or_nothing(fixture& f) {
  if (f.away->resumed.blocks() > 0)
    f.expect_resumed(1);
  else
    BOOST_TEST((!f.away->receiver || f.away->receiver->failed()));
}

const auto in_memory = store_sizes{};
const auto by_file = store_sizes{.blocks = 3, .file_blocks = 6};

} // namespace

BOOST_AUTO_TEST_CASE(cancelled_at_every_message_nothing_stays) {
  for (auto& o : {in_memory, by_file})
    interrupted_everywhere(
        o,
        [](fixture& f) {
          for (seq_id seq : {1, 2})
            caf::anon_send(f.store,
                           cancel_sequence{seq, last_move(first_life)});
        },
        [](fixture& f) {
          f.expect_nothing_stored();
          expect_whole_or_nothing(f);
          BOOST_TEST(f.at_home->sender->done() != f.at_home->sender->failed());
        });
}

BOOST_AUTO_TEST_CASE(the_death_of_the_owner_frees_what_nobody_fetches) {
  for (auto& o : {in_memory, by_file})
    interrupted_everywhere(
        o, [](fixture& f) { f.sim.kill(f.home); },
        [](fixture& f) {
          f.expect_nothing_stored();
          expect_whole_or_nothing(f);
        });
}

BOOST_AUTO_TEST_CASE(the_death_of_the_stream_frees_everything) {
  for (auto& o : {in_memory, by_file})
    interrupted_everywhere(
        o, [](fixture& f) { f.sim.kill(f.stream); },
        [](fixture& f) {
          f.expect_nothing_stored();
          expect_whole_or_nothing(f);
        });
}

BOOST_AUTO_TEST_CASE(the_death_of_the_destination_leaves_it_to_its_owner) {
  for (auto& o : {in_memory, by_file})
    interrupted_everywhere(
        o, [](fixture& f) { f.sim.kill(f.other); },
        [](fixture& f) {
          if (f.away->resumed.blocks() == 0) {
            f.ask_for(1, f.home);
            f.sim.run();
            BOOST_TEST(f.at_home->resumed.blocks() > 0u);
          }
          caf::anon_send(f.store, cancel_sequence{2, last_move(first_life)});
          f.sim.run();
          f.expect_nothing_stored();
        });
}

BOOST_FIXTURE_TEST_CASE(a_fetch_outlives_the_owner, fixture) {
  swap_out(1);
  away->deaf_to_offers = true;
  ask_for(1, other);
  sim.run();
  sim.kill(home);
  sim.run();
  BOOST_TEST(status().sequences == 1u);
  away->deaf_to_offers = false;
  sim.advance(1s);
  sim.run();
  expect_resumed(1);
  expect_nothing_stored();
}

BOOST_FIXTURE_TEST_CASE(a_fetch_that_fails_after_the_owner_ends_it, fixture) {
  swap_out(1);
  away->deaf_to_offers = true;
  ask_for(1, other);
  sim.run();
  sim.kill(home);
  sim.run();
  sim.kill(other);
  sim.run();
  expect_nothing_stored();
}

BOOST_AUTO_TEST_SUITE_END()
