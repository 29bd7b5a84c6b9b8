// Schemas and documents that were made to do harm: all are answered, with a
// result or an error that says why not, and within the steps allowed.

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/schema/json_schema.hpp"

using namespace troupe;

namespace {

std::string repeated(std::string_view s, size_t n) {
  auto out = std::string{};
  out.reserve(s.size() * n);
  for (size_t i = 0; i < n; ++i)
    out += s;
  return out;
}

std::string nested(std::string_view open, std::string_view middle,
                   std::string_view close, size_t n) {
  return repeated(open, n) + std::string{middle} + repeated(close, n);
}

json_schema compiled(std::string_view text, const schema_options& o = {}) {
  auto s = json_schema::compile(text, o);
  BOOST_REQUIRE_MESSAGE(s.ok(), (s ? "" : s.failure().message));
  return *s;
}

error refused(std::string_view text, const schema_options& o = {}) {
  auto s = json_schema::compile(text, o);
  BOOST_REQUIRE(!s.ok());
  BOOST_TEST_MESSAGE(s.failure().message);
  return s.failure();
}

bool says(const error& e, std::string_view part) {
  return e.message.find(part) != std::string::npos;
}

std::string numbers(size_t n, size_t step) {
  auto out = std::string{"["};
  for (size_t i = 0; i < n; ++i)
    out += (i ? "," : "") + std::to_string(i * step);
  return out + "]";
}

} // namespace

BOOST_AUTO_TEST_SUITE(schema_hostile)

// -- schemas that lead to themselves ------------------------------------------

BOOST_AUTO_TEST_CASE(references_in_a_circle_are_found_when_compiled) {
  for (auto text : {
           R"({"$ref": "#"})",
           R"({"allOf": [{"$ref": "#"}]})",
           R"({"anyOf": [true, {"not": {"$ref": "#"}}]})",
           R"({"if": true, "then": {"$ref": "#"}})",
           R"({"dependentSchemas": {"a": {"$ref": "#"}}})",
           R"({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"},
               "b": {"oneOf": [{"$ref": "#/$defs/a"}]}}})",
       }) {
    auto e = refused(text);
    BOOST_TEST((e.code == errc::invalid_argument));
    BOOST_TEST(says(e, "refers to itself without going into the value"));
  }
}

