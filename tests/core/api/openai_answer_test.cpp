#include "core/api/openai_answer.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/api/api_error.hpp"
#include "core/api/json_text.hpp"
#include "core/api/sse.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::api;
using nlohmann::json;

namespace {

std::string string_json(std::string_view text) {
  auto out = std::string{};
  append_json_string(out, text);
  return out;
}

answer_head head_of(answer_kind kind) {
  return {kind, "id-1", 1700000000, "m\"1"};
}

// The JSON of a stream's events.
std::vector<json> events_of(const std::string& stream) {
  auto all = std::vector<json>{};
  auto at = size_t{0};
  while (at < stream.size()) {
    auto end = stream.find("\n\n", at);
    BOOST_REQUIRE(end != std::string::npos);
    auto event = stream.substr(at, end - at);
    BOOST_REQUIRE(event.starts_with("data: "));
    BOOST_REQUIRE(event.find('\n') == std::string::npos);
    all.push_back(json::parse(event.substr(6)));
    at = end + 2;
  }
  return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(openai_answer)

BOOST_AUTO_TEST_CASE(any_bytes_become_a_json_string) {
  auto text = std::string{};
  for (auto c = 0; c < 128; ++c)
    text += static_cast<char>(c);
  text += "é漢😀";
  BOOST_TEST(json::parse(string_json(text)).get<std::string>() == text);
  BOOST_TEST(string_json("a\xff\xe6\xbc"
                         "b")
             == "\"a\xef\xbf\xbd\xef\xbf\xbd"
                "b\"");
  BOOST_TEST(string_json("") == "\"\"");
  BOOST_TEST(string_json("\x01\x1f") == "\"\\u0001\\u001f\"");
}

BOOST_AUTO_TEST_CASE(numbers_are_short_and_never_infinite) {
  auto number = [](float x) {
    auto out = std::string{};
    append_json_number(out, x);
    return out;
  };
  BOOST_TEST(number(-0.1f) == "-0.1");
  BOOST_TEST(number(-INFINITY) == "-9999");
  BOOST_TEST(number(NAN) == "null");
}

BOOST_AUTO_TEST_CASE(an_answer_is_whole) {
  auto choices = std::vector<answer_choice>{{"a\n", "stop", ""},
                                            {"b", "length", "{\"x\":1}"}};
  auto j =
      json::parse(whole_answer(head_of(answer_kind::chat), choices, {3, 4, 2}));
  BOOST_TEST(j["id"] == "id-1");
  BOOST_TEST(j["object"] == "chat.completion");
  BOOST_TEST(j["created"] == 1700000000);
  BOOST_TEST(j["model"] == "m\"1");
  BOOST_TEST(j["choices"].size() == 2u);
  BOOST_TEST(j["choices"][0]["message"]["role"] == "assistant");
  BOOST_TEST(j["choices"][0]["message"]["content"] == "a\n");
  BOOST_TEST(j["choices"][0]["finish_reason"] == "stop");
  BOOST_TEST(j["choices"][0]["logprobs"].is_null());
  BOOST_TEST(j["choices"][1]["index"] == 1);
  BOOST_TEST(j["choices"][1]["logprobs"]["x"] == 1);
  BOOST_TEST(j["usage"]["prompt_tokens"] == 3);
  BOOST_TEST(j["usage"]["total_tokens"] == 7);
  BOOST_TEST(j["usage"]["prompt_tokens_details"]["cached_tokens"] == 2);
  auto c =
      json::parse(whole_answer(head_of(answer_kind::completion), choices, {}));
  BOOST_TEST(c["object"] == "text_completion");
  BOOST_TEST(c["choices"][0]["text"] == "a\n");
}

BOOST_AUTO_TEST_CASE(a_stream_is_events) {
  auto out = std::string{};
  auto w = stream_writer{head_of(answer_kind::chat), true};
  w.begin(out, 1);
  w.text(out, 1, "x\n\n", {});
  w.finish(out, 1, "stop");
  w.usage(out, {1, 2, 0});
  auto events = events_of(out);
  BOOST_REQUIRE(events.size() == 4u);
  BOOST_TEST(events[0]["choices"][0]["delta"]["role"] == "assistant");
  BOOST_TEST(events[0]["choices"][0]["index"] == 1);
  BOOST_TEST(events[0]["object"] == "chat.completion.chunk");
  BOOST_TEST(events[0].contains("usage"));
  BOOST_TEST(events[1]["choices"][0]["delta"]["content"] == "x\n\n");
  BOOST_TEST(events[1]["choices"][0]["finish_reason"].is_null());
  BOOST_TEST(events[2]["choices"][0]["delta"].empty());
  BOOST_TEST(events[2]["choices"][0]["finish_reason"] == "stop");
  BOOST_TEST(events[3]["choices"].empty());
  BOOST_TEST(events[3]["usage"]["total_tokens"] == 3);

  out.clear();
  auto c = stream_writer{head_of(answer_kind::completion), false};
  c.begin(out, 0);
  BOOST_TEST(out.empty());
  c.text(out, 0, "x", "{}");
  c.finish(out, 0, "length");
  events = events_of(out);
  BOOST_TEST(events[0]["choices"][0]["text"] == "x");
  BOOST_TEST(events[0]["choices"][0]["logprobs"].is_object());
  BOOST_TEST(!events[0].contains("usage"));
  BOOST_TEST(events[1]["choices"][0]["finish_reason"] == "length");
  out.clear();
  append_done(out);
  BOOST_TEST(out == "data: [DONE]\n\n");
}

BOOST_AUTO_TEST_CASE(logprobs_have_tokens_bytes_and_alternatives) {
  auto text = tokenizer::make(testing::tiny_model()->vocab);
  BOOST_REQUIRE(text.ok());
  auto a = (*text)->encode("a").front();
  auto b = (*text)->encode("b").front();
  auto tokens = std::vector<sampled>{{a, -0.5f, {{a, -0.5f}, {b, -INFINITY}}},
                                     {b, -1.f, {}}};
  auto chat = logprob_writer{answer_kind::chat, **text};
  auto j = json::parse(chat.write(tokens))["content"];
  BOOST_REQUIRE(j.size() == 2u);
  BOOST_TEST(j[0]["token"] == "a");
  BOOST_TEST(j[0]["bytes"] == json::array({97}));
  BOOST_TEST(j[0]["logprob"] == -0.5);
  BOOST_TEST(j[0]["top_logprobs"][1]["token"] == "b");
  BOOST_TEST(j[0]["top_logprobs"][1]["logprob"] == -9999);
  BOOST_TEST(j[1]["top_logprobs"].empty());
  auto plain = logprob_writer{answer_kind::completion, **text};
  j = json::parse(plain.write(tokens));
  BOOST_TEST(j["tokens"] == json::array({"a", "b"}));
  BOOST_TEST(j["text_offset"] == json::array({0, 1}));
  BOOST_TEST(j["top_logprobs"][0]["a"] == -0.5);
  j = json::parse(plain.write(tokens));
  BOOST_TEST(j["text_offset"] == json::array({2, 3}));
}

BOOST_AUTO_TEST_CASE(errors_have_the_shape_that_clients_expect) {
  auto j = json::parse(to_json({400, "bad \"n\"", "n", ""}))["error"];
  BOOST_TEST(j["message"] == "bad \"n\"");
  BOOST_TEST(j["type"] == "invalid_request_error");
  BOOST_TEST(j["param"] == "n");
  BOOST_TEST(j["code"].is_null());
  auto long_one = api_error_of({errc::context_exceeded, "too long"}, "prompt");
  BOOST_TEST(long_one.status == 400);
  BOOST_TEST(long_one.param == "prompt");
  BOOST_TEST(long_one.code == "context_length_exceeded");
  auto busy = api_error_of({errc::overloaded, "busy"}, "prompt");
  BOOST_TEST(busy.status == 429);
  BOOST_TEST(busy.param == "");
}

BOOST_AUTO_TEST_CASE(tokens_and_models_are_listed) {
  auto ids = std::vector<token_id>{5, 6};
  auto j = json::parse(tokenized(ids, 256));
  BOOST_TEST(j["tokens"] == json(ids));
  BOOST_TEST(j["count"] == 2);
  BOOST_TEST(json::parse(detokenized("a\"b"))["prompt"] == "a\"b");
  j = json::parse(model_list({"m", 5, 256}));
  BOOST_TEST(j["data"][0]["id"] == "m");
  BOOST_TEST(j["data"][0]["max_model_len"] == 256);
}

BOOST_AUTO_TEST_SUITE_END()
