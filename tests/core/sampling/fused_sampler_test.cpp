#include "core/sampling/fused_sampler.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include <boost/test/unit_test.hpp>

#include "core/base/random.hpp"
#include "tests/core/sampling/plain_sampler.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

// About normal, of deviation `spread`.
std::vector<float> random_logits(size_t n, uint64_t seed, double spread = 2) {
  auto out = std::vector<float>(n);
  for (auto i = size_t{0}; i < n; ++i) {
    auto sum = -6.0;
    for (auto j = 0u; j < 12; ++j)
      sum += random_unit(seed, i, j);
    out[i] = static_cast<float>(sum * spread);
  }
  return out;
}

sampled sample(std::span<const float> logits, const sampling_params& p,
               uint64_t position = 0, std::span<const token_id> prompt = {},
               std::span<const token_id> generated = {}) {
  auto s = fused_sampler{};
  auto out = s.sample(logits, prompt, generated, position, p);
  if (!out)
    BOOST_FAIL(to_string(out.failure()));
  return *out;
}

std::string refusal(std::span<const float> logits, const sampling_params& p,
                    std::span<const token_id> prompt = {}) {
  auto out = fused_sampler{}.sample(logits, prompt, {}, 0, p);
  BOOST_REQUIRE(!out);
  BOOST_TEST(to_string(out.failure().code) == "invalid_argument");
  return out.failure().message;
}

sampling_params with(const std::function<void(sampling_params&)>& change) {
  auto p = sampling_params{};
  change(p);
  return p;
}

// Every kind of parameters, chosen by `r`.
sampling_params random_params(uint64_t r, size_t vocab) {
  auto pick = [&](std::initializer_list<float> of) {
    auto x = of.begin()[r % of.size()];
    r /= of.size();
    return x;
  };
  auto p = sampling_params{};
  p.temperature = pick({0.1f, 0.8f, 1.f, 1.7f});
  p.top_k = static_cast<uint32_t>(pick({0.f, 0.f, 2.f, 5.f, 40.f, 1e6f}));
  p.top_p = pick({1.f, 1.f, 0.95f, 0.5f, 0.01f});
  p.min_p = pick({0.f, 0.f, 0.05f, 0.5f});
  p.repetition_penalty = pick({1.f, 1.f, 1.3f, 0.7f});
  p.presence_penalty = pick({0.f, 0.f, 0.6f, -1.f});
  p.frequency_penalty = pick({0.f, 0.f, 0.4f});
  p.repeat_last_n = static_cast<uint32_t>(pick({0.f, 3.f, 64.f}));
  if (pick({0.f, 1.f}) != 0.f)
    p.logit_bias = {{token_id(r % vocab), 3.f},
                    {token_id(r % 7 % vocab), -2.f}};
  p.seed = r;
  return p;
}

} // namespace

BOOST_AUTO_TEST_SUITE(fused_sampling)

BOOST_AUTO_TEST_CASE(tokens_are_those_of_the_plain_twin) {
  auto s = fused_sampler{}; // one for all: scratch from before must not matter
  auto cases = 0;
  for (auto vocab : {1, 2, 5, 31, 32, 33, 64, 100, 257, 1000, 3001})
    for (auto i = 0u; i < 150; ++i) {
      auto r = random_bits(7, i, static_cast<uint32_t>(vocab));
      auto n = static_cast<size_t>(vocab);
      auto logits = random_logits(n, r, 0.5 + i % 5);
      if (i % 10 == 0) // many ties
        for (auto& x : logits)
          x = std::round(x);
      auto p = random_params(r, n);
      auto history = std::vector<token_id>{};
      for (auto j = 0u; j < 20; ++j)
        history.push_back(token_id(random_bits(r, j) % n));
      auto prompt = std::span{history}.first(12);
      auto generated = std::span<const token_id>{history}.subspan(12);
      auto plain = plain_distribution_of(logits, prompt, generated, p);
      auto wanted = plain_draw(plain, random_unit(p.seed, i));
      auto got = s.sample(logits, prompt, generated, i, p);
      BOOST_REQUIRE(got);
      if (got->id != wanted)
        BOOST_ERROR("vocabulary " << vocab << ", case " << i << ": " << got->id
                                  << ", expected " << wanted);
      ++cases;
    }
  BOOST_TEST(cases == 1650);
}

