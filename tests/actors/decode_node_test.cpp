#include <boost/test/unit_test.hpp>

#include "actors/decode_node.hpp"
#include "actors/load_reporter.hpp"
#include "tests/support/actors/cluster.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

// A decode node whose source and stream are the test.
struct fixture {
  sim_system sim;
  std::shared_ptr<node_log> told = std::make_shared<node_log>();
  std::shared_ptr<client_log> heard = std::make_shared<client_log>();
  prefill_actor source = sim.spawn(fake_prefill, told);
  std::shared_ptr<block_arena> arena = tiny_arena();
  block_pool pool{arena, 16};
  std::shared_ptr<std::vector<sequence_output>> outputs =
      std::make_shared<std::vector<sequence_output>>();
  stream_actor stream = sim.spawn(fake_stream, outputs);
  decode_actor node = sim.spawn(decode_node, tiny_node(2, arena, 8, {}));

  fixture() {} // no aggregate: sim_system's constructor is explicit

  handoff_offer offer(seq_id seq = 1, epoch_t epoch = 1,
                      uint32_t max_tokens = 6) {
    auto o = handoff_offer{};
    auto r = varied_request(1, max_tokens);
    o.spec.request = 70;
    o.spec.seq = seq;
    o.spec.epoch = epoch;
    o.spec.prompt = std::vector<token_id>(20, 7);
    o.spec.sampling = r.sampling;
    o.spec.max_tokens = max_tokens;
    o.offer.seq = seq;
    o.offer.epoch = epoch;
    o.offer.model = shared_tiny_model()->digest;
    o.offer.layout = pool.layout();
    o.offer.blocks = 2;
    o.offer.max_blocks = 2;
    o.source = caf::actor_cast<kv_source_actor>(source);
    o.stream = stream;
    return o;
  }

  template <class M>
  void send(M m) {
    caf::send_as(source, node, std::move(m));
    sim.run();
  }

  // What came back since the last call.
  std::vector<kv_message> answers() { return std::exchange(told->others, {}); }

  template <class T>
  T only() {
    auto all = answers();
    BOOST_REQUIRE_EQUAL(all.size(), 1u);
    BOOST_REQUIRE(std::holds_alternative<T>(all[0]));
    return std::get<T>(all[0]);
  }

  bool granted() { return only<kv_grant>().credit > 0; }
  errc refusal() { return only<kv_abort>().code; }

  // Chunks of zeros: whatever they mean, they are the KV that was offered.
  std::pair<std::vector<kv_chunk>, kv_commit> filling(const handoff_offer& o) {
    auto table = page_table{};
    table.grow(pool, 20);
    auto s = kv_sender{o.offer, {}};
    auto out = kv_outbox{};
    s.on(kv_grant{o.offer.seq, o.offer.epoch, 9}, {}, out);
    s.push(table, 0, 2, 0, pool.layout().layers, {}, out);
    auto chunks = std::vector<kv_chunk>{};
    for (auto& m : std::exchange(out, {})) {
      chunks.push_back(std::get<kv_chunk>(m));
      s.on(kv_credit{o.offer.seq, o.offer.epoch, chunks.back().index}, {}, out);
    }
    s.finish(20, {9}, {}, out);
    return {chunks, std::get<kv_commit>(out.back())};
  }

  // The whole handoff, up to the running sequence; nothing computed yet.
  kv_commit hand_over(const handoff_offer& o) {
    send(o);
    auto [chunks, commit] = filling(o);
    for (auto& c : chunks)
      send(c);
    answers();
    caf::send_as(source, node, commit);
    return commit;
  }

