// A KV store with a real node, and with peers in another process.

#include "actors/decode_node.hpp"
#include "core/engine/engine.hpp"
#include "tests/actors/kv_store_fixture.hpp"
#include "tests/support/actors/sim_pair.hpp"

using namespace troupe;
using namespace troupe::testing;

BOOST_AUTO_TEST_SUITE(kv_store_nodes)

// Computes a sequence up to its `emitted`th token, swaps it out, has a real
// node resume it, and compares with an answer that nothing disturbed.
BOOST_AUTO_TEST_CASE(a_resumed_sequence_goes_on_to_the_token) {
  for (uint32_t n = 0; n < 8; ++n) {
    auto f = kv_store_fixture{{.blocks = 5, .file_blocks = 8}};
    auto r = varied_request(n);
    auto answer = plain_answer(r);
    auto emitted =
        std::vector<token_id>{answer.begin(), answer.begin() + 1 + n};
    auto tokens = r.prompt;
    tokens.insert(tokens.end(), emitted.begin(), emitted.end() - 1);
    auto length = static_cast<uint32_t>(tokens.size());

    auto o = f.offer(1);
    o.spec.prompt = r.prompt;
    o.spec.emitted = emitted;
    o.spec.sampling = r.sampling;
    o.spec.max_tokens = r.max_tokens;
    o.offer.blocks = kv_layout::blocks_for(length);
    o.offer.max_blocks = kv_layout::blocks_for(o.spec.max_length());
    auto heard = std::make_shared<std::vector<sequence_output>>();
    o.stream = f.sim.spawn(fake_stream, heard);

    auto& s = *f.at_home;
    s.table.grow(s.pool, length);
    auto row = batch_row{};
    row.table = &s.table;
    row.tokens = tokens;
    BOOST_REQUIRE(
        (engine{shared_tiny_model(), {1, 256}}.forward({&row, 1}).ok()));
    auto box = kv_outbox{};
    s.sender.emplace(o.offer, handoff_timing{});
    s.sender->push(s.table, 0, o.offer.blocks, 0, s.pool.layout().layers, {},
                   box);
    s.sender->finish(length, emitted, {}, box);
    caf::send_as(f.home, f.store, o);
    f.sim.run();
    BOOST_REQUIRE(s.sender->done());
    f.swap_out(2); // by the file, if the two do not fit
    auto node = f.sim.spawn(decode_node, tiny_node(2, f.arena, 8, {}));
    caf::anon_send(f.store,
                   fetch_sequence{1, first_life,
                                  caf::actor_cast<kv_destination_actor>(node)});
    f.sim.drain();
    for (auto& x : *heard)
      emitted.insert(emitted.end(), x.tokens.begin(), x.tokens.end());
    BOOST_TEST(emitted == answer, boost::test_tools::per_element());
    expect_empty(f.sim.ask<node_status>(node, status_query{}));
    f.resume(2);
    f.expect_nothing_stored();
  }
}

BOOST_AUTO_TEST_CASE(over_a_network_the_same_bytes_come_back) {
  for (auto sizes : {store_sizes{}, store_sizes{4, 8}}) {
    auto pair = sim_pair{};
    auto disk = std::make_shared<fake_file>();
    auto store =
        pair.near.spawn(kv_store, store_options(tiny_arena(), disk, sizes));
    auto f = swapping_peers{pair.far, [&] { pair.run(); }};
    f.store = pair.join(store);
    for (seq_id seq : {1, 2})
      f.swap_out(seq);
    BOOST_TEST(disk->writes == (sizes.file_blocks > 0 ? 2u : 0u));
    for (seq_id seq : {1, 2})
      f.resume(seq);
    f.offer_to_store(3);
    pair.run();
    pair.cut();
    pair.run();
    expect_empty(pair.near.ask<node_status>(store, status_query{}));
  }
}

BOOST_AUTO_TEST_SUITE_END()