BOOST_AUTO_TEST_CASE(drawn_frequencies_fit_the_distribution) {
  // Pearson's chi-square, 20,000 draws; the bound is that of one in 10,000.
  struct setting {
    const char* name;
    std::function<void(sampling_params&)> change;
  };
  auto logits = random_logits(200, 3, 1.5);
  const auto generated = std::vector<token_id>{1, 1, 2, 3, 5, 8, 13, 21};
  auto s = fused_sampler{};
  for (auto& [name, change] : {
           setting{"as is", [](auto&) {}},
           setting{"cool", [](auto& p) { p.temperature = 0.5f; }},
           setting{"hot", [](auto& p) { p.temperature = 2.f; }},
           setting{"top-k", [](auto& p) { p.top_k = 10; }},
           setting{"top-p", [](auto& p) { p.top_p = 0.7f; }},
           setting{"min-p", [](auto& p) { p.min_p = 0.1f; }},
           setting{"all three",
                   [](auto& p) {
                     p.temperature = 0.8f;
                     p.top_k = 50;
                     p.top_p = 0.9f;
                     p.min_p = 0.05f;
                   }},
           setting{"penalties",
                   [](auto& p) {
                     p.repetition_penalty = 1.5f;
                     p.presence_penalty = 0.5f;
                     p.frequency_penalty = 0.5f;
                   }},
           setting{"bias",
                   [](auto& p) {
                     p.logit_bias = {{0, 4.f}, {7, -INFINITY}};
                   }},
       }) {
    constexpr auto draws = 20000;
    auto p = with(change);
    p.seed = 2024;
    auto counts = std::map<token_id, int>{};
    for (auto i = 0; i < draws; ++i)
      ++counts[s.sample(logits, {}, generated, uint64_t(i), p)->id];
    auto chi = 0.0, rest = 1.0;
    auto cells = 0, rest_count = draws, seen = 0;
    for (auto& e : plain_distribution_of(logits, {}, generated, p).kept) {
      auto n = counts.contains(e.id) ? counts[e.id] : 0;
      seen += n;
      auto expected = e.probability * draws;
      if (expected < 10)
        continue; // the rare ones share a cell
      chi += (n - expected) * (n - expected) / expected;
      ++cells;
      rest -= e.probability;
      rest_count -= n;
    }
    BOOST_TEST(seen == draws, name << ": tokens that were cut were drawn");
    if (rest * draws >= 10) {
      auto expected = rest * draws;
      chi += (rest_count - expected) * (rest_count - expected) / expected;
      ++cells;
    }
    // Wilson and Hilferty's approximation of the chi-square quantile.
    auto df = cells - 1.0;
    auto root = 1 - 2 / (9 * df) + 3.719 * std::sqrt(2 / (9 * df));
    BOOST_TEST(chi < df * root * root * root,
               name << ": " << chi << " with " << df);
    BOOST_TEST(df >= 3);
  }
}

BOOST_AUTO_TEST_CASE(greedy_takes_the_largest_and_of_ties_the_lowest_id) {
  auto p = with([](auto& p) { p.temperature = 0.f; });
  for (auto n : {1, 5, 32, 33, 100}) {
    auto logits = std::vector<float>(size_t(n), 1.f);
    BOOST_TEST(sample(logits, p).id == 0);
    logits[size_t(n) - 1] = 2.f;
    BOOST_TEST(sample(logits, p).id == n - 1);
    logits[size_t(n) / 2] = 2.f;
    BOOST_TEST(sample(logits, p).id == n / 2);
  }
  auto zeros = std::vector<float>{-0.f, 0.f, -0.f};
  BOOST_TEST(sample(zeros, p).id == 0);
}

BOOST_AUTO_TEST_CASE(settings_that_leave_one_token_are_greedy) {
  auto logits = random_logits(500, 11);
  auto best =
      token_id(std::max_element(logits.begin(), logits.end()) - logits.begin());
  for (auto i = 0u; i < 50; ++i) {
    auto check = [&](const std::function<void(sampling_params&)>& change) {
      auto p = with(change);
      p.seed = i;
      BOOST_TEST(sample(logits, p, i).id == best);
    };
    check([](auto& p) { p.top_k = 1; });
    check([](auto& p) { p.top_p = 0.f; });
    check([](auto& p) { p.top_p = 1e-6f; });
    check([](auto& p) {
      p.top_p = 1e-6f;
      p.top_k = 20;
    });
    check([](auto& p) { p.min_p = 1.f; });
    check([](auto& p) { p.temperature = 1e-6f; });
    check([](auto& p) { p.temperature = 1e-45f; });
    check([](auto& p) {
      p.temperature = 1e-45f;
      p.top_k = 20;
    });
  }
}