  node_status status() { return sim.ask<node_status>(node, status_query{}); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(decode_node_suite)

BOOST_FIXTURE_TEST_CASE(a_handed_over_sequence_runs_to_its_end, fixture) {
  hand_over(offer());
  sim.run();
  only<kv_accepted>();
  BOOST_REQUIRE_EQUAL(outputs->size(), 5u);
  for (uint32_t i = 0; i < 5; ++i)
    BOOST_TEST(outputs->at(i).index == i + 1);
  BOOST_TEST((outputs->back().reason == finish_reason::length));
  expect_empty(status());
}

// -- hostile and contradictory offers -----------------------------------------

BOOST_FIXTURE_TEST_CASE(offers_that_contradict_themselves_are_refused,
                        fixture) {
  auto seq = seq_id{1};
  auto refused = [&](auto change, errc why) {
    auto o = offer(++seq);
    change(o);
    send(o);
    BOOST_TEST((refusal() == why));
    expect_empty(status());
  };
  auto contradicts = errc::layout_mismatch;
  refused([](auto& o) { o.spec.seq += 100; }, contradicts);
  refused([](auto& o) { o.spec.epoch += 1; }, contradicts);
  refused([](auto& o) { o.offer.blocks = o.offer.max_blocks = 3; },
          contradicts);
  refused([](auto& o) { o.offer.max_blocks = ~0u; }, contradicts);
  refused([](auto& o) { o.spec.max_tokens = 100; }, contradicts);
  refused([](auto& o) { o.offer.model += 'x'; }, contradicts);
  refused([](auto& o) { o.offer.layout.layers = 99; }, contradicts);
  refused([](auto& o) { o.offer.version = 0; }, contradicts);
  auto bad = errc::invalid_argument;
  refused([](auto& o) { o.spec.prompt[3] = -1; }, bad);
  refused([](auto& o) { o.spec.prompt[3] = 300; }, bad);
  refused([](auto& o) { o.spec.prompt.clear(); }, bad);
  refused([](auto& o) { o.spec.emitted = {1 << 30}; }, bad);
  refused([](auto& o) { o.spec.emitted.assign(6, 1); }, bad);
  refused([](auto& o) { o.spec.max_tokens = 0; }, bad);
  refused([](auto& o) { o.spec.sampling.temperature = -1.f; }, bad);
  refused([](auto& o) { o.stream = stream_actor{}; }, bad);
  refused([](auto& o) { o.spec.max_tokens = ~0u; }, errc::context_exceeded);
  refused(
      [](auto& o) {
        o.spec.max_tokens = 200;
        o.offer.max_blocks = 14;
      },
      errc::no_free_blocks);
  auto mute = offer(++seq);
  mute.source = kv_source_actor{};
  send(mute);
  BOOST_TEST(answers().empty());
  expect_empty(status());
}

BOOST_FIXTURE_TEST_CASE(what_can_never_be_taken_need_not_wait, fixture) {
  for (seq_id seq = 1; seq <= 5; ++seq)
    send(offer(seq)); // 2 blocks each, of 8
  answers();
  auto o = offer(6);
  o.offer.model += 'x';
  send(o);
  BOOST_TEST((refusal() == errc::layout_mismatch));
  send(offer(7));
  BOOST_TEST(!granted());
}

BOOST_FIXTURE_TEST_CASE(only_a_destination_says_that_it_has_a_sequence,
                        fixture) {
  hand_over(offer(1, 1, 12));
  auto log = std::make_shared<node_log>();
  auto to = sim.spawn(fake_decode, log);
  auto stranger = sim.spawn(fake_decode, told);
  caf::anon_send(
      node, migrate_sequence{70, caf::actor_cast<kv_destination_actor>(to)});
  while (log->offers.empty())
    sim.run(1);
  answers();
  auto epoch = log->offers[0].offer.epoch;
  caf::send_as(stranger, node, kv_grant{1, epoch, 8});
  caf::send_as(stranger, node, kv_accepted{1, epoch});
  sim.run(4);
  // The stranger hears that there is nothing for it, the destination nothing.
  only<kv_abort>();
  BOOST_TEST(log->others.empty());
  caf::send_as(to, node, kv_abort{1, epoch, errc::overloaded, "no room"});
  sim.run();
  BOOST_TEST((outputs->back().reason == finish_reason::length));
  BOOST_TEST(outputs->size() == 11u);
  expect_empty(status());
}

BOOST_FIXTURE_TEST_CASE(commits_that_contradict_the_offer_end_it, fixture) {
  auto seq = seq_id{1};
  auto attack = [&](auto change) {
    auto o = offer(++seq);
    send(o);
    auto [chunks, commit] = filling(o);
    for (auto& c : chunks)
      send(c);
    answers();
    change(commit);
    // A consistent digest: only the numbers are wrong.
    auto digests = std::vector<kv_digest>{};
    for (auto& c : chunks)
      digests.push_back(c.digest);
    commit.digest = digest_of(digests, commit);
    send(commit);
    BOOST_TEST((refusal() == errc::layout_mismatch));
    expect_empty(status());
    BOOST_TEST(outputs->empty());
  };
  attack([](auto& m) { m.tokens = 21; });
  attack([](auto& m) { m.tokens = ~0u; });
  attack([](auto& m) { m.emitted.clear(); });
  attack([](auto& m) { m.emitted = {1, 2}; });
  attack([](auto& m) { m.emitted = {-5}; });
  attack([](auto& m) { m.emitted = {300}; });
}

BOOST_FIXTURE_TEST_CASE(a_stray_tick_starts_no_second_chain, fixture) {
  hand_over(offer(1, 1, 12));
  caf::anon_send(node, step_tick{0});
  caf::anon_send(node, step_tick{77});
  caf::anon_send(node, deadline_tick{5});
  sim.run();
  BOOST_TEST(status().steps == 11u);
}

// -- late, repeated, cancelled ------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_repeated_offer_is_granted_again, fixture) {
  send(offer());
  BOOST_TEST(granted());
  send(offer());
  BOOST_TEST(granted());
  BOOST_TEST(status().blocks_in_use == 2u);
}

BOOST_FIXTURE_TEST_CASE(only_its_source_may_touch_a_handoff, fixture) {
  auto thief = sim.spawn(fake_prefill, std::make_shared<node_log>());
  auto from_thief = [&](auto m) {
    caf::send_as(thief, node, std::move(m));
    sim.run();
  };
  send(offer());
  BOOST_TEST(granted());
  auto [chunks, commit] = filling(offer());
  auto stolen = offer();
  stolen.source = caf::actor_cast<kv_source_actor>(thief);
  from_thief(stolen);
  from_thief(kv_abort{1, 1, errc::cancelled, ""});
  auto bad = chunks[0];
  bad.digest.low ^= 1;
  from_thief(bad);
  from_thief(commit);
  BOOST_TEST(answers().empty());
  for (auto& c : chunks)
    send(c);
  answers();
  send(commit);
  only<kv_accepted>();
}

BOOST_FIXTURE_TEST_CASE(a_repeated_commit_is_accepted_again, fixture) {
  auto commit = hand_over(offer());
  while (answers().empty())
    sim.step();
  send(commit); // it runs, and ends meanwhile
  only<kv_accepted>();
  send(commit); // it has ended
  only<kv_accepted>();
  auto [chunks, unused] = filling(offer());
  send(chunks[0]);
  BOOST_TEST(answers().empty());
  send(offer());
  BOOST_TEST((refusal() == errc::stale_epoch));
  BOOST_TEST(outputs->size() == 5u);
}

BOOST_FIXTURE_TEST_CASE(what_belongs_to_no_handoff_is_answered, fixture) {
  auto [chunks, commit] = filling(offer());
  send(chunks[0]);
  BOOST_TEST((refusal() == errc::unknown_sequence));
  send(commit);
  BOOST_TEST((refusal() == errc::unknown_sequence));
  caf::anon_send(node, commit);
  sim.run();
  BOOST_TEST(answers().empty());
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_life_stays_cancelled, fixture) {
  send(cancel_sequence{1, 3});
  for (epoch_t e : {1, 3}) {
    send(offer(1, e));
    BOOST_TEST((refusal() == errc::stale_epoch));
  }
  send(offer(1, 4));
  BOOST_TEST(granted());
  send(cancel_sequence{1, 4});
  BOOST_TEST((refusal() == errc::cancelled));
  expect_empty(status());
  send(cancel_sequence{1, 4});
  send(cancel_sequence{99, 1});
  BOOST_TEST(answers().empty());
}

BOOST_FIXTURE_TEST_CASE(a_newer_life_replaces_an_older_one, fixture) {
  hand_over(offer(1, 1, 12));
  while (outputs->empty())
    sim.step();
  caf::send_as(source, node, offer(1, 2, 12));
  sim.run();
  BOOST_TEST(outputs->size() < 11u);
  BOOST_TEST(status().sequences == 1u);
  BOOST_TEST(status().blocks_in_use == 2u);
  answers();
  send(offer(1, 1, 12));
  BOOST_TEST((refusal() == errc::stale_epoch));
  send(kv_abort{1, 2, errc::cancelled, ""});
  expect_empty(status());
}

BOOST_FIXTURE_TEST_CASE(an_aborted_offer_cannot_come_back, fixture) {
  send(offer());
  send(kv_abort{1, 1, errc::cancelled, ""});
  answers();
  send(offer());
  BOOST_TEST((refusal() == errc::stale_epoch));
  expect_empty(status());
}

// -- waiting ------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(offers_wait_in_order_and_are_told_so, fixture) {
  for (seq_id s : {1, 2, 3, 4}) { // eight blocks
    send(offer(s));
    BOOST_TEST(granted());
  }
  send(offer(5));
  BOOST_TEST(!granted());
  send(offer(6));
  BOOST_TEST(!granted());
  send(offer(5)); // asked again
  BOOST_TEST(!granted());
  BOOST_TEST(status().waiting == 2u);
  send(cancel_sequence{2, 1});
  auto all = answers();
  BOOST_REQUIRE_EQUAL(all.size(), 2u);
  BOOST_TEST(std::get<kv_grant>(all[1]).seq == 5u);
  BOOST_TEST(status().waiting == 1u);
  send(kv_abort{6, 1, errc::cancelled, ""}); // the waiting one leaves
  send(kv_abort{1, 1, errc::cancelled, ""});
  BOOST_TEST(status().waiting == 0u);
  BOOST_TEST(status().blocks_in_use == 6u);
}

