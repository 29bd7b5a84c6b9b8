#include "core/engine/expert_rows.hpp"

#include <boost/test/unit_test.hpp>
#include <limits>

#include "tests/core/engine/random_model.hpp"
#include "tests/core/engine/reference_parts.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

std::vector<chosen_expert> choose(const expert_hparams& e,
                                  const std::vector<float>& logits,
                                  const std::vector<float>& bias = {}) {
  auto scratch = std::vector<float>(choose_experts_scratch_floats(e));
  auto out = std::vector<chosen_expert>(e.used);
  choose_experts(e, logits.data(), bias, scratch.data(), out);
  return out;
}

std::vector<uint32_t> numbers(const std::vector<chosen_expert>& chosen) {
  auto out = std::vector<uint32_t>{};
  for (auto& x : chosen)
    out.push_back(x.expert);
  return out;
}

using ids = std::vector<uint32_t>;

} // namespace

BOOST_AUTO_TEST_SUITE(engine_expert_rows)

BOOST_AUTO_TEST_CASE(choices_agree_with_the_reference) {
  for (auto seed = 0u; seed < 200; ++seed) {
    auto e = expert_hparams{};
    e.groups = 1 + seed % 4;
    e.count = e.groups * (2 + seed % 5);
    e.groups_used = 1 + seed / 4 % e.groups;
    e.used = 1 + seed / 7 % (e.groups_used * (e.count / e.groups));
    e.normalise = seed % 2 == 0;
    e.scale = seed % 3 == 0 ? 2.5f : 1.f;
    e.gating = seed % 5 < 2 ? expert_gating::sigmoid : expert_gating::softmax;
    e.best_group =
        seed % 3 < 2 ? group_score::largest_two : group_score::largest;
    auto logits = random_values(seed, e.count, 3.f);
    auto bias = seed % 2 == 0 ? random_values(seed + 1000, e.count, 0.3f)
                              : std::vector<float>{};
    auto want = expert_weights(e, doubles(logits.begin(), logits.end()), bias);
    auto got = doubles(e.count);
    auto before = -1;
    for (auto& x : choose(e, logits, bias)) {
      BOOST_TEST(static_cast<int>(x.expert) > before);
      before = static_cast<int>(x.expert);
      got[x.expert] = x.weight;
    }
    for (auto i = 0u; i < e.count; ++i)
      BOOST_TEST(std::abs(got[i] - want[i]) <= 1e-6 * std::abs(want[i]));
  }
}

BOOST_AUTO_TEST_CASE(of_equal_scores_the_lower_number_is_better) {
  auto e = expert_hparams{};
  e.count = 6;
  e.used = 3;
  BOOST_TEST(numbers(choose(e, {1, 2, 1, 1, 1, 2})) == (ids{0, 1, 5}));
}

BOOST_AUTO_TEST_CASE(a_bias_chooses_but_does_not_weigh) {
  auto e = expert_hparams{};
  e.count = 3;
  e.used = 1;
  e.gating = expert_gating::sigmoid;
  auto got = choose(e, {0, 5, 5}, {1, 0, -1});
  BOOST_TEST(got[0].expert == 0u);
  BOOST_TEST(got[0].weight == 0.5f);
}

BOOST_AUTO_TEST_CASE(logits_that_are_no_numbers_still_choose_different_ones) {
  constexpr auto nan = std::numeric_limits<float>::quiet_NaN();
  constexpr auto inf = std::numeric_limits<float>::infinity();
  auto e = expert_hparams{};
  e.count = 8;
  e.used = 4;
  e.groups = 4;
  e.groups_used = 2;
  e.normalise = true;
  for (auto gating : {expert_gating::softmax, expert_gating::sigmoid})
    for (auto best : {group_score::largest, group_score::largest_two}) {
      e.gating = gating;
      e.best_group = best;
      for (auto x : {nan, inf, -inf, 3e38f, -3e38f})
        for (auto y : {nan, inf, -inf, -3e38f}) {
          auto got = choose(e, {x, y, x, 1, y, y, x, y},
                            {-3e38f, -3e38f, 0, 3e38f, -3e38f, -3e38f, 1, 2});
          for (auto i = size_t{1}; i < got.size(); ++i)
            BOOST_TEST(got[i - 1].expert < got[i].expert);
          for (auto& c : got)
            BOOST_TEST(std::isfinite(c.weight));
        }
    }
}

BOOST_AUTO_TEST_CASE(rows_are_found_by_expert_in_their_order) {
  auto e = expert_hparams{};
  e.count = 5;
  e.used = 2;
  auto c = compute{2, best_kernels(), choose_experts_scratch_floats(e)};
  auto rows = expert_rows{e, 40};
  for (auto tokens : {40u, 1u, 17u}) {
    auto logits = random_values(tokens, size_t{tokens} * e.count, 3.f);
    rows.assign(c, logits.data(), tokens, {});
    auto total = size_t{0};
    for (auto x = 0u; x < e.count; ++x) {
      auto before = -1;
      for (auto& entry : rows.of(x)) {
        BOOST_TEST(static_cast<int>(entry.row) > before);
        before = static_cast<int>(entry.row);
        auto mine = choose(e, {logits.begin() + entry.row * e.count,
                               logits.begin() + (entry.row + 1) * e.count});
        auto found = std::find_if(mine.begin(), mine.end(),
                                  [x](auto& m) { return m.expert == x; });
        BOOST_REQUIRE((found != mine.end()));
        BOOST_TEST(entry.weight == found->weight);
        ++total;
      }
    }
    BOOST_TEST(total == size_t{tokens} * e.used);
  }
}

BOOST_AUTO_TEST_SUITE_END()