BOOST_AUTO_TEST_CASE(a_dynamic_reference_to_itself_is_found_when_run) {
  auto s = compiled(R"({"$dynamicAnchor": "a", "$dynamicRef": "#a"})");
  auto r = s.check("1");
  BOOST_REQUIRE(!r.ok());
  BOOST_TEST(says(r.failure(), "$dynamicRef"));
  BOOST_TEST(!s.valid("1"));
}

BOOST_AUTO_TEST_CASE(recursion_through_the_value_is_no_circle) {
  auto s = compiled(R"({"type": "array", "items": {"$ref": "#"}})");
  BOOST_TEST(s.valid(nested("[", "", "]", 500)));
  BOOST_TEST(!s.valid(nested("[", "1", "]", 500)));
}

// -- depth --------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(deep_documents_are_refused_or_answered) {
  auto s = compiled(R"({"items": {"$ref": "#"}, "uniqueItems": true})");
  auto deep = nested("[", "1", "]", 20'000);
  auto r = s.check(deep);
  BOOST_REQUIRE(!r.ok());
  BOOST_TEST((r.failure().code == errc::unsupported));
  BOOST_TEST(says(r.failure(), "nested deeper"));
  BOOST_TEST(!s.check(nested("{\"a\":", "1", "}", 20'000)).ok());
  // A value of that depth, too.
  auto value = nlohmann::json::parse(deep);
  auto v = s.check(value);
  BOOST_REQUIRE(!v.ok());
  BOOST_TEST(says(v.failure(), "nested deeper"));
  // As deep as it goes, whatever more the options ask for.
  auto o = schema_options{};
  o.bounds.depth = 1'000'000;
  auto more = compiled(R"({"items": {"allOf": [{"$ref": "#"}]}})", o);
  BOOST_TEST(more.valid(nested("[", "1", "]", 1024)));
  BOOST_TEST(!more.check(nested("[", "1", "]", 1025)).ok());
}

BOOST_AUTO_TEST_CASE(deep_schemas_are_refused_or_answered) {
  for (auto open :
       {R"({"not":)", R"({"properties":{"a":)", R"({"allOf":[{"items":)"}) {
    auto close = std::string{};
    for (auto c : std::string_view{open})
      if (c == '{' || c == '[')
        close.insert(close.begin(), c == '{' ? '}' : ']');
    auto text = nested(open, "true", close, 5000);
    BOOST_TEST((refused(text).code == errc::unsupported));
    // Compiling costs no stack.
    auto o = schema_options{};
    o.schema_bounds.depth = 1'000'000;
    BOOST_TEST((refused(text, o).code == errc::unsupported));
    auto s = json_schema::compile(nested(open, "true", close, 300), o);
    BOOST_REQUIRE(s.ok());
    auto r = s->check("1");
    BOOST_REQUIRE(r.ok());
    BOOST_TEST(r->valid);
  }
}

BOOST_AUTO_TEST_CASE(references_lead_no_deeper_than_the_stack_goes) {
  auto text = std::string{R"({"$ref":"#/$defs/0","$defs":{)"};
  for (auto i = 0; i < 5000; ++i)
    text += "\"" + std::to_string(i) + R"(":{"not":{"$ref":"#/$defs/)"
            + std::to_string(i + 1) + "\"}},";
  auto r = compiled(text + R"("5000":true}})").check("1");
  BOOST_REQUIRE(!r.ok());
  BOOST_TEST(says(r.failure(), "lead deeper"));
}

BOOST_AUTO_TEST_CASE(long_urls_are_refused) {
  auto e = refused(R"({"$id":"http://a/)" + repeated("b", 5000) + "\"}");
  BOOST_TEST((e.code == errc::unsupported));
}

BOOST_AUTO_TEST_CASE(long_chains_of_references_are_followed) {
  auto text = std::string{R"({"$ref":"#/$defs/0","$defs":{)"};
  for (auto i = 0; i < 40'000; ++i)
    text += "\"" + std::to_string(i) + R"(":{"$ref":"#/$defs/)"
            + std::to_string(i + 1) + "\"},";
  auto s = compiled(text + R"("40000":{"type":"integer"}}})");
  BOOST_TEST(s.valid("1"));
  BOOST_TEST(!s.valid("\"1\""));
}

// -- work ---------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(exponential_choices_end_in_an_error) {
  for (auto word : {"oneOf", "anyOf", "allOf"}) {
    auto text = std::string{R"({"$ref":"#/$defs/0","$defs":{)"};
    for (auto i = 0; i < 60; ++i) {
      auto next = R"({"$ref":"#/$defs/)" + std::to_string(i + 1) + "\"}";
      text += "\"" + std::to_string(i) + "\":{\"" + word + "\":[" + next + ","
              + next + "]},";
    }
    auto last = word == std::string_view{"allOf"} ? "true" : "false";
    auto s = compiled(text + "\"60\":" + last + "}}");
    auto r = s.check("1");
    BOOST_REQUIRE(!r.ok());
    BOOST_TEST(says(r.failure(), "more steps than allowed"));
    BOOST_TEST(!s.valid("1"));
  }
}

BOOST_AUTO_TEST_CASE(unique_items_is_not_quadratic) {
  auto s = compiled(R"({"uniqueItems": true})");
  auto items = numbers(20'000, 1);
  BOOST_TEST(s.valid(items));
  items.back() = ',';
  auto report = s.check(items + "19999.0]");
  BOOST_REQUIRE(report.ok());
  BOOST_TEST(!report->valid);
  // Values whose hash is a sum of their members' are as quick.
  auto objects = std::string{"["};
  for (auto i = 0; i < 20'000; ++i)
    objects += (i ? "," : "") + std::string{R"({"a":)"} + std::to_string(i)
               + R"(,"b":[)" + std::to_string(-i) + "]}";
  BOOST_TEST(s.valid(objects + "]"));
  BOOST_TEST(!s.valid(objects + R"(,{"b":[-7],"a":7}])"));
}

BOOST_AUTO_TEST_CASE(large_enums_are_not_searched_from_end_to_end) {
  auto s = compiled(R"({"items": {"enum": )" + numbers(20'000, 2) + "}}");
  BOOST_TEST(s.valid(numbers(20'000, 2)));
  BOOST_TEST(!s.valid(numbers(20'000, 1)));
}

BOOST_AUTO_TEST_CASE(many_members_and_names_are_not_compared_in_pairs) {
  auto text = std::string{R"({"required": [)"};
  auto document = std::string{"{"};
  for (auto i = 0; i < 20'000; ++i) {
    text += (i ? "," : "") + std::string{"\"a-long-name-"} + std::to_string(i)
            + "\"";
    document += (i ? "," : "") + std::string{"\"a-long-name-"}
                + std::to_string(i) + "\":1";
  }
  auto s = compiled(text + "]}");
  BOOST_TEST(s.valid(document + "}"));
  auto r = s.check("{}");
  BOOST_REQUIRE(r.ok());
  BOOST_TEST(r->errors.size() == 16u);
  BOOST_TEST(r->more);
}

// Steps are counted where time goes: with few of them allowed, what is answered
// was answered quickly.
BOOST_AUTO_TEST_CASE(hostile_documents_are_answered_in_few_steps) {
  auto o = schema_options{};
  o.steps = 100;
  o.steps_per_value = 2;
  auto items = numbers(20'000, 1);
  BOOST_TEST(compiled(R"({"uniqueItems": true})", o).check(items).ok());
  BOOST_TEST(compiled(R"({"items": {"multipleOf": 3}})", o)
                 .check(items)
                 ->more); // errors enough, and no more steps for them
  o.steps_per_value = 4;
  auto many = compiled(R"({"items": {"enum": )" + numbers(20'000, 1) + "}}", o);
  BOOST_TEST(many.check(items).ok());
  // A tenth of a step for each character, whatever the quantifiers.
  o.steps = 20'000;
  o.steps_per_value = 0;
  for (auto p : {"^(a+)+$", "^((a*)*)*b$", "^(a|a)*$"}) {
    auto s = compiled(std::string{R"({"pattern": ")"} + p + "\"}", o);
    BOOST_TEST(s.check("\"" + repeated("a", 20'000) + "\"").ok(), p);
  }
  o.steps = 100;
  BOOST_TEST(
      says(compiled(R"({"uniqueItems": true})", o).check(items).failure(),
           "more steps than allowed"));
}

// What is too deep is read no further than that.
BOOST_AUTO_TEST_CASE(what_is_too_deep_is_not_read_to_its_end) {
  auto r = compiled("true").check(nested("[", "1", "]", 20'000));
  BOOST_REQUIRE(!r.ok());
  BOOST_TEST(says(r.failure(), "byte 1024:"));
  BOOST_TEST(
      says(refused(nested(R"({"not":)", "true", "}", 5000)), "nested deeper"));
}

// -- patterns -----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(patterns_take_linear_time) {
  auto s = compiled(R"({"pattern": "^(a+)+$"})");
  BOOST_TEST(s.valid("\"" + repeated("a", 20'000) + "\""));
  BOOST_TEST(!s.valid("\"" + repeated("a", 20'000) + "b\""));
  BOOST_TEST(!compiled(R"({"pattern": "^(([a-z])+.)+[A-Z]([a-z])+$"})")
                  .valid("\"" + repeated("a", 20'000) + "\""));
}

BOOST_AUTO_TEST_CASE(patterns_too_large_are_refused) {
  for (auto p : {"(((a{1,100}){1,100}){1,100}){1,100}", "(\\\\p{L}{1000}){3}",
                 "a{1001}"}) {
    auto e = refused(std::string{R"({"properties": {"x": {"pattern": ")"} + p
                     + "\"}}}");
    BOOST_TEST((e.code == errc::unsupported));
    BOOST_TEST(says(e, "#/properties/x/pattern"));
  }
  auto e = refused(R"({"pattern": ")" + repeated("(", 5000)
                   + repeated(")", 5000) + "\"}");
  BOOST_TEST((e.code == errc::unsupported));
  // Each is small enough, all are not.
  auto all = std::string{R"({"patternProperties": {)"};
  for (auto i = 0; i < 2000; ++i)
    all += (i ? ",\"" : "\"") + std::to_string(i) + "[a-z]{500}\":true";
  BOOST_TEST(says(refused(all + "}}"), "all patterns together"));
}

// -- numbers ------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(dividing_by_nothing_is_refused) {
  for (auto d : {"0", "0.0", "-1", "0e5", "-0"})
    BOOST_TEST(says(refused(std::string{R"({"multipleOf":)"} + d + "}"),
                    "#/multipleOf: must be greater than 0"));
}

BOOST_AUTO_TEST_CASE(numbers_of_any_size_are_answered) {
  auto s = compiled(R"({"type": "integer", "multipleOf": 7, "minimum": 0})");
  BOOST_TEST(!s.valid("1e999999999999999"));
  BOOST_TEST(s.valid("7e999999999999999"));
  BOOST_TEST(!s.valid("7e-999999999999999"));
  BOOST_TEST(!s.check("1e9999999999999999").ok());
  BOOST_TEST(s.valid(repeated("7", 1'000'000)));
  BOOST_TEST(!s.valid(repeated("7", 1'000'000) + "1"));
  BOOST_TEST(compiled(R"({"multipleOf": 1e-300})").valid("1e300"));
}

// -- bounds -------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(sizes_are_bounded) {
  auto o = schema_options{};
  o.bounds.bytes = 100;
  o.bounds.values = 10;
  auto s = compiled("true", o);
  BOOST_TEST(s.valid(numbers(9, 1)));
  BOOST_TEST(says(s.check(numbers(10, 1)).failure(), "more values"));
  BOOST_TEST(says(s.check("\"" + repeated("a", 100) + "\"").failure(),
                  "more than allowed"));
  auto few = schema_options{};
  few.schemas = 3;
  BOOST_TEST(json_schema::compile(R"({"allOf": [true, true]})", few).ok());
  BOOST_TEST(says(refused(R"({"allOf": [true, true, true]})", few),
                  "more schemas than allowed"));
  auto small = schema_options{};
  small.schema_bounds.bytes = 10;
  BOOST_TEST(!json_schema::compile(R"({"title": "long"})", small).ok());
}

BOOST_AUTO_TEST_CASE(values_that_json_has_not_are_refused) {
  auto s = compiled("true");
  using json = nlohmann::json;
  for (auto& v : {json(std::nan("")), json(INFINITY), json("\xff"),
                  json(json::value_t::discarded), json::binary({1, 2}),
                  json{{"\xc0\x80", 1}}})
    BOOST_TEST(!s.check(v).ok());
  for (auto t : {"NaN",
                 "Infinity",
                 "-Infinity",
                 "01",
                 "1.",
                 ".5",
                 "+1",
                 "'a'",
                 "[1,]",
                 "{\"a\":1,}",
                 "\"\xff\"",
                 "\"\\ud800\"",
                 "\"\t\"",
                 "",
                 " ",
                 "[",
                 "{\"a\"",
                 "1 2",
                 "{\"a\":1,\"a\":1}",
                 "tru",
                 "\"\\x\"",
                 "// c\n1",
                 "\xef\xbb\xbf"
                 "1"})
    BOOST_TEST(!s.check(t).ok(), t);
}

BOOST_AUTO_TEST_SUITE_END()