BOOST_FIXTURE_TEST_CASE(the_end_of_a_sequence_lets_the_next_in, fixture) {
  for (seq_id s : {1, 2, 3})
    send(offer(s));
  hand_over(offer(4));
  send(offer(5));
  auto all = answers();
  BOOST_REQUIRE_EQUAL(all.size(), 3u); // accepted, wait, granted
  BOOST_TEST(std::get<kv_grant>(all[1]).credit == 0u);
  BOOST_TEST(std::get<kv_grant>(all[2]).credit > 0u);
}

BOOST_FIXTURE_TEST_CASE(the_death_of_a_source_frees_its_handoffs, fixture) {
  for (seq_id s : {1, 2, 3, 4, 5})
    send(offer(s));
  sim.kill(source);
  sim.run();
  expect_empty(status());
}

BOOST_FIXTURE_TEST_CASE(a_running_sequence_survives_its_source, fixture) {
  hand_over(offer());
  sim.kill(source);
  sim.run();
  BOOST_TEST(outputs->size() == 5u);
}

BOOST_FIXTURE_TEST_CASE(nothing_runs_for_a_dead_stream, fixture) {
  hand_over(offer(1, 1, 12));
  while (outputs->empty())
    sim.step();
  send(offer(2));
  answers();
  sim.kill(stream);
  sim.run();
  expect_empty(status());
  BOOST_TEST((refusal() == errc::cancelled));
}

