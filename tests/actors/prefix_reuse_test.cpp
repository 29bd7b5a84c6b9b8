#include <boost/test/unit_test.hpp>

#include "core/base/random.hpp"
#include "tests/support/actors/cluster.hpp"

using namespace troupe;
using namespace troupe::testing;

// Prompts that begin alike share KV, and nobody can tell from the tokens.

namespace {

// A prompt of `length` tokens, the first `common` of which all have.
generate_request request(uint32_t n, uint32_t length, uint32_t common,
                         uint32_t max_tokens = 5) {
  auto r = varied_request(n, max_tokens);
  r.request = 1'000'000 * (1 + n) + 1000 * length + common;
  r.prompt.clear();
  for (uint32_t i = 0; i < length; ++i)
    r.prompt.push_back(static_cast<token_id>(
        3 + random_bits(i < common ? 77 : 78 + n, i) % 290));
  return r;
}

cluster_options separate(uint64_t seed = 0) {
  return {.cached_blocks = 16, .seed = seed};
}

cluster_options mixed(uint64_t seed = 0) {
  return {.mixed = 1, .cached_blocks = 16, .seed = seed};
}

node_status prefiller(cluster& c) {
  return c.mixed.empty() ? c.status(c.prefills[0]) : c.status(c.mixed[0]);
}

uint32_t cached(cluster& c, const generate_request& r) {
  c.submit(r);
  c.expect_idle();
  c.expect_exact(r);
  return c.heard->end(r.request).cached_tokens;
}

} // namespace

BOOST_AUTO_TEST_SUITE(prefix_reuse)

BOOST_AUTO_TEST_CASE(the_same_prompt_again_is_computed_once) {
  for (auto& o : {separate(), mixed()})
    for (uint32_t length : {1, 15, 16, 17, 32, 33, 48, 90}) {
      auto c = cluster{o};
      BOOST_TEST(cached(c, request(1, length, length)) == 0u);
      auto steps = prefiller(c).steps;
      // A token is left, whose logits are the answer's first.
      BOOST_TEST(cached(c, request(2, length, length))
                 == (length - 1) / 16 * 16);
      if (length > 32)
        BOOST_TEST(prefiller(c).steps - steps < steps);
      BOOST_TEST(prefiller(c).hit_tokens == (length - 1) / 16 * 16);
    }
}

BOOST_AUTO_TEST_CASE(as_much_is_shared_as_is_equal) {
  for (auto& o : {separate(), mixed()})
    for (uint32_t common : {0, 1, 15, 16, 17, 31, 32, 33, 47, 48, 49}) {
      auto c = cluster{o};
      cached(c, request(1, 60, common));
      BOOST_TEST(cached(c, request(2, 60, common)) == common / 16 * 16,
                 "of " << common);
      // And a short one, and a long one.
      auto most = std::min(common, 36u);
      BOOST_TEST(cached(c, request(3, 37, most)) == most / 16 * 16);
      cached(c, request(4, 130, common));
    }
}

BOOST_AUTO_TEST_CASE(an_answer_is_part_of_the_next_prompt) {
  auto c = cluster{mixed()};
  auto r = request(1, 20, 20, 40);
  BOOST_TEST(cached(c, r) == 0u);
  auto next = request(2, 0, 0);
  next.request += 1;
  next.prompt = r.prompt;
  auto answer = plain_answer(r);
  next.prompt.insert(next.prompt.end(), answer.begin(), answer.end());
  next.prompt.insert(next.prompt.end(), {4, 5, 6});
  // The last token of the answer was never computed.
  BOOST_TEST(cached(c, next) == 48u);
}

BOOST_AUTO_TEST_CASE(tenants_share_nothing) {
  for (auto& o : {separate(), mixed()}) {
    auto c = cluster{o};
    auto of = [&](uint32_t n, const char* salt) {
      auto r = request(n, 50, 50);
      r.cache_salt = salt;
      return cached(c, r);
    };
    BOOST_TEST(of(1, "a") == 0u);
    BOOST_TEST(of(2, "b") == 0u);
    BOOST_TEST(of(3, "") == 0u);
    BOOST_TEST(of(4, "a") == 48u);
    BOOST_TEST(of(5, "") == 48u);
    auto r = request(6, 50, 50);
    r.cache_salt.assign(max_salt_bytes + 1, 'x');
    auto e = c.sim.ask_error<admitted>(c.gate, submit{r, c.client});
    BOOST_TEST(bool(e));
  }
}

BOOST_AUTO_TEST_CASE(those_who_come_together_share_too) {
  for (uint64_t seed : {0, 1, 2, 3})
    for (auto& o : {separate(seed), mixed(seed)}) {
      auto c = cluster{o};
      for (uint32_t n = 0; n < 8; ++n)
        c.submit(request(n, 60, 50));
      c.expect_idle();
      for (uint32_t n = 0; n < 8; ++n)
        c.expect_exact(request(n, 60, 50));
      BOOST_TEST(prefiller(c).hit_tokens == 7u * 48u);
    }
}

