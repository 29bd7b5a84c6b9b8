#include "core/serving/answer_stream.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "core/base/random.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

using ids = std::vector<token_id>;

std::shared_ptr<const tokenizer> text() {
  static auto t = *tokenizer::make(tiny_model()->vocab);
  return t;
}

answer_limits limits(uint32_t most, std::vector<std::string> stop = {},
                     bool want_logprob = false) {
  return {most, std::move(stop), want_logprob};
}

bool always() {
  return true;
}

constexpr auto none = finish_reason::none;

} // namespace

BOOST_AUTO_TEST_SUITE(serving_answer_stream)

BOOST_AUTO_TEST_CASE(tokens_come_once_and_in_order) {
  auto s = answer_stream{nullptr, limits(8)};
  BOOST_TEST(s.accept(2, {12, 13}, {}, none));
  BOOST_TEST(!s.take(always).has_value());
  BOOST_TEST(s.accept(0, {10, 11}, {}, none));
  auto p = s.take(always);
  BOOST_REQUIRE(p.has_value());
  BOOST_TEST(p->index == 0u);
  BOOST_TEST((p->tokens == ids{10, 11, 12, 13}));
  BOOST_TEST(p->text == "");
  s.accept(1, {11, 12, 13, 14}, {}, none);
  p = s.take(always);
  BOOST_REQUIRE(p.has_value());
  BOOST_TEST(p->index == 4u);
  BOOST_TEST((p->tokens == ids{14}));
  BOOST_TEST((s.end() == none));
}

BOOST_AUTO_TEST_CASE(an_end_waits_for_the_tokens_before_it) {
  auto s = answer_stream{nullptr, limits(8)};
  s.accept(1, {11}, {}, finish_reason::stop);
  s.take(always);
  BOOST_TEST((s.end() == none));
  s.accept(0, {10}, {}, none);
  BOOST_TEST((s.end() == none));
  s.take(always);
  BOOST_TEST((s.end() == finish_reason::stop));
}

BOOST_AUTO_TEST_CASE(the_most_tokens_are_the_end) {
  auto s = answer_stream{nullptr, limits(2)};
  BOOST_TEST(!s.accept(0, {10, 11, 12}, {}, none));
  BOOST_TEST(!s.accept(3, {}, {}, none));
  BOOST_TEST(!s.accept(~0u, {10}, {}, none));
  BOOST_TEST(s.accept(0, {10, 11}, {}, none));
  s.take(always);
  BOOST_TEST((s.end() == finish_reason::length));
  BOOST_TEST(s.delivered() == 2u);
}

BOOST_AUTO_TEST_CASE(whoever_pays_may_refuse_a_token) {
  auto s = answer_stream{nullptr, limits(8)};
  s.accept(0, {10, 11, 12}, {}, finish_reason::stop);
  auto left = 2;
  auto p = s.take([&] { return left-- > 0; });
  BOOST_TEST((p->tokens == ids{10, 11}));
  BOOST_TEST((s.end() == none));
  BOOST_TEST(!s.take([] { return false; }).has_value());
}

BOOST_AUTO_TEST_CASE(probabilities_stay_with_their_tokens) {
  auto s = answer_stream{nullptr, limits(8, {}, true)};
  s.accept(1, {11}, {{11, -2.f, {}}}, none);
  s.accept(0, {10}, {{10, -1.f, {}}}, none);
  s.accept(2, {12}, {}, none); // from whom none came
  auto p = s.take(always);
  BOOST_REQUIRE(p->details.size() == 3u);
  BOOST_TEST(p->details[0].logprob == -1.f);
  BOOST_TEST(p->details[1].logprob == -2.f);
  BOOST_TEST(p->details[2].id == 12);
}

// However an answer is cut into messages, repeated and reordered, it is the
// same tokens, text and end.
BOOST_AUTO_TEST_CASE(grouping_does_not_show) {
  auto whole = text()->encode("a story that ENDS here, or would");
  auto most = static_cast<uint32_t>(whole.size());
  auto run = [&](uint64_t seed) {
    auto s = answer_stream{text(), limits(most, {"ENDS"})};
    auto tokens = ids{};
    auto said = std::string{};
    auto draws = uint64_t{0};
    while (s.end() == none) {
      auto from = static_cast<uint32_t>(random_bits(seed, draws++) % most);
      auto n = static_cast<uint32_t>(random_bits(seed, draws++) % 5);
      if (seed == 0) {
        from = 0;
        n = most;
      }
      n = std::min(n, most - from);
      auto part = ids(whole.begin() + from, whole.begin() + from + n);
      BOOST_REQUIRE(s.accept(from, part, {}, none));
      if (auto p = s.take(always)) {
        BOOST_TEST(p->index == tokens.size());
        tokens.insert(tokens.end(), p->tokens.begin(), p->tokens.end());
        said += p->text;
      }
    }
    BOOST_TEST((s.end() == finish_reason::stop));
    said += s.finish();
    return std::pair{tokens, said};
  };
  auto expected = run(0);
  BOOST_TEST(expected.second == "a story that ");
  for (auto seed = uint64_t{1}; seed <= 200; ++seed)
    BOOST_TEST((run(seed) == expected), "seed " << seed);
}

BOOST_AUTO_TEST_CASE(pieces_are_as_small_as_wanted) {
  auto whole = text()->encode("a story that ENDS here");
  auto s = answer_stream{text(), limits(99, {"ENDS"})};
  s.accept(0, whole, {}, none);
  auto asked = size_t{0};
  auto pieces = size_t{0};
  auto said = std::string{};
  while (auto p = s.take([&] { return ++asked > 0; }, 1)) {
    BOOST_TEST(p->index == pieces);
    BOOST_TEST(p->tokens.size() == 1u);
    said += p->text;
    ++pieces;
  }
  BOOST_TEST(said == "a story that ");
  BOOST_TEST((s.end() == finish_reason::stop));
  // Nobody is asked about a token that is not there.
  BOOST_TEST(asked == pieces);
  BOOST_TEST(!s.take(always, 0).has_value());
}

BOOST_AUTO_TEST_CASE(text_that_was_held_back_comes_at_the_end) {
  auto part = text()->encode("an EN");
  auto s = answer_stream{text(), limits(99, {"ENDS"})};
  s.accept(0, part, {}, finish_reason::stop);
  auto p = s.take(always);
  BOOST_TEST(p->text == "an ");
  BOOST_TEST((s.end() == finish_reason::stop));
  BOOST_TEST(s.finish() == "EN");
}

BOOST_AUTO_TEST_SUITE_END()