BOOST_FIXTURE_TEST_CASE(a_silent_source_loses_its_blocks, fixture) {
  send(offer());
  sim.drain(10min);
  auto all = answers();
  BOOST_TEST((std::get<kv_abort>(all.back()).code == errc::timeout));
  expect_empty(status());
  BOOST_TEST(!sim.scheduler().has_pending_timeout());
}

BOOST_AUTO_TEST_CASE(an_offer_that_waits_outlives_the_lease) {
  auto c = cluster{{.decode_blocks = 6}};
  // Somebody holds all blocks for five minutes, then falls to its own lease.
  auto f = fixture{};
  auto told = std::make_shared<node_log>();
  auto source = c.sim.spawn(fake_prefill, told);
  auto o = f.offer(9999);
  o.source = caf::actor_cast<kv_source_actor>(source);
  o.stream = caf::actor_cast<stream_actor>(c.gate);
  o.spec.max_tokens = 70;
  o.offer.max_blocks = 6;
  caf::anon_send(c.decodes[0], o);
  c.sim.run();
  BOOST_REQUIRE_EQUAL(c.status(c.decodes[0]).blocks_in_use, 6u);
  auto r = varied_request(1);
  c.submit(r);
  c.sim.drain(4min);
  BOOST_TEST(c.status(c.decodes[0]).waiting == 1u);
  for (auto& e : c.answer(r.request).finishes)
    BOOST_ERROR("ended early: " << to_string(e.code) << " " << e.message);
  c.sim.drain(10min);
  c.expect_exact(r);
  expect_empty(c.status(c.decodes[0]));
  expect_empty(c.status(c.prefills[0]));
}

