#include <functional>
#include <map>

#include "tests/actors/prefill_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

struct fixture : prefill_fixture {
  using prefill_fixture::prefill_fixture;

  // Hands a job in and runs until its first step has begun.
  void begin(const prefill_job& j) {
    caf::anon_send(node, j);
    while (told->offers.empty())
      BOOST_REQUIRE(sim.step());
  }

  decode_actor mortal = sim.spawn(fake_decode, told);
};

kv_layout tiny_layout() {
  return block_pool{tiny_arena(), 1}.layout();
}

// Of one block of the tiny model, which has two layers.
const auto layer_bytes = tiny_layout().layer_bytes();

// What the bytes of each layer of each block were when they arrived.
using image = std::map<std::pair<uint32_t, uint32_t>, std::string>;

void note(image& all, const kv_chunk& c) {
  BOOST_TEST((digest_of(tiny_layout(), c) == c.digest));
  BOOST_TEST(c.payload.bytes.empty()); // no byte was copied
  for (auto b = 0u; b < c.blocks; ++b)
    for (auto l = c.first_layer; l < c.first_layer + c.layers; ++l) {
      auto* from = reinterpret_cast<const char*>(c.payload.blocks[b].get());
      auto is_new = all.try_emplace({c.first_block + b, l},
                                    from + l * layer_bytes, layer_bytes)
                        .second;
      BOOST_TEST(is_new);
    }
}

// Takes over, one message at a time; returns the chunks and the first token.
std::pair<image, token_id> take_over(fixture& f, size_t prompt) {
  auto all = image{};
  f.begin(f.job(1, prompt));
  caf::send_as(f.decode, f.node, kv_grant{1, 1, 2});
  auto tokens = std::vector<token_id>{};
  while (f.sim.step())
    for (auto& m : f.answers()) {
      if (auto* c = std::get_if<kv_chunk>(&m)) {
        note(all, *c);
        caf::send_as(f.decode, f.node, kv_credit{1, 1, c->index});
      } else {
        tokens = std::get<kv_commit>(m).emitted;
      }
    }
  BOOST_REQUIRE_EQUAL(tokens.size(), 1u);
  BOOST_TEST(all.size() == 2 * kv_layout::blocks_for(prompt));
  return {all, tokens[0]};
}

} // namespace

BOOST_AUTO_TEST_SUITE(layer_streaming)

BOOST_AUTO_TEST_CASE(how_many_layers_go_at_once_does_not_show) {
  auto whole = fixture{size_t{1} << 20};
  auto want = take_over(whole, 70);
  for (auto bytes : {size_t{0}, size_t{1}, layer_bytes, layer_bytes + 1}) {
    auto parts = fixture{bytes};
    BOOST_TEST((take_over(parts, 70) == want));
  }
}

BOOST_AUTO_TEST_CASE(a_push_has_as_many_layers_as_its_bytes_say) {
  auto layers = [](size_t push_bytes) {
    auto f = fixture{push_bytes};
    f.send(f.job(1, 32)); // two steps, of a block each
    f.send(kv_grant{1, 1, 64});
    auto counts = std::vector<uint32_t>{};
    for (auto& m : f.answers())
      if (auto* c = std::get_if<kv_chunk>(&m))
        counts.push_back(c->layers);
    return counts;
  };
  auto each = std::vector<uint32_t>{1, 1, 1, 1};
  auto both = std::vector<uint32_t>{2, 2};
  BOOST_TEST(layers(0) == each);
  BOOST_TEST(layers(layer_bytes) == each);
  BOOST_TEST(layers(layer_bytes + 1) == both);
  BOOST_TEST(layers(9 * layer_bytes) == both);
}

BOOST_FIXTURE_TEST_CASE(credits_are_heard_between_layers, fixture) {
  begin(job(1, 48)); // three steps of two layers
  caf::send_as(decode, node, kv_grant{1, 1, 1});
  auto chunks = 0;
  while (outputs->empty() && sim.step())
    for (auto& m : answers()) {
      ++chunks;
      caf::send_as(decode, node, kv_credit{1, 1, std::get<kv_chunk>(m).index});
    }
  // More than there are steps, though each waits for the last one's credit.
  BOOST_TEST(chunks > 3);
  BOOST_TEST(chunks <= 6);
}

// Whatever ends a sequence between two layers of a step: nothing of it is left,
// and the next one is computed as if it had not been.
BOOST_AUTO_TEST_CASE(a_sequence_may_end_between_any_two_layers) {
  auto undisturbed = fixture{};
  undisturbed.send(undisturbed.job(2, 50));
  auto want = undisturbed.take_over(2).emitted;
  auto endings = std::vector<std::function<void(fixture&)>>{
      [](fixture& f) {
        f.send(cancel_sequence{1, 1});
      },
      [](fixture& f) {
        f.send(kv_abort{1, 1, errc::digest_mismatch, "no"});
      },
      [](fixture& f) { f.sim.kill(f.mortal), f.sim.run(); },
      [](fixture& f) {
        f.send(f.job(1, 90, 2)); // a newer life
        f.send(cancel_sequence{1, 2});
      },
  };
  for (auto& end : endings) {
    auto unfinished = 0;
    for (auto k = size_t{0};; ++k) {
      auto f = fixture{};
      auto j = f.job(1, 60);
      j.spec.prompt[49] = 9;
      j.decode = caf::actor_cast<kv_destination_actor>(f.mortal);
      f.begin(j);
      f.sim.run(k);
      auto over = !f.outputs->empty();
      end(f);
      expect_empty(f.status());
      f.answers();
      f.send(f.job(2, 50));
      BOOST_TEST(f.take_over(2).emitted == want,
                 boost::test_tools::per_element());
      f.send(kv_accepted{2, 1});
      expect_empty(f.status());
      if (over)
        break;
      ++unfinished;
    }
    // Four steps of three parts, the first of them done at the start.
    BOOST_TEST(unfinished >= 11);
  }
}

BOOST_AUTO_TEST_SUITE_END()