BOOST_AUTO_TEST_CASE(top_k_beyond_the_vocabulary_is_off) {
  auto logits = random_logits(50, 5);
  for (auto i = 0u; i < 50; ++i)
    for (auto k : {50u, 51u, 4000000000u})
      BOOST_TEST(sample(logits, with([&](auto& p) { p.top_k = k; }), i).id
                 == sample(logits, {}, i).id);
}

BOOST_AUTO_TEST_CASE(ties_at_the_cut_go_to_the_lowest_ids) {
  auto logits = std::vector<float>(100, 0.f);
  logits[60] = 1.f;
  auto kept = [&](const sampling_params& p) {
    auto seen = std::map<token_id, int>{};
    for (auto i = 0u; i < 300; ++i)
      ++seen[sample(logits, p, i).id];
    auto ids = std::vector<token_id>{};
    for (auto& [id, n] : seen)
      ids.push_back(id);
    return ids;
  };
  auto wanted = std::vector<token_id>{0, 1, 60};
  BOOST_TEST(kept(with([](auto& p) { p.top_k = 3; })) == wanted);
  // e + 1 of e + 99 is 0.0365; two more tokens reach 0.045.
  BOOST_TEST(kept(with([](auto& p) { p.top_p = 0.04f; })) == wanted);
}

BOOST_AUTO_TEST_CASE(a_vocabulary_of_one) {
  auto logits = std::vector<float>{-3.f};
  auto p = with([](auto& p) {
    p.top_k = 5;
    p.top_p = 0.5f;
    p.min_p = 0.5f;
    p.want_logprob = true;
    p.logprobs = 5;
  });
  auto got = sample(logits, p);
  BOOST_TEST(got.id == 0);
  BOOST_TEST(got.logprob == 0.f);
  BOOST_TEST(got.top.size() == 1u);
}

// -- penalties by hand -------------------------------------------------------

BOOST_AUTO_TEST_CASE(repetition_divides_positive_and_multiplies_negative) {
  auto p = with([](auto& p) {
    p.temperature = 0.f;
    p.repetition_penalty = 2.f;
  });
  auto seen = std::vector<token_id>{0};
  BOOST_TEST(sample(std::vector<float>{3.f, 1.6f}, p, 0, seen).id == 1);
  BOOST_TEST(sample(std::vector<float>{3.f, 1.4f}, p, 0, seen).id == 0);
  BOOST_TEST(sample(std::vector<float>{-1.f, -1.9f}, p, 0, seen).id == 1);
  BOOST_TEST(sample(std::vector<float>{-1.f, -2.1f}, p, 0, seen).id == 0);
  // Once, however often it was seen, and in either part.
  auto often = std::vector<token_id>{0, 0, 0};
  BOOST_TEST(sample(std::vector<float>{3.f, 1.4f}, p, 0, often, often).id == 0);
  BOOST_TEST(sample(std::vector<float>{3.f, 1.6f}, p, 0, {}, seen).id == 1);
}

BOOST_AUTO_TEST_CASE(repetition_looks_back_so_far) {
  auto logits = std::vector<float>{3.f, 2.f, 0.f};
  auto prompt = std::vector<token_id>{0, 2};
  auto generated = std::vector<token_id>{2, 2};
  auto id_with = [&](uint32_t n) {
    auto p = with([&](auto& p) {
      p.temperature = 0.f;
      p.repetition_penalty = 2.f;
      p.repeat_last_n = n;
    });
    return sample(logits, p, 2, prompt, generated).id;
  };
  BOOST_TEST(id_with(1) == 0);
  BOOST_TEST(id_with(3) == 0); // 2 of the answer, 1 of the prompt
  BOOST_TEST(id_with(4) == 1);
  BOOST_TEST(id_with(5) == 1);
  BOOST_TEST(id_with(0) == 1);
}