BOOST_FIXTURE_TEST_CASE(loads_are_told_at_once_and_when_all_is_done, fixture) {
  auto heard = std::make_shared<std::vector<node_load>>();
  send(watch_load{sim.spawn(fake_load_sink, heard)});
  BOOST_REQUIRE_EQUAL(heard->size(), 1u);
  for (seq_id seq : {1, 2}) {
    auto job = prefill_job{offer(seq).spec, {}, stream};
    send(job);
    BOOST_REQUIRE_EQUAL(heard->size(), seq + 1);
    BOOST_TEST(heard->back().rows == 0u);
    BOOST_TEST(heard->back().prompt_tokens == 0u);
    BOOST_TEST(heard->back().blocks == 8u);
  }
}

BOOST_FIXTURE_TEST_CASE(first_tokens_go_before_a_load_is_told, fixture) {
  auto heard = std::make_shared<std::vector<node_load>>();
  send(watch_load{sim.spawn(fake_load_sink, heard)});
  sim.advance(1s); // it is time for the next one
  caf::send_as(source, node, prefill_job{offer().spec, {}, stream});
  while (outputs->empty())
    BOOST_REQUIRE(sim.step());
  BOOST_TEST(heard->size() == 1u);
  sim.run();
  BOOST_TEST(heard->size() > 1u);
  BOOST_TEST(heard->back().rows == 0u);
}

BOOST_FIXTURE_TEST_CASE(loads_are_not_put_off_for_ever, fixture) {
  struct {
    size_t sent = 0;
    void send(const load_sink&, const node_load&) { ++sent; }
  } self;
  auto heard = std::make_shared<std::vector<node_load>>();
  auto sink = sim.spawn(fake_load_sink, heard);
  auto r = std::make_unique<load_reporter>();
  r->watch(sink);
  auto now = time_point{};
  for (auto i = 0; i < 20; ++i)
    r->report(&self, now += 1s, false, true, [] { return node_load{}; });
  BOOST_TEST(self.sent == 4u);
}

BOOST_AUTO_TEST_SUITE_END()