BOOST_AUTO_TEST_CASE(the_cache_makes_way_for_requests) {
  for (auto o : {separate(), mixed()}) {
    o.prefill_blocks = o.mixed_blocks = o.cached_blocks = 8;
    auto c = cluster{o};
    for (uint32_t n = 0; n < 4; ++n)
      cached(c, request(n, 70, 20));
    auto s = prefiller(c);
    BOOST_TEST(s.cached_blocks > 6u);
    BOOST_TEST(s.blocks_in_use == 0u);
    cached(c, request(9, 120, 0));
    BOOST_TEST(prefiller(c).cached_blocks >= 7u);
  }
}

BOOST_AUTO_TEST_CASE(under_pressure_answers_stay_exact) {
  for (uint64_t seed : {0, 1, 2, 3})
    for (auto o : {separate(seed), mixed(seed)}) {
      o.prefill_blocks = o.decode_blocks = 7;
      o.mixed_blocks = 9;
      o.cached_blocks = 6;
      auto c = cluster{o};
      for (uint32_t n = 0; n < 16; ++n)
        c.submit(request(n, 20 + n * 4, n % 3 * 17));
      c.expect_idle();
      for (uint32_t n = 0; n < 16; ++n)
        c.expect_exact(request(n, 20 + n * 4, n % 3 * 17));
    }
}

// Not the tokens alone: the logits that they were drawn from.
BOOST_AUTO_TEST_CASE(log_probabilities_are_the_same_bit_for_bit) {
  auto answers = [](cluster_options o) {
    auto c = cluster{o};
    auto all = std::vector<std::pair<token_id, float>>{};
    for (uint32_t n = 0; n < 12; ++n) {
      auto r = request(n, 30 + 5 * n, 29 + n);
      r.sampling.want_logprob = true;
      r.sampling.logprobs = 3;
      c.submit(r);
      // Some leave on the way.
      auto gone = request(50 + n, 90, 60, 30);
      c.submit(gone);
      c.sim.run(7 * n);
      c.cancel(gone.request);
      if (n % 3 == 2)
        c.expect_idle();
    }
    c.expect_idle();
    for (uint32_t n = 0; n < 12; ++n) {
      auto& a = c.answer(request(n, 30 + 5 * n, 29 + n).request);
      BOOST_REQUIRE_EQUAL(a.details.size(), 5u);
      for (auto& d : a.details) {
        all.emplace_back(d.id, d.logprob);
        for (auto& t : d.top)
          all.emplace_back(t.id, t.logprob);
      }
    }
    BOOST_TEST((prefiller(c).hit_tokens > 0) == (o.cached_blocks > 0));
    return all;
  };
  auto off = separate();
  off.cached_blocks = 0;
  auto expected = answers(off);
  for (auto o : {separate(), separate(5), mixed(), mixed(5)}) {
    BOOST_TEST((answers(o) == expected));
    o.prefill_chunk = 48;
    BOOST_TEST((answers(o) == expected));
  }
  off = mixed();
  off.cached_blocks = 0;
  BOOST_TEST((answers(off) == expected));
}

BOOST_AUTO_TEST_CASE(a_client_that_leaves_after_every_message) {
  auto r = request(1, 90, 80);
  for (auto& o : {separate(), mixed()})
    at_every_message(
        o, r, [&](cluster& c) { cached(c, request(2, 50, 40)); },
        [](cluster& c) { c.sim.kill(c.client); },
        [&](cluster& c) {
          c.sim.drain();
          c.client = c.sim.spawn(fake_client, c.heard);
          BOOST_TEST(cached(c, request(4, 60, 40)) == 32u);
        });
}

BOOST_AUTO_TEST_CASE(cancel_after_every_message) {
  auto r = request(1, 60, 40);
  for (uint64_t seed : {0, 1})
    for (auto& o : {separate(seed), mixed(seed)})
      at_every_message(
          o, r, [&](cluster& c) { cached(c, request(2, 50, 40)); },
          [&](cluster& c) {
            c.submit(request(3, 60, 40));
            c.sim.run(3);
            c.cancel(r.request);
          },
          [&](cluster& c) {
            c.expect_idle();
            c.heard->end(r.request);
            c.expect_exact(request(3, 60, 40));
            BOOST_TEST(cached(c, request(4, 60, 40)) == 32u);
          });
}

BOOST_AUTO_TEST_CASE(a_node_that_dies_after_every_message) {
  auto r = request(1, 60, 40);
  for (uint64_t seed : {0, 1})
    for (auto die = 0; die < 3; ++die) {
      auto o = die == 2 ? mixed(seed) : separate(seed);
      (die == 2 ? o.mixed : die == 1 ? o.decodes : o.prefills) = 2;
      at_every_message(
          o, r,
          [&](cluster& c) {
            // Both nodes know the prefix.
            c.submit(request(2, 50, 40));
            c.submit(request(3, 50, 40));
            c.expect_idle();
          },
          [&](cluster& c) {
            if (die == 0)
              c.sim.kill(c.prefills[0]);
            else if (die == 1)
              c.sim.kill(c.decodes[0]);
            else
              c.sim.kill(c.mixed[0]);
          },
          [&](cluster& c) {
            c.expect_idle();
            c.expect_exact(r);
          });
    }
}

BOOST_AUTO_TEST_SUITE_END()
