#include "actors/formed_sampler.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <regex>

#include "actors/form_grammar.hpp"
#include "core/base/random.hpp"
#include "core/text/tokenizer.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

struct fixture {
  std::shared_ptr<const model> weights = tiny_model();
  std::shared_ptr<const tokenizer> text = *tokenizer::make(weights->vocab);

  sequence_spec spec(answer_form form, uint64_t seed = 1) {
    auto s = sequence_spec{};
    s.seq = seed;
    s.prompt = {10, 11};
    s.form = std::move(form);
    s.sampling.seed = seed;
    s.sampling.temperature = 1.5f;
    s.end_tokens = text->end_tokens();
    return s;
  }

  static std::vector<float> logits_at(uint64_t seed, size_t position) {
    auto all = std::vector<float>(tiny_vocab_size);
    for (size_t i = 0; i < all.size(); ++i)
      all[i] = static_cast<float>(random_bits(seed * 1000 + position, i) % 1000)
               / 250.f;
    return all;
  }

  // Until an end token; `next` says whose turn it is to choose.
  std::vector<token_id> generate(const sequence_spec& s,
                                 std::function<formed_sampler&()> next,
                                 size_t most = 400) {
    auto out = std::vector<token_id>{};
    while (out.size() < most) {
      auto logits = logits_at(s.sampling.seed, out.size());
      auto t = next().sample(logits, s, out);
      BOOST_REQUIRE_MESSAGE(t.ok(), (t.ok() ? "" : t.failure().message));
      if (text->is_end(t->id))
        return out;
      out.push_back(t->id);
    }
    return out;
  }
};

answer_form expression(std::string pattern) {
  return {answer_form::kind::regex, std::move(pattern)};
}

} // namespace

BOOST_AUTO_TEST_SUITE(formed_sampler_suite)

BOOST_FIXTURE_TEST_CASE(answers_match_their_expression, fixture) {
  auto sampler = formed_sampler{weights};
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    auto s = spec(expression("[a-f]{2,5}(-[0-9]+){1,3}!"), seed);
    auto out = generate(s, [&]() -> formed_sampler& { return sampler; });
    if (out.size() == 400)
      continue; // digits without end
    auto said = text->decode(out);
    BOOST_TEST(std::regex_match(said, std::regex{"[a-f]{2,5}(-[0-9]+){1,3}!"}),
               said);
  }
}

BOOST_FIXTURE_TEST_CASE(who_goes_on_chooses_the_same, fixture) {
  auto form = answer_form{
      answer_form::kind::json_schema,
      R"({"type":"object","properties":{"name":{"type":"string","maxLength":9},
          "age":{"type":"integer","minimum":0,"maximum":150}},
          "required":["name","age"],"additionalProperties":false})"};
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    auto s = spec(form, seed);
    auto one = formed_sampler{weights};
    auto whole = generate(s, [&]() -> formed_sampler& { return one; });
    // Each token by a node that has never seen the sequence.
    auto fresh = std::optional<formed_sampler>{};
    auto pieces = generate(
        s, [&]() -> formed_sampler& { return fresh.emplace(weights); });
    // Two nodes in turns, so that each has missed some.
    auto red = formed_sampler{weights};
    auto blue = formed_sampler{weights};
    auto turn = 0;
    auto turns = generate(
        s, [&]() -> formed_sampler& { return ++turn % 3 == 0 ? red : blue; });
    BOOST_TEST(whole == pieces, boost::test_tools::per_element());
    BOOST_TEST(whole == turns, boost::test_tools::per_element());
    auto c = form_check::make(form);
    BOOST_REQUIRE(c.ok());
    auto ok = c->check(text->decode(whole));
    BOOST_TEST(ok.ok(), text->decode(whole));
  }
}

BOOST_FIXTURE_TEST_CASE(free_answers_are_as_they_were, fixture) {
  auto sampler = formed_sampler{weights};
  auto plain = fused_sampler{};
  auto s = spec({}, 3);
  auto so_far = std::vector<token_id>{};
  for (size_t i = 0; i < 50; ++i) {
    auto logits = logits_at(3, i);
    auto a = sampler.sample(logits, s, so_far);
    auto b = plain.sample(logits, s.prompt, so_far, i, s.sampling);
    BOOST_REQUIRE(a.ok() && b.ok());
    BOOST_TEST(a->id == b->id);
    so_far.push_back(a->id);
  }
}

BOOST_FIXTURE_TEST_CASE(a_number_that_comes_again_is_another_sequence,
                        fixture) {
  auto sampler = formed_sampler{weights};
  auto use = [&]() -> formed_sampler& { return sampler; };
  for (auto* pattern : {"[0-9]{3}", "[a-z]{4}", "[0-9]{3}"}) {
    auto out = generate(spec(expression(pattern), 1), use);
    auto said = text->decode(out);
    BOOST_TEST(std::regex_match(said, std::regex{pattern}), said);
  }
}

BOOST_FIXTURE_TEST_CASE(what_is_no_form_is_an_error, fixture) {
  auto sampler = formed_sampler{weights};
  auto s = spec(expression("(a"));
  auto t = sampler.sample(logits_at(1, 0), s, {});
  BOOST_REQUIRE(!t.ok());
  BOOST_TEST((t.failure().code == errc::invalid_argument));
  // Nor are tokens that it would not have chosen.
  auto wrong = std::vector<token_id>(3, text->encode("z").front());
  t = sampler.sample(logits_at(1, 3), spec(expression("[0-9]+")), wrong);
  BOOST_TEST(!t.ok());
}

BOOST_FIXTURE_TEST_CASE(many_sequences_do_not_pile_up, fixture) {
  auto sampler = formed_sampler{weights};
  for (uint64_t i = 1; i <= 3 * formed_sampler::most_sequences; ++i) {
    auto s = spec(expression("[0-9]{3}"), i);
    BOOST_REQUIRE(sampler.sample(logits_at(i, 0), s, {}).ok());
  }
  BOOST_TEST(sampler.sequences() <= formed_sampler::most_sequences);
}

BOOST_FIXTURE_TEST_CASE(what_somebody_has_is_not_made_again, fixture) {
  auto f = expression("[a-c]+");
  auto checks = form_check::make(f);
  BOOST_REQUIRE(checks.ok());
  auto first = *grammar_of(f);
  BOOST_TEST((*grammar_of(f) == first));
  auto other = answer_form{answer_form::kind::grammar, "root ::= [a-c]+"};
  auto as_expression = expression(other.text);
  auto second = grammar_of(other), third = grammar_of(as_expression);
  BOOST_REQUIRE((second.ok() && third.ok()));
  BOOST_TEST((*second != *third));
  // Whoever waits for the answer has it, too; then nobody.
  auto left = std::weak_ptr{first};
  first.reset();
  BOOST_TEST(!left.expired());
  *checks = {};
  BOOST_TEST(left.expired());
  BOOST_TEST(grammar_of(f).ok());
  auto words = *vocabulary_of(weights);
  BOOST_TEST((*vocabulary_of(weights) == words));
  BOOST_TEST((*vocabulary_of(tiny_model()) != words));
}

BOOST_AUTO_TEST_SUITE_END()
