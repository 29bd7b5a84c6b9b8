#include "core/constrain/token_matcher.hpp"

#include <boost/test/unit_test.hpp>

#include "core/base/random.hpp"
#include "tests/support/core/made_vocabulary.hpp"

using namespace troupe;
using namespace troupe::constrain;

namespace {

using words = std::vector<uint64_t>;

std::shared_ptr<const token_vocabulary> vocabulary() {
  static auto v = *token_vocabulary::make(made_pieces(4096), {0});
  return v;
}

std::shared_ptr<const token_automaton> automaton(grammar_spec spec) {
  auto g = compile_grammar(spec);
  BOOST_REQUIRE(g);
  return *token_automaton::make(*g, vocabulary());
}

std::shared_ptr<const token_automaton> schema(std::string text) {
  return automaton({grammar_kind::json_schema, std::move(text), {}});
}

words mask_of(token_matcher& m) {
  auto w = words(m.vocabulary().words());
  m.mask(w);
  return w;
}

// The slow twin: every token, byte by byte.
words tried(token_matcher& m) {
  auto w = words(m.vocabulary().words());
  for (auto id = size_t{0}; id < m.vocabulary().size(); ++id)
    if (m.allows(static_cast<token_id>(id)))
      w[id / 64] |= uint64_t{1} << (id % 64);
  return w;
}

std::vector<token_id> allowed(const words& w) {
  auto all = std::vector<token_id>{};
  for (auto id = size_t{0}; id < w.size() * 64; ++id)
    if ((w[id / 64] >> (id % 64) & 1) != 0)
      all.push_back(static_cast<token_id>(id));
  return all;
}

token_id pick(const std::vector<token_id>& from, uint64_t seed, size_t n) {
  return from[random_bits(seed, n) % from.size()];
}

std::vector<grammar_spec> specs() {
  auto all = std::vector<grammar_spec>{
      {grammar_kind::json_object, "", {}},
      {grammar_kind::json_object, "", {format_policy::enforce, 3, false}},
      {grammar_kind::regex, "([a-z]{2,7}, ?)*[^a]+x", {}},
      {grammar_kind::ebnf,
       "root ::= term (\"+\" term)*  term ::= [0-9]+ | \"(\" root \")\" | \" "
       "\" term",
       {}}};
  for (
      auto text :
      {R"({"type":"object","properties":{"name":{"type":"string"},)"
       R"("age":{"type":"integer","minimum":0,"maximum":150},)"
       R"("tags":{"type":"array","items":{"enum":["in","out"]}}},)"
       R"("required":["name"],"additionalProperties":{"type":"string"}})",
       R"({"type":"string","minLength":3,"maxLength":12})",
       R"({"type":"object","properties":{"a":{"type":"string","maxLength":40},)"
       R"("b":{"anyOf":[{"type":"string","minLength":2,"maxLength":6},)"
       R"({"type":"number"}]}},"required":["a","b"]})",
       R"({"type":"array","items":{"type":"string"},"uniqueItems":true})",
       R"({"anyOf":[{"type":"string","pattern":"a"},{"type":"string",)"
       R"("maxLength":9},{"type":"array","items":{"$ref":"#"},"maxItems":3}]})",
       R"({"type":"object","additionalProperties":{"type":"null"}})"})
    all.push_back({grammar_kind::json_schema, text, {}});
  return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(schema_token_matcher)

BOOST_AUTO_TEST_CASE(a_mask_holds_what_trying_each_token_finds) {
  for (auto& spec : specs()) {
    auto a = automaton(spec);
    for (auto seed = uint64_t{0}; seed < 3; ++seed) {
      auto m = token_matcher{a};
      for (auto n = size_t{0}; n < 30 && !m.finished(); ++n) {
        auto w = mask_of(m);
        BOOST_REQUIRE_MESSAGE(w == tried(m), spec.text << ", token " << n);
        BOOST_TEST((w == mask_of(m))); // trying changed nothing
        auto all = allowed(w);
        BOOST_REQUIRE(!all.empty());
        BOOST_REQUIRE(m.accept(pick(all, seed, n)));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(what_a_mask_lacks_is_not_accepted_and_changes_nothing) {
  for (auto& spec : specs()) {
    auto m = token_matcher{automaton(spec)};
    for (auto n = size_t{0}; n < 12 && !m.finished(); ++n) {
      auto w = mask_of(m);
      for (auto id = token_id{0}; id < 4096; id += 37)
        if ((w[static_cast<size_t>(id) / 64] >> (id % 64) & 1) == 0)
          BOOST_TEST(!m.accept(id));
      BOOST_TEST((w == mask_of(m)));
      BOOST_REQUIRE(m.accept(pick(allowed(w), 5, n)));
    }
  }
}

BOOST_AUTO_TEST_CASE(tokens_taken_back_leave_nothing_behind) {
  for (auto& spec : specs()) {
    auto m = token_matcher{automaton(spec)};
    auto masks = std::vector<words>{mask_of(m)};
    auto tokens = std::vector<token_id>{};
    for (auto n = size_t{0}; n < 40 && !m.finished(); ++n) {
      tokens.push_back(pick(allowed(masks.back()), 9, n));
      BOOST_REQUIRE(m.accept(tokens.back()));
      masks.push_back(mask_of(m));
    }
    while (tokens.size() > 3) {
      BOOST_REQUIRE(m.rollback(3));
      tokens.resize(tokens.size() - 3);
      masks.resize(masks.size() - 3);
      BOOST_TEST((mask_of(m) == masks.back()));
      BOOST_TEST(m.tokens() == tokens.size());
    }
    BOOST_TEST(!m.rollback(tokens.size() + 1));
    BOOST_TEST((mask_of(m) == masks.back()));
  }
}

BOOST_AUTO_TEST_CASE(the_tokens_alone_say_what_the_state_is) {
  for (auto& spec : specs()) {
    auto first = token_matcher{automaton(spec)};
    auto again = token_matcher{automaton(spec)}; // which has kept no masks
    auto tokens = std::vector<token_id>{};
    for (auto n = size_t{0}; n < 40 && !first.finished(); ++n) {
      auto id = pick(allowed(mask_of(first)), 17, n);
      // What was speculated and taken back is forgotten.
      if (n % 5 == 4 && first.accept(id))
        first.rollback(1);
      BOOST_REQUIRE(first.accept(id));
      tokens.push_back(id);
    }
    for (auto id : tokens)
      BOOST_REQUIRE(again.accept(id));
    BOOST_TEST((mask_of(first) == mask_of(again)));
    BOOST_TEST(first.complete() == again.complete());
  }
}

BOOST_AUTO_TEST_CASE(an_end_comes_when_the_output_is_whole_and_ends_it) {
  auto m = token_matcher{schema(R"({"enum":["a"]})")};
  BOOST_TEST(!m.accept(0));
  for (auto c : std::string{"\"a\""}) {
    BOOST_TEST(!m.complete());
    for (auto id = token_id{1}; id < 300; ++id)
      if (m.vocabulary().piece(id) == std::string(1, c))
        BOOST_REQUIRE(m.accept(id));
  }
  BOOST_TEST(m.complete());
  BOOST_TEST((allowed(mask_of(m)) == std::vector<token_id>{0}));
  BOOST_TEST(m.accept(0));
  BOOST_TEST(m.finished());
  BOOST_TEST(allowed(mask_of(m)).empty());
  BOOST_TEST(!m.accept(0));
  BOOST_TEST(m.rollback(1));
  BOOST_TEST(!m.finished());
  BOOST_TEST(m.accept(0));
}

BOOST_AUTO_TEST_CASE(bytes_that_must_come_are_told) {
  auto m = token_matcher{
      schema(R"({"type":"object","properties":{"first":{"type":"null"},)"
             R"("next":{"type":"integer"}},"required":["first","next"]})")};
  auto before = mask_of(m);
  BOOST_TEST(m.forced(100) == R"({"first":null,"next":)");
  BOOST_TEST(m.forced(5) == R"({"fir)");
  BOOST_TEST((mask_of(m) == before));
}

BOOST_AUTO_TEST_CASE(outputs_share_masks) {
  auto a = schema(R"({"type":"object","properties":{"a":{"type":"string"}}})");
  auto one = token_matcher{a}, two = token_matcher{a};
  mask_of(one);
  auto before = a->stats();
  mask_of(two);
  BOOST_TEST(a->stats().misses == before.misses);
  BOOST_TEST(a->stats().hits == before.hits + 1);
}

BOOST_AUTO_TEST_CASE(a_cache_without_room_changes_nothing) {
  auto spec = specs().back();
  auto g = *compile_grammar(spec);
  auto none = *token_automaton::make(g, vocabulary(), 0);
  auto little = *token_automaton::make(g, vocabulary(), 2000);
  auto x = token_matcher{none}, y = token_matcher{little};
  for (auto n = size_t{0}; n < 30 && !x.finished(); ++n) {
    auto w = mask_of(x);
    BOOST_TEST((w == mask_of(y)));
    auto id = pick(allowed(w), 3, n);
    BOOST_REQUIRE(x.accept(id));
    BOOST_REQUIRE(y.accept(id));
  }
  BOOST_TEST(none->stats().masks == 0u);
  BOOST_TEST(little->stats().bytes <= 2000u);
}

BOOST_AUTO_TEST_CASE(a_vocabulary_without_a_needed_byte_is_refused) {
  auto g = *compile_grammar({grammar_kind::regex, "ab", {}});
  auto v = *token_vocabulary::make({"</s>", "a", "ab"}, {0});
  auto a = token_automaton::make(g, v);
  BOOST_REQUIRE(!a);
  BOOST_TEST(a.failure().message.find("byte 98") != std::string::npos);
  BOOST_TEST(!token_vocabulary::make({"a"}, {}));
  BOOST_TEST(!token_vocabulary::make({"a"}, {1}));
}

BOOST_AUTO_TEST_CASE(nesting_has_a_bound_and_no_dead_end) {
  auto m = token_matcher{schema(R"({"type":"array","items":{"$ref":"#"}})")};
  auto open = token_id{-1}, close = token_id{-1};
  for (auto id = token_id{1}; id < 300; ++id) {
    if (m.vocabulary().piece(id) == "[")
      open = id;
    if (m.vocabulary().piece(id) == "]")
      close = id;
  }
  auto depth = 0;
  while (m.accept(open))
    ++depth;
  BOOST_TEST(depth >= 64);
  BOOST_TEST(depth < 1000);
  while (depth-- > 0)
    BOOST_REQUIRE(m.accept(close));
  BOOST_TEST(m.complete());
}

BOOST_AUTO_TEST_CASE(plain_tokens_are_whole_characters_of_a_json_string) {
  BOOST_TEST(plain_length("abc") == 3u);
  BOOST_TEST(plain_length("\xc3\xa4") == 1u);
  BOOST_TEST(plain_length("\xc3") == 0u);
  BOOST_TEST(plain_length("a\"") == 0u);
  BOOST_TEST(plain_length("a\\") == 0u);
  BOOST_TEST(plain_length("a\n") == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
