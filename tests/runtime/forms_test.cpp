#include <boost/test/unit_test.hpp>

#include <nlohmann/json.hpp>

#include "core/schema/json_schema.hpp"
#include "runtime/runtime.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

const auto person = std::string{
    R"({"type":"object","properties":{"name":{"type":"string","maxLength":12},
        "age":{"type":"integer","minimum":0,"maximum":150},
        "tags":{"type":"array","items":{"enum":["a","b","c"]},"maxItems":4}},
        "required":["name","age","tags"],"additionalProperties":false})"};

struct fixture {
  temp_dir dir;

  runtime open(topology nodes = {}) {
    write_tiny_model(dir.file("tiny.gguf"));
    auto o = runtime_options{};
    o.model = dir.file("tiny.gguf");
    o.threads = 1;
    o.nodes = std::move(nodes);
    auto rt = runtime::open(std::move(o));
    BOOST_REQUIRE_MESSAGE(rt.ok(), (rt.ok() ? "" : rt.failure().message));
    return std::move(*rt);
  }
};

generate_request request(uint64_t seed, answer_form form) {
  auto r = generate_request{};
  r.prompt = {10, 11, 12, static_cast<token_id>(20 + seed)};
  r.sampling.seed = seed;
  r.sampling.temperature = 1.5f;
  r.form = std::move(form);
  return r;
}

answer_form by_schema(std::string text) {
  return {answer_form::kind::json_schema, std::move(text)};
}

completion run(runtime& rt, generate_request r) {
  auto g = rt.submit(std::move(r));
  BOOST_REQUIRE_MESSAGE(g.ok(), (g.ok() ? "" : g.failure().message));
  return collect(*g);
}

void expect_valid(const completion& c, const std::string& by) {
  if (c.end.reason == finish_reason::length)
    return; // the context was full before it ended
  BOOST_TEST((c.end.reason == finish_reason::stop), c.end.message);
  BOOST_TEST(json_schema::compile(by)->valid(c.text), c.text);
}

} // namespace

BOOST_AUTO_TEST_SUITE(answer_forms)

BOOST_FIXTURE_TEST_CASE(answers_are_valid_by_their_schema, fixture) {
  auto rt = open();
  auto whole = 0;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    auto c = run(rt, request(seed, by_schema(person)));
    expect_valid(c, person);
    whole += c.end.reason == finish_reason::stop;
  }
  BOOST_TEST(whole >= 25);
}

// Constrained and free ones together, put away and moved: nobody's tokens are
// others than alone.
BOOST_FIXTURE_TEST_CASE(company_does_not_show, fixture) {
  auto all = std::vector<generate_request>{};
  for (uint64_t seed = 0; seed < 9; ++seed) {
    auto form = seed % 3 == 0   ? by_schema(person)
                : seed % 3 == 1 ? answer_form{}
                                : answer_form{answer_form::kind::regex,
                                              "[a-z]{20,40}=[0-9]{10,30}"};
    auto r = request(seed, form);
    r.max_tokens = 60;
    all.push_back(std::move(r));
  }
  auto alone = std::vector<std::vector<token_id>>{};
  {
    auto rt = open();
    for (auto& r : all)
      alone.push_back(run(rt, r).tokens);
  }
  auto nodes = topology{};
  nodes.prefill.resize(1);
  nodes.decode.resize(2);
  for (auto& n : nodes.decode)
    n.blocks = 12;
  auto rt = open(nodes);
  auto open_ones = std::vector<generation>{};
  for (auto& r : all) {
    auto g = rt.submit(r);
    BOOST_REQUIRE(g.ok());
    open_ones.push_back(std::move(*g));
  }
  open_ones.front().next();
  for (node_id to : {2, 3})
    for (auto& g : open_ones)
      (void)rt.migrate(g.id(), to);
  // What migrate and next have read of each is part of the answer.
  for (size_t i = 1; i < all.size(); ++i)
    BOOST_TEST(collect(open_ones[i]).tokens == alone[i],
               boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_kept_to_is_refused_by_name, fixture) {
  auto rt = open();
  auto refused = [&](answer_form f, std::string says) {
    auto c = run(rt, request(1, std::move(f)));
    BOOST_TEST((c.end.reason == finish_reason::error));
    BOOST_TEST((c.end.code == errc::invalid_argument), c.end.message);
    BOOST_TEST(c.end.message.find(says) != std::string::npos, c.end.message);
    BOOST_TEST(c.tokens.empty());
  };
  refused(by_schema(R"({"type":"object","properties":{"x":{"type":"array",
                     "contains":{"type":"integer"}}}})"),
          "#/properties/x: contains");
  refused(by_schema(R"({"type": 7})"), "type");
  refused(by_schema("{"), "");
  refused({answer_form::kind::regex, "(a)\\1"}, "");
  refused({answer_form::kind::grammar, "root ::= missing"}, "missing");
  auto r = request(1, by_schema(person));
  r.ignore_end = true;
  BOOST_TEST(!rt.submit(r).ok());
  r = request(1, by_schema(person));
  r.stop = {"x"};
  BOOST_TEST(!rt.submit(r).ok());
}

BOOST_FIXTURE_TEST_CASE(objects_and_grammars, fixture) {
  auto rt = open();
  for (uint64_t seed = 0; seed < 10; ++seed) {
    auto c = run(rt, request(seed, {answer_form::kind::json_object, ""}));
    expect_valid(c, R"({"type":"object"})");
    c = run(rt, request(seed, {answer_form::kind::grammar,
                               R"(root ::= "yes" | "no" | "may" "be"?)"}));
    BOOST_TEST((c.text == "yes" || c.text == "no" || c.text == "may"
                || c.text == "maybe"),
               c.text);
  }
}

BOOST_AUTO_TEST_SUITE_END()
