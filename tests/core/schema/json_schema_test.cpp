#include "core/schema/json_schema.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>
#include <thread>

using namespace troupe;

namespace {

json_schema compiled(std::string_view text, const schema_options& o = {}) {
  auto s = json_schema::compile(text, o);
  BOOST_REQUIRE_MESSAGE(s.ok(), (s ? "" : s.failure().message));
  return *s;
}

std::string refusal(std::string_view text, const schema_options& o = {}) {
  auto s = json_schema::compile(text, o);
  BOOST_REQUIRE_MESSAGE(!s.ok(), text);
  return s.failure().message;
}

/// The errors' texts, a line each.
std::string errors(const json_schema& s, std::string_view document) {
  auto r = s.check(document);
  BOOST_REQUIRE(r.ok());
  auto out = std::string{};
  for (auto& e : r->errors)
    out += e.text() + "\n";
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(schema_api)

BOOST_AUTO_TEST_CASE(errors_name_the_value_the_keyword_and_what_is_wrong) {
  auto s = compiled(R"({
    "type": "object",
    "required": ["model", "prompt"],
    "properties": {
      "model": {"type": "string", "minLength": 1},
      "max_tokens": {"type": "integer"},
      "a/b": {"items": {"maximum": 2.5}}
    },
    "additionalProperties": false
  })");
  BOOST_TEST(errors(s, R"({"model":"","max_tokens":"many"})")
             == "/model: must have at least 1 character, and has 0 (schema "
                "#/properties/model/minLength)\n"
                "/max_tokens: must be an integer, and is \"many\" (schema "
                "#/properties/max_tokens/type)\n"
                ": must have the member \"prompt\" (schema #/required)\n");
  BOOST_TEST(errors(s, R"({"model":"m","prompt":1,"a/b":[1,2.6],"x":0})")
             == "/prompt: must not be here (schema #/additionalProperties)\n"
                "/a~1b/1: must be at most 2.5, and is 2.6 (schema "
                "#/properties/a~1b/items/maximum)\n"
                "/x: must not be here (schema #/additionalProperties)\n");
  BOOST_TEST(errors(s, R"({"model":"m","prompt":"p"})").find("must not")
             != std::string::npos);
}

BOOST_AUTO_TEST_CASE(every_keyword_says_what_is_wrong) {
  using text = std::string_view;
  for (auto& [schema, document, want] :
       std::initializer_list<std::tuple<text, text, text>>{
           {R"({"type":["null","boolean","number"]})", "[]",
            "must be null, a boolean or a number, and is an array of 0 items"},
           {R"({"type":"boolean"})", "{\"a\":1}",
            "must be a boolean, and is an object of 1 member"},
           {R"({"minimum":3})", "2", "must be at least 3, and is 2"},
           {R"({"exclusiveMinimum":3})", "3",
            "must be greater than 3, and is 3"},
           {R"({"exclusiveMaximum":3})", "1e99",
            "must be less than 3, and is 1e99"},
           {R"({"multipleOf":0.1})", "0.25",
            "must be a multiple of 0.1, and is 0.25"},
           {R"({"maxLength":2})", "\"\u00e4bc\"",
            "must have at most 2 characters, and has 3"},
           {R"({"pattern":"^a"})", "\"b\\nc\"",
            "must match the pattern \"^a\", and is \"b c\""},
           {R"({"const":{"a":1}})", "0",
            "must be an object of 1 member, and is 0"},
           {R"({"enum":[1,"two",null,true,5]})", "3",
            "must be one of 1, \"two\", null, true, ..., and is 3"},
           {R"({"minItems":2})", "[1]",
            "must have at least 2 items, and has 1"},
           {R"({"maxItems":0})", "[1]", "must have at most 0 items, and has 1"},
           {R"({"uniqueItems":true})", "[1,2,1.0]",
            "must have no two equal items, and item 2 is there before"},
           {R"({"contains":{"type":"null"}})", "[1]",
            "must have at least 1 of the items that `contains` describes"},
           {R"({"contains":{"type":"null"},"maxContains":1})", "[null,null]",
            "must have at least 1 and at most 1 of the items that `contains` "
            "describes"},
           {R"({"minProperties":1})", "{}",
            "must have at least 1 member, and has 0"},
           {R"({"maxProperties":1})", R"({"a":1,"b":2})",
            "must have at most 1 member, and has 2"},
           {R"({"dependentRequired":{"a":["b"]}})", R"({"a":1})",
            "must have the member \"b\", since it has \"a\""},
           {R"({"anyOf":[false,{"type":"null"}]})", "1",
            "must be valid in one of the 2 schemas of anyOf, and is in none"},
           {R"({"oneOf":[true,true]})", "1",
            "must be valid in exactly one of the 2 schemas of oneOf, and is in "
            "none or several"},
           {R"({"not":{"type":"integer"}})", "1",
            "must not be what `not` describes"},
           {R"({"unevaluatedProperties":false})", R"({"a":1})",
            "must not be here"},
           {"false", "1", "must not be here"},
       }) {
    auto r = compiled(schema).check(document);
    BOOST_REQUIRE(r.ok());
    BOOST_REQUIRE_MESSAGE(r->errors.size() == 1u, schema);
    BOOST_TEST(r->errors[0].message() == want);
  }
  auto o = schema_options{};
  o.assert_formats = true;
  BOOST_TEST(errors(compiled(R"({"format":"date"})", o), "\"2023-02-29\"")
             == ": must be a date as 2024-02-29, and is \"2023-02-29\" (schema "
                "#/format)\n");
}

BOOST_AUTO_TEST_CASE(errors_are_as_many_as_are_wanted) {
  auto o = schema_options{};
  o.errors = 3;
  auto s = compiled(R"({"items": {"type": "integer"}})", o);
  auto r = s.check("[null,null,null]");
  BOOST_TEST(r->errors.size() == 3u);
  BOOST_TEST(!r->more);
  r = s.check("[null,null,1,null,null]");
  BOOST_TEST(r->errors.size() == 3u);
  BOOST_TEST(r->more);
  BOOST_TEST(s.check("[1]")->valid);
}

BOOST_AUTO_TEST_CASE(long_values_are_cut_between_characters) {
  auto text = std::string{"\"x"};
  for (auto i = 0; i < 100; ++i)
    text += "\xc3\xa4";
  auto r = compiled(R"({"type":"null"})").check(text + "\"");
  auto m = r->errors.at(0).message();
  BOOST_TEST(m.size() < 80);
  BOOST_TEST(m.ends_with("\xc3\xa4...\""));
}

BOOST_AUTO_TEST_CASE(mistakes_in_schemas_are_refused_with_their_place) {
  using text = std::string_view;
  for (auto& [schema, want] : std::initializer_list<std::pair<text, text>>{
           {"1", "schema #: a schema must be"},
           {R"({"type":"strng"})", "#/type: must be one of null, boolean"},
           {R"({"type":[]})", "#/type: must name one type or more"},
           {R"({"properties":[]})", "#/properties: must be an object"},
           {R"({"properties":{"a":3}})", "#/properties/a: a schema must be"},
           {R"({"$defs":{"a":{"minLength":-1}}})",
            "#/$defs/a/minLength: must be an integer that is not negative"},
           {R"({"maxItems":1.5})", "#/maxItems: must be an integer"},
           {R"({"minimum":"1"})", "#/minimum: must be a number"},
           {R"({"allOf":[]})", "#/allOf: must be an array of one schema"},
           {R"({"required":[1]})", "#/required/0: must be a string"},
           {R"({"uniqueItems":1})", "#/uniqueItems: must be true or false"},
           {R"({"enum":1})", "#/enum: must be an array"},
           {R"({"items":{"pattern":"("}})",
            "#/items/pattern: this is no regular expression of ECMA-262: a "
            "parenthesis is not closed"},
           {R"s({"patternProperties":{"(?=a)":true}})s",
            "#/patternProperties/(?=a): patterns are matched in linear time, "
            "which cannot be done with lookaround"},
           {R"({"$ref":"#/$defs/x"})", "#/$ref: nothing is at #/$defs/x"},
           {R"({"$ref":"#x"})", "#/$ref: there is no anchor x"},
           {R"({"$ref":"http://a/b"})",
            "#/$ref: there is no document with the URL http://a/b: nothing is "
            "fetched, so it must be supplied"},
           {R"({"$schema":"http://json-schema.org/draft-04/schema#"})",
            "#/$schema: $schema is http://json-schema.org/draft-04/schema#, "
            "which is neither"},
           {R"({"$id":"http://a/#b"})", "$id must not have a fragment"},
           {R"({"$defs":{"a":{"$id":"http://a"},"b":{"$id":"http://a"}}})",
            "another schema has the URL http://a, too"},
           {R"({"$defs":{"a":{"$anchor":"a"},"b":{"$anchor":"a"}}})",
            "another schema has the anchor a, too"},
           {"{", "schema : JSON, byte 1: "},
       }) {
    auto message = refusal(schema);
    BOOST_TEST(message.find(want) != std::string::npos, message);
  }
}

BOOST_AUTO_TEST_CASE(unknown_keywords_are_passed_over_or_refused) {
  auto text = R"({"properties":{"a":{"requird":["x"]}},"x-note":1})";
  BOOST_TEST(compiled(text).valid(R"({"a":{}})"));
  auto o = schema_options{};
  o.refuse_unknown = true;
  BOOST_TEST(
      refusal(text, o).find("#/properties/a/requird: the keyword requird "
                            "is not known")
      != std::string::npos);
  BOOST_TEST(
      compiled(R"({"x-note":1,"title":"t","format":"ours"})", o).valid("1"));
  o.assert_formats = true;
  BOOST_TEST(refusal(R"({"format":"ours"})", o).find("#/format")
             != std::string::npos);
}

BOOST_AUTO_TEST_CASE(drafts_differ_in_what_keywords_mean) {
  auto o = schema_options{};
  auto text = R"({"$ref":"#/definitions/a","type":"null",
                  "definitions":{"a":{"type":"integer"}}})";
  BOOST_TEST(!compiled(text).valid("1"));
  o.draft7 = true;
  BOOST_TEST(compiled(text, o).valid("1"));
  BOOST_TEST(
      !compiled(R"({"items":[{"type":"null"}],"additionalItems":false})", o)
           .valid("[null,null]"));
  // $schema says more than the options.
  BOOST_TEST(
      compiled(R"({"$schema":"https://json-schema.org/draft/2020-12/schema",
                   "prefixItems":[{"type":"null"}]})",
               o)
          .valid("[null]"));
}

BOOST_AUTO_TEST_CASE(a_metaschema_without_validation_leaves_its_keywords_out) {
  auto o = schema_options{};
  o.documents["http://our/meta"] = R"({
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "http://our/meta",
    "$vocabulary": {
      "https://json-schema.org/draft/2020-12/vocab/core": true,
      "https://json-schema.org/draft/2020-12/vocab/applicator": true,
      "http://our/vocabulary": false
    }})";
  auto s = compiled(R"({"$schema":"http://our/meta",
                        "properties":{"a":{"minimum":5},"b":false}})",
                    o);
  BOOST_TEST(s.valid(R"({"a":1})"));
  BOOST_TEST(!s.valid(R"({"b":1})"));
  auto& meta = o.documents["http://our/meta"];
  meta.replace(meta.find("\": false"), 8, "\": true");
  BOOST_TEST(refusal(R"({"$schema":"http://our/meta"})", o)
                 .find("requires the vocabulary http://our/vocabulary")
             != std::string::npos);
}