BOOST_AUTO_TEST_CASE(presence_counts_once_and_frequency_each_time) {
  auto generated = std::vector<token_id>{0, 0, 0, 1};
  auto prompt = std::vector<token_id>{2, 2, 2};
  auto id_of = [&](float a, float b, float c, float presence, float each) {
    auto p = with([&](auto& p) {
      p.temperature = 0.f;
      p.presence_penalty = presence;
      p.frequency_penalty = each;
    });
    auto logits = std::vector<float>{a, b, c};
    return sample(logits, p, 4, prompt, generated).id;
  };
  BOOST_TEST(id_of(3.f, 0.f, 2.1f, 1.f, 0.f) == 2); // 3 - 1 < 2.1
  BOOST_TEST(id_of(3.f, 0.f, 1.9f, 1.f, 0.f) == 0);
  BOOST_TEST(id_of(3.f, 2.1f, -9.f, 0.f, 0.5f) == 1); // 1.5 and 1.6
  BOOST_TEST(id_of(3.f, 1.9f, -9.f, 0.f, 0.5f) == 0);
  BOOST_TEST(id_of(3.f, 0.f, 0.6f, 1.f, 0.5f) == 2); // 0.5: both together
  BOOST_TEST(id_of(1.f, 0.f, 1.9f, -1.f, 0.f) == 0); // a reward
}

BOOST_AUTO_TEST_CASE(biases_add_up_and_bans_hold) {
  auto greedy = with([](auto& p) {
    p.temperature = 0.f;
    p.logit_bias = {{1, 1.f}, {1, 1.5f}};
  });
  auto logits = std::vector<float>{2.f, 0.f, 1.f};
  BOOST_TEST(sample(logits, greedy).id == 1);
  auto ban = with([](auto& p) { p.logit_bias = {{0, -INFINITY}}; });
  for (auto i = 0u; i < 200; ++i)
    for (auto k : {0u, 2u, 3u}) {
      ban.top_k = k;
      BOOST_TEST(sample(logits, ban, i).id != 0);
    }
  ban.logit_bias = {{0, -INFINITY}, {2, -INFINITY}};
  BOOST_TEST(sample(logits, ban).id == 1);
}

// -- what cannot be, or hardly -----------------------------------------------

BOOST_AUTO_TEST_CASE(nothing_possible_is_an_error) {
  auto logits = std::vector<float>{1.f, 2.f};
  auto all = with([](auto& p) {
    p.logit_bias = {{0, -INFINITY}, {1, -INFINITY}};
  });
  BOOST_TEST(refusal(logits, all)
             == "no token is possible: each is banned or has no probability");
  auto none = std::vector<float>(100, -INFINITY);
  BOOST_TEST(refusal(none, {}).starts_with("no token is possible"));
  BOOST_TEST(refusal({}, {}) == "there are no logits");
}

BOOST_AUTO_TEST_CASE(nan_is_an_error_even_if_banned) {
  for (auto temperature : {0.f, 1.f})
    for (auto k : {0u, 5u})
      for (auto at : {0, 40, 99}) {
        auto logits = random_logits(100, 9);
        logits[size_t(at)] = NAN;
        auto p = with([&](auto& p) {
          p.temperature = temperature;
          p.top_k = k;
        });
        BOOST_TEST(refusal(logits, p) == "the logits hold NaN");
        p.logit_bias = {{at, -INFINITY}};
        BOOST_TEST(refusal(logits, p) == "the logits hold NaN");
      }
}

BOOST_AUTO_TEST_CASE(infinite_logits_take_all) {
  auto logits = random_logits(100, 9);
  logits[30] = logits[70] = INFINITY;
  auto s = fused_sampler{};
  for (auto k : {0u, 1u, 2u, 5u}) {
    auto p = with([&](auto& p) { p.top_k = k; });
    auto seen = std::map<token_id, int>{};
    for (auto i = 0u; i < 200; ++i)
      ++seen[s.sample(logits, {}, {}, i, p)->id];
    BOOST_TEST(seen[30] + seen[70] == 200);
    if (k != 1)
      BOOST_TEST(std::min(seen[30], seen[70]) > 60);
  }
  auto p = with([](auto& p) {
    p.temperature = 0.f;
    p.want_logprob = true;
    p.logprobs = 5;
  });
  auto got = sample(logits, p);
  BOOST_TEST(got.id == 30);
  BOOST_TEST(got.logprob == std::log(0.5f));
  BOOST_TEST(got.top.size() == 2u);
  p.logit_bias = {{30, -INFINITY}};
  BOOST_TEST(sample(logits, p).id == 70);
}

BOOST_AUTO_TEST_CASE(extreme_but_finite_logits) {
  auto logits = std::vector<float>(100, -3e38f);
  logits[50] = 3e38f;
  for (auto k : {0u, 5u}) {
    auto p = with([&](auto& p) {
      p.top_k = k;
      p.temperature = 100.f;
      p.want_logprob = true;
    });
    auto got = sample(logits, p);
    BOOST_TEST(got.id == 50);
    BOOST_TEST(got.logprob == 0.f);
  }
}

