#include <boost/test/unit_test.hpp>

#include "core/base/random.hpp"
#include "core/text/tokenizer.hpp"
#include "tests/support/actors/cluster.hpp"
#include "tests/support/sanitized.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

// The bundled model under everything that can happen to a request at once.

namespace {

#ifdef TROUPE_TEST_SANITIZED
constexpr uint32_t requests = 32;
#else
constexpr uint32_t requests = 200;
#endif

generate_request request_of(uint32_t n) {
  static auto text = *tokenizer::make(demo_model()->vocab);
  constexpr const char* subjects[] = {"owl", "boat", "lamp", "king", "fox"};
  auto r = generate_request{};
  r.request = 1000 + n;
  auto prompt = std::string{"Tell me a story about a clever "} + subjects[n % 5]
                + " and " + std::to_string(n) + " friends who";
  for (auto i = n % 7; i > 0; --i)
    prompt += " went over the hill and far away and then";
  r.prompt = text->encode(prompt);
  r.sampling.temperature = 0.8f;
  r.sampling.seed = n;
  r.max_tokens = 16 + n % 29;
  r.ignore_end = true;
  return r;
}

// All requests, nothing disturbed.
const std::vector<std::vector<token_id>>& undisturbed() {
  static auto answers = [] {
    auto c = cluster{{.max_batch = 16,
                      .mixed = 1,
                      .mixed_blocks = 4096,
                      .weights = demo_model()}};
    for (uint32_t n = 0; n < requests; ++n)
      c.submit(request_of(n));
    c.expect_idle();
    auto all = std::vector<std::vector<token_id>>{};
    for (uint32_t n = 0; n < requests; ++n) {
      BOOST_TEST((c.heard->end(1000 + n).reason == finish_reason::length));
      all.push_back(c.answer(1000 + n).tokens);
    }
    return all;
  }();
  return answers;
}

struct tally {
  uint64_t swaps = 0;
  uint64_t recomputes = 0;
  uint32_t moves = 0;
  uint32_t deaths = 0;
  uint32_t cancelled = 0;
};

// Lets `c` answer all requests while it is disturbed at random steps.
tally disturb(cluster& c, uint64_t seed) {
  auto t = tally{};
  auto draw = [&, n = uint64_t{0}](uint64_t below) mutable {
    return random_bits(seed, ++n) % below;
  };
  auto& nodes = c.mixed.empty() ? c.decodes : c.mixed;
  auto first = node_id{c.mixed.empty() ? 101u : 201u};
  auto count = [&](const decode_actor& node) {
    auto s = c.status(node);
    t.swaps += s.swaps;
    t.recomputes += s.recomputes;
  };
  auto next = uint32_t{0};
  auto under_way = std::vector<request_id>{};
  while (next < requests || !under_way.empty()) {
    std::erase_if(under_way,
                  [&](auto id) { return !c.answer(id).finishes.empty(); });
    while (under_way.size() < 40 && next < requests) {
      under_way.push_back(1000 + next);
      c.submit(request_of(next++));
    }
    if (under_way.empty())
      break;
    if (c.sim.run(4 + draw(12)) == 0)
      c.sim.advance(10ms);
    auto victim = under_way[draw(under_way.size())];
    auto at = draw(nodes.size());
    auto preempt = [&](preempt_way way) {
      for (auto& node : nodes)
        caf::anon_send(node, preempt_sequence{victim, way});
    };
    switch (draw(12)) {
    case 0:
    case 1:
    case 2:
      preempt(preempt_way::swap);
      break;
    case 3:
    case 4:
      preempt(preempt_way::recompute);
      break;
    case 5:
    case 6:
    case 7:
    case 8:
      for (auto& node : nodes)
        if (node != nodes[at])
          caf::anon_send(
              node,
              migrate_sequence{
                  victim, caf::actor_cast<kv_destination_actor>(nodes[at])});
      ++t.moves;
      break;
    case 9:
      if (draw(8) == 0)
        c.cancel(victim);
      break;
    case 10:
      if (draw(12) == 0) {
        count(nodes[at]);
        c.replace(static_cast<node_id>(first + at));
        ++t.deaths;
      }
      break;
    default:
      break;
    }
  }
  for (auto& node : nodes)
    count(node);
  for (uint32_t n = 0; n < requests; ++n) {
    auto& expected = undisturbed()[n];
    auto& got = c.answer(1000 + n);
    auto& end = c.heard->end(1000 + n);
    BOOST_TEST_CONTEXT("request " << n << ", seed " << seed) {
      BOOST_REQUIRE(got.in_order);
      if (end.reason == finish_reason::cancelled) {
        ++t.cancelled;
        BOOST_REQUIRE(got.tokens.size() <= expected.size());
        BOOST_REQUIRE(
            std::equal(got.tokens.begin(), got.tokens.end(), expected.begin()));
      } else {
        BOOST_REQUIRE_MESSAGE((end.reason == finish_reason::length),
                              to_string(end.code) << ": " << end.message);
        BOOST_REQUIRE(got.tokens == expected);
      }
    }
  }
  c.expect_idle();
  return t;
}

void expect_disturbed(const tally& t) {
  BOOST_TEST_MESSAGE("swaps " << t.swaps << ", recomputes " << t.recomputes
                              << ", moves " << t.moves << ", deaths "
                              << t.deaths << ", cancelled " << t.cancelled);
  BOOST_TEST(t.swaps > requests / 20);
  BOOST_TEST(t.recomputes > requests / 20);
  BOOST_TEST(t.moves > requests / 4);
  if (requests == 200) {
    BOOST_TEST(t.deaths > 0u);
    BOOST_TEST(t.cancelled > 0u);
    BOOST_TEST(t.cancelled < requests / 4);
  }
}

cluster_options chaos(cluster_options o) {
  o.prefill_chunk = 32;
  o.max_batch = 16;
  o.store_blocks = 64;
  o.file_blocks = 256;
  o.preempt = true;
  o.max_placements = 50;
  o.weights = demo_model();
  return o;
}

} // namespace

BOOST_AUTO_TEST_SUITE(chaos_suite)

BOOST_AUTO_TEST_CASE(two_hundred_requests_on_mixed_nodes) {
  auto c = cluster{
      chaos({.mixed = 3, .mixed_blocks = 128, .cached_blocks = 32, .seed = 5})};
  expect_disturbed(disturb(c, 1));
}

BOOST_AUTO_TEST_CASE(two_hundred_requests_on_prefill_and_decode_nodes) {
  auto o =
      chaos({.prefills = 3, .decodes = 3, .decode_blocks = 128, .seed = 6});
  o.prefill_chunk = 128;
  o.choose = false;
  auto c = cluster{o};
  expect_disturbed(disturb(c, 2));
}

BOOST_AUTO_TEST_SUITE_END()