BOOST_AUTO_TEST_CASE(supplied_documents_are_referred_to_by_url) {
  auto o = schema_options{};
  o.url = "http://our/schemas/main.json";
  o.documents["http://our/schemas/part.json"] =
      R"({"$defs":{"n":{"type":"integer","maximum":3}}})";
  auto s = compiled(R"({"items":{"$ref":"part.json#/$defs/n"}})", o);
  BOOST_TEST(s.valid("[1,2,3]"));
  auto r = s.check("[1,4]");
  BOOST_REQUIRE(r->errors.size() == 1u);
  BOOST_TEST(r->errors[0].instance() == "/1");
  BOOST_TEST(r->errors[0].url() == "http://our/schemas/part.json");
  BOOST_TEST(r->errors[0].schema() == "/$defs/n/maximum");
}

BOOST_AUTO_TEST_CASE(schemas_are_valid_in_their_metaschemas) {
  for (auto url : {"http://json-schema.org/draft-07/schema#",
                   "https://json-schema.org/draft/2020-12/schema"}) {
    auto s = compiled(std::string{R"({"$ref":")"} + url + "\"}");
    BOOST_TEST(
        s.valid(R"({"type":"object","properties":{"a":{"minimum":1}}})"));
    BOOST_TEST(!s.valid(R"({"properties":{"a":{"minimum":"1"}}})"));
    BOOST_TEST(!s.valid(R"({"allOf":[{"not":{"type":"strng"}}]})"));
  }
}

BOOST_AUTO_TEST_CASE(a_checker_forgets_the_document_before) {
  auto c = schema_checker{compiled(
      R"({"unevaluatedItems":false,"prefixItems":[true,{"type":"null"}]})")};
  for (auto i = 0; i < 3; ++i) {
    BOOST_TEST(c.valid("[1,null]"));
    BOOST_TEST(!c.valid("[1,null,2]"));
    BOOST_TEST(!c.valid("[1,"));
    BOOST_TEST(c.check("[1,2,3]")->errors.size() == 1u);
    BOOST_TEST(c.valid(nlohmann::json::array({1, nullptr})));
  }
}

BOOST_AUTO_TEST_CASE(threads_share_a_schema) {
  auto s = compiled(R"({"items":{"pattern":"^[a-z]+[0-9]?$"}})");
  auto wrong = std::vector<int>(4, 0);
  auto threads = std::vector<std::thread>{};
  for (auto& w : wrong)
    threads.emplace_back([&] {
      for (auto i = 0; i < 200; ++i)
        w += !s.valid(R"(["abc","d1"])") + s.valid(R"(["abc","11"])");
    });
  for (auto& t : threads)
    t.join();
  for (auto w : wrong)
    BOOST_TEST(w == 0);
}

BOOST_AUTO_TEST_SUITE_END()
