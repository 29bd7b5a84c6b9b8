#include "core/text/hf_pipeline.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "core/text/pre_tokenizer.hpp"
#include "tests/core/text/make_tokenizer.hpp"

using namespace troupe;
using nlohmann::json;

namespace {

hf_pipeline parsed(const char* text) {
  auto p = parse_pipeline(json::parse(text));
  BOOST_REQUIRE_MESSAGE(p.ok(), test::message(p));
  return *p;
}

void refuse(const json& file, std::string_view reason) {
  auto p = parse_pipeline(file);
  BOOST_TEST_CONTEXT(reason) {
    BOOST_REQUIRE(!p.ok());
    BOOST_TEST((p.failure().code == errc::unsupported));
    BOOST_TEST_INFO(p.failure().message);
    BOOST_TEST(p.failure().message.find(reason) != std::string::npos);
    BOOST_TEST(p.failure().message.find('\n') == std::string::npos);
  }
}

void refuse(const char* text, std::string_view reason) {
  refuse(json::parse(text), reason);
}

} // namespace

BOOST_AUTO_TEST_SUITE(text_hf_pipeline)

BOOST_AUTO_TEST_CASE(sequences_are_flattened_in_order) {
  auto p = parsed(R"({"normalizer": {"type": "NFC"}, "pre_tokenizer":
    {"type": "Sequence", "pretokenizers": [
      {"type": "Digits", "individual_digits": true},
      {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"String": "a.b"},
         "behavior": "Isolated", "invert": false},
        {"type": "ByteLevel", "add_prefix_space": false}]}]}})");
  BOOST_TEST(p.nfc);
  BOOST_TEST(p.byte_level);
  BOOST_TEST(!p.prefix);
  BOOST_TEST(p.patterns
             == (test::strings{"\\p{N}", "a\\.b", std::string{gpt2_words}}));
}

BOOST_AUTO_TEST_CASE(schemes_of_metaspace) {
  auto with = [](const char* rest) {
    return parsed((std::string{R"({"pre_tokenizer": {"type": "Metaspace",
      "replacement": "▁", "split": false)"}
                   + rest + "}}")
                      .c_str());
  };
  auto always = with("");
  BOOST_TEST((always.marks_spaces && always.prefix && always.prefix_unless_space
              && !always.prefix_first_only));
  auto first = with(R"(, "prepend_scheme": "first")");
  BOOST_TEST((first.prefix && first.prefix_first_only));
  BOOST_TEST(!with(R"(, "prepend_scheme": "never")").prefix);
  BOOST_TEST(!with(R"(, "add_prefix_space": false)").prefix);
}

BOOST_AUTO_TEST_CASE(a_template_puts_tokens_around_a_text) {
  auto p = parsed(R"({"post_processor": {"type": "Sequence", "processors": [
    {"type": "ByteLevel"},
    {"type": "TemplateProcessing",
     "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}},
                {"SpecialToken": {"id": "</s>"}}],
     "special_tokens": {"<s>": {"ids": [5]}, "</s>": {"ids": [6]}}}]}})");
  BOOST_TEST(p.begin == 5);
  BOOST_TEST(p.end == 6);
  BOOST_TEST(parsed("{}").begin == -1);
}

BOOST_AUTO_TEST_CASE(templates_that_are_none_are_refused) {
  auto with = [](json single, json ids) {
    return json{{"post_processor",
                 {{"type", "TemplateProcessing"},
                  {"single", std::move(single)},
                  {"special_tokens", {{"<s>", {{"ids", std::move(ids)}}}}}}}};
  };
  auto token = json{{"SpecialToken", {{"id", "<s>"}}}};
  auto text = json{{"Sequence", {{"id", "A"}}}};
  refuse(with(nullptr, {5u}), "without its text");
  refuse(with(json::array({token}), {5u}), "without its text");
  refuse(with(json::array({text, text}), {5u}), "twice");
  refuse(with(json::array({token, token, text}), {5u}), "more than one token");
  refuse(with(json::array({token, text}), {5u, 6u}), "more than one token");
  refuse(with(json::array({token, text}), 5u), "more than one token");
  refuse(with(json::array({7, text}), {5u}), "more than one token");
  for (auto id : {json(-1), json(1u << 31), json(1e300), json("5"), json()})
    refuse(with(json::array({token, text}), json::array({id})), "that is none");
}

BOOST_AUTO_TEST_CASE(nodes_that_are_not_known_are_refused) {
  for (auto tree :
       {"normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
    refuse(json{{tree, {{"type", "Ma\ngic"}}}}, "Ma");
    refuse(json{{tree, 7}}, "\"\"");
    refuse(json{{tree, json::array()}}, "\"\"");
  }
  refuse(R"({"normalizer": {"type": "Prepend", "prepend": "x"}})", "Prepend");
  refuse(R"({"normalizer": {"type": "Replace", "pattern": {"Regex": " +"},
             "content": "▁"}})",
         "Replace");
  refuse(R"({"pre_tokenizer": {"type": "ByteLevel"}})", "add_prefix_space");
  refuse(R"({"pre_tokenizer": {"type": "Metaspace", "replacement": "_"}})",
         "Metaspace");
  refuse(R"({"pre_tokenizer": {"type": "Metaspace", "replacement": "▁",
             "prepend_scheme": "last"}})",
         "\"last\"");
  refuse(R"({"pre_tokenizer": {"type": "Punctuation", "behavior": "Removed"}})",
         "\"Removed\"");
  refuse(R"({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "a"},
             "behavior": "Removed", "invert": true}})",
         "\"Removed\"");
  refuse(R"({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [
             {"type": "ByteLevel", "add_prefix_space": false},
             {"type": "Digits"}]}})",
         "after ByteLevel");
  refuse(R"({"normalizer": {"type": "Replace", "pattern": {"String": " "},
                            "content": "▁"},
             "pre_tokenizer": {"type": "ByteLevel",
                               "add_prefix_space": false}})",
         "after spaces were replaced");
}

BOOST_AUTO_TEST_SUITE_END()