BOOST_AUTO_TEST_CASE(ids_out_of_range_are_refused) {
  auto logits = std::vector<float>{1.f, 2.f};
  auto p = with([](auto& p) { p.repetition_penalty = 2.f; });
  for (auto id : {-1, 2, 1 << 30}) {
    auto ids = std::vector<token_id>{0, id};
    BOOST_TEST(refusal(logits, p, ids)
               == "a token to penalise is not in the vocabulary");
    auto biased = with([&](auto& p) { p.logit_bias = {{id, 1.f}}; });
    BOOST_TEST(refusal(logits, biased).find("no such token")
               != std::string::npos);
  }
}

// -- randomness --------------------------------------------------------------

BOOST_AUTO_TEST_CASE(seed_and_position_decide_and_nothing_else_does) {
  auto logits = random_logits(400, 1, 1);
  auto other = random_logits(900, 2, 3);
  auto busy = fused_sampler{};
  auto distinct = std::map<token_id, int>{};
  for (auto i = 0u; i < 100; ++i)
    for (auto k : {0u, 30u}) {
      auto p = with([&](auto& p) {
        p.top_k = k;
        p.top_p = 0.95f;
        p.repetition_penalty = 1.2f;
        p.seed = 99;
      });
      auto history = std::vector<token_id>{3, 1, 4, 1, 5};
      auto fresh = sample(logits, p, i, history);
      // Between other requests, of another vocabulary too, and failed ones.
      BOOST_TEST(busy.sample(other, history, history, i, p).ok());
      BOOST_TEST(!busy.sample({}, {}, {}, 0, p));
      auto again = busy.sample(logits, history, {}, i, p);
      BOOST_REQUIRE(again);
      BOOST_TEST(again->id == fresh.id);
      ++distinct[fresh.id];
    }
  BOOST_TEST(distinct.size() > 50u);
  auto differ = 0;
  for (auto i = 0u; i < 100; ++i) {
    auto a = with([&](auto& p) { p.seed = i; });
    auto b = with([&](auto& p) { p.seed = i + 1000; });
    differ += sample(logits, a).id != sample(logits, b).id;
  }
  BOOST_TEST(differ > 80);
}

// -- log-probabilities -------------------------------------------------------

BOOST_AUTO_TEST_CASE(logprobs_are_the_model_s_own) {
  auto logits = random_logits(777, 4);
  auto norm = 0.0;
  for (auto x : logits)
    norm += std::exp(double{x});
  auto p = with([](auto& p) {
    p.temperature = 0.3f;
    p.top_k = 20;
    p.repetition_penalty = 1.7f;
    p.logit_bias = {{5, 9.f}};
    p.want_logprob = true;
    p.logprobs = 20;
  });
  auto history = std::vector<token_id>{1, 2, 3};
  for (auto i = 0u; i < 20; ++i) {
    auto got = sample(logits, p, i, history);
    auto logprob = [&](token_id id) {
      return static_cast<float>(logits[size_t(id)] - std::log(norm));
    };
    BOOST_TEST(got.logprob == logprob(got.id),
               boost::test_tools::tolerance(1e-5f));
    BOOST_REQUIRE(got.top.size() == 20u);
    auto order = std::vector<token_id>{};
    for (auto j = 0; j < 777; ++j)
      order.push_back(j);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
      return logits[size_t(a)] > logits[size_t(b)];
    });
    for (auto j = size_t{0}; j < 20; ++j) {
      BOOST_TEST(got.top[j].id == order[j]);
      BOOST_TEST(got.top[j].logprob == logprob(order[j]),
                 boost::test_tools::tolerance(1e-5f));
    }
  }
}

BOOST_AUTO_TEST_CASE(logprobs_do_not_change_the_token) {
  auto logits = random_logits(300, 8);
  for (auto i = 0u; i < 50; ++i)
    for (auto k : {0u, 10u}) {
      auto p = with([&](auto& p) { p.top_k = k; });
      auto plain = sample(logits, p, i);
      BOOST_TEST(plain.logprob == 0.f);
      BOOST_TEST(plain.top.empty());
      p.want_logprob = true;
      auto with_it = sample(logits, p, i);
      BOOST_TEST(with_it.id == plain.id);
      BOOST_TEST(with_it.logprob < 0.f);
      BOOST_TEST(with_it.top.empty());
    }
}

BOOST_AUTO_TEST_SUITE_END()
