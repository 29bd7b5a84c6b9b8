#include "core/api/openai_request.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <ostream>

using namespace troupe;
using namespace troupe::api;

namespace {

struct fault {
  std::string body;
  std::string param;
};

std::ostream& operator<<(std::ostream& out, const fault& f) {
  return out << f.body.substr(0, 60);
}

std::string chat(const std::string& more) {
  return R"({"messages":[{"role":"user","content":"Hi"}])"
         + (more.empty() ? "" : "," + more) + "}";
}

std::string deep(size_t n) {
  return R"({"messages":)" + std::string(n, '[') + std::string(n, ']') + "}";
}

const fault chat_faults[] = {
    {"", ""},
    {"{", ""},
    {"[]", ""},
    {"{\"messages\":\"\xff\"}", ""},
    {R"({"messages":[{"role":"user","content":"\ud800"}]})", ""},
    {deep(140), ""},
    {deep(40), "messages[0]"},
    {"{}", "messages"},
    {R"({"messages":null})", "messages"},
    {R"({"messages":[]})", "messages"},
    {R"({"messages":"Hi"})", "messages"},
    {R"({"messages":["Hi"]})", "messages[0]"},
    {R"({"messages":[{"content":"Hi"}]})", "messages[0].role"},
    {R"({"messages":[{"role":"user","content":"a"},{"role":"robot"}]})",
     "messages[1].role"},
    {R"({"messages":[{"role":7,"content":"Hi"}]})", "messages[0].role"},
    {R"({"messages":[{"role":"tool","content":"Hi"}]})", "messages[0].role"},
    {R"({"messages":[{"role":"user"}]})", "messages[0].content"},
    {R"({"messages":[{"role":"user","content":7}]})", "messages[0].content"},
    {R"({"messages":[{"role":"user","content":["a"]}]})",
     "messages[0].content"},
    {R"({"messages":[{"role":"user","content":[{"type":"image_url"}]}]})",
     "messages[0].content"},
    {R"({"messages":[{"role":"user","content":[{"type":"text"}]}]})",
     "messages[0].content"},
    {chat(R"("model":7)"), "model"},
    {chat(R"("user":7)"), "user"},
    {chat(R"("temperature":"hot")"), "temperature"},
    {chat(R"("temperature":2.1)"), "temperature"},
    {chat(R"("temperature":-0.1)"), "temperature"},
    {chat(R"("temperature":1e999)"), ""},
    {chat(R"("top_p":1.5)"), "top_p"},
    {chat(R"("top_k":1.5)"), "top_k"},
    {chat(R"("top_k":-2)"), "top_k"},
    {chat(R"("min_p":true)"), "min_p"},
    {chat(R"("presence_penalty":3)"), "presence_penalty"},
    {chat(R"("frequency_penalty":-3)"), "frequency_penalty"},
    {chat(R"("repetition_penalty":0)"), "repetition_penalty"},
    {chat(R"("logit_bias":[])"), "logit_bias"},
    {chat(R"("logit_bias":{"a":1})"), "logit_bias"},
    {chat(R"("logit_bias":{"":1})"), "logit_bias"},
    {chat(R"("logit_bias":{"-1":1})"), "logit_bias"},
    {chat(R"("logit_bias":{"99999999999":1})"), "logit_bias"},
    {chat(R"("logit_bias":{"1":101})"), "logit_bias"},
    {chat(R"("logit_bias":{"1":"1"})"), "logit_bias"},
    {chat(R"("seed":1.5)"), "seed"},
    {chat(R"("seed":"1")"), "seed"},
    {chat(R"("n":0)"), "n"},
    {chat(R"("n":129)"), "n"},
    {chat(R"("n":18446744073709551615)"), "n"},
    {chat(R"("max_tokens":0)"), "max_tokens"},
    {chat(R"("max_completion_tokens":-1)"), "max_completion_tokens"},
    {chat(R"("stop":7)"), "stop"},
    {chat(R"("stop":"")"), "stop"},
    {chat(R"("stop":["a",7])"), "stop"},
    {chat("\"stop\":\"" + std::string(257, 'a') + "\""), "stop"},
    {chat(R"("stop":["1","2","3","4","5","6","7","8","9","1","2","3","4","5",
                     "6","7","8"])"),
     "stop"},
    {chat(R"("stream":1)"), "stream"},
    {chat(R"("stream_options":{})"), "stream_options"},
    {chat(R"("stream":true,"stream_options":7)"), "stream_options"},
    {chat(R"("stream":true,"stream_options":{"include_usage":7})"),
     "stream_options.include_usage"},
    {chat(R"("logprobs":3)"), "logprobs"},
    {chat(R"("top_logprobs":3)"), "top_logprobs"},
    {chat(R"("logprobs":true,"top_logprobs":21)"), "top_logprobs"},
    {chat(R"("tools":[{}])"), "tools"},
    {chat(R"("functions":[{}])"), "functions"},
    {chat(R"("response_format":7)"), "response_format.type"},
    {chat(R"("response_format":{})"), "response_format.type"},
    {chat(R"("response_format":{"type":"xml"})"), "response_format.type"},
    {chat(R"("response_format":{"type":"json_schema"})"),
     "response_format.json_schema"},
    {chat(R"("response_format":{"type":"json_schema","json_schema":7})"),
     "response_format.json_schema"},
    {chat(R"("response_format":{"type":"json_schema","json_schema":{}})"),
     "response_format.json_schema"},
    {chat(R"("response_format":{"type":"regex"})"), "response_format.pattern"},
    {chat(R"("response_format":{"type":"regex","pattern":7})"),
     "response_format.pattern"},
    {chat(R"("response_format":{"type":"grammar","pattern":"a"})"),
     "response_format.grammar"},
    {chat(R"("response_format":{"type":"json_object"},"ignore_eos":true)"),
     "ignore_eos"},
    {chat(R"("response_format":{"type":"json_object"},"stop":"a")"), "stop"},
};

const fault completion_faults[] = {
    {"{}", "prompt"},
    {R"({"prompt":7})", "prompt"},
    {R"({"prompt":[]})", "prompt"},
    {R"({"prompt":[1,-1]})", "prompt"},
    {R"({"prompt":[1,2147483648]})", "prompt"},
    {R"({"prompt":[1,"a"]})", "prompt"},
    {R"({"prompt":["a",1]})", "prompt"},
    {R"({"prompt":[[1],["a"]]})", "prompt"},
    {R"({"prompt":"a","logprobs":21})", "logprobs"},
    {R"({"prompt":"a","logprobs":true})", "logprobs"},
    {R"({"prompt":"a","best_of":2})", "best_of"},
    {R"({"prompt":"a","echo":true})", "echo"},
    {R"({"prompt":"a","suffix":"b"})", "suffix"},
    {R"({"prompt":["a","b"],"n":65})", "n"},
};

} // namespace

BOOST_AUTO_TEST_SUITE(openai_request)

BOOST_DATA_TEST_CASE(what_is_wrong_with_a_chat_is_named,
                     boost::unit_test::data::make(chat_faults), fault) {
  auto r = chat_request{};
  auto why = read_request(fault.body, {}, r);
  BOOST_REQUIRE(why);
  BOOST_TEST(why->status == 400);
  BOOST_TEST(why->param == fault.param);
  BOOST_TEST(!why->message.empty());
}

BOOST_DATA_TEST_CASE(what_is_wrong_with_a_completion_is_named,
                     boost::unit_test::data::make(completion_faults), fault) {
  auto r = completion_request{};
  auto why = read_request(fault.body, {}, r);
  BOOST_REQUIRE(why);
  BOOST_TEST(why->status == 400);
  BOOST_TEST(why->param == fault.param);
}

BOOST_AUTO_TEST_CASE(a_chat_is_read_whole) {
  auto body = std::string{R"({
    "model": "m", "user": "me", "store": false, "metadata": {"a": "b"},
    "messages": [
      {"role": "developer", "content": "Be brief."},
      {"role": "user", "content": [{"type": "text", "text": "a"},
                                   {"type": "text", "text": "b"}]},
      {"role": "assistant", "content": null},
      {"role": "user", "content": "c", "name": "x"}],
    "temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.05,
    "presence_penalty": 1, "frequency_penalty": -1, "repetition_penalty": 1.1,
    "logit_bias": {"5": -100, "6": 2.5}, "seed": -1, "n": 2,
    "max_tokens": 5, "max_completion_tokens": 7, "stop": ["x", "yz"],
    "stream": true, "stream_options": {"include_usage": true},
    "logprobs": true, "top_logprobs": 3, "tools": [], "tool_choice": "auto",
    "response_format": {"type": "text"}, "ignore_eos": true})"};
  auto r = chat_request{};
  auto why = read_request(body, {}, r);
  BOOST_REQUIRE_MESSAGE(!why, (why ? why->message : ""));
  BOOST_REQUIRE(r.messages.size() == 4u);
  BOOST_TEST(r.messages[0].role == "system");
  BOOST_TEST(r.messages[1].content == "ab");
  BOOST_TEST(r.messages[2].content == "");
  BOOST_TEST(r.model == "m");
  BOOST_TEST(r.user == "me");
  auto& s = r.sampling;
  BOOST_TEST(s.temperature == 0.5f);
  BOOST_TEST(s.top_p == 0.9f);
  BOOST_TEST(s.top_k == 40u);
  BOOST_TEST(s.min_p == 0.05f);
  BOOST_TEST(s.presence_penalty == 1.f);
  BOOST_TEST(s.frequency_penalty == -1.f);
  BOOST_TEST(s.repetition_penalty == 1.1f);
  BOOST_REQUIRE(s.logit_bias.size() == 2u);
  BOOST_TEST(s.logit_bias[0].first == 5);
  BOOST_TEST(s.logit_bias[0].second == -100.f);
  BOOST_TEST(s.seed == ~uint64_t{0});
  BOOST_TEST(s.want_logprob);
  BOOST_TEST(s.logprobs == 3u);
  BOOST_TEST(r.n == 2u);
  BOOST_TEST(r.max_tokens == 7u);
  BOOST_TEST(r.stop == (std::vector<std::string>{"x", "yz"}),
             boost::test_tools::per_element());
  BOOST_TEST(r.stream);
  BOOST_TEST(r.include_usage);
  BOOST_TEST(r.ignore_end);
}

BOOST_AUTO_TEST_CASE(each_form_of_answer_is_read) {
  using enum answer_form::kind;
  auto read = [](const std::string& format) {
    auto r = chat_request{};
    auto why = read_request(chat(R"("response_format":)" + format), {}, r);
    BOOST_REQUIRE_MESSAGE(!why, (why ? why->message : ""));
    return r.form;
  };
  BOOST_TEST(read("null").is_free());
  BOOST_TEST(read(R"({"type":"text"})").is_free());
  BOOST_TEST((read(R"({"type":"json_object"})").what == json_object));
  auto pattern = read(R"({"type":"regex","pattern":"a+"})");
  BOOST_TEST((pattern.what == regex));
  BOOST_TEST(pattern.text == "a+");
  auto rules = read(R"({"type":"grammar","grammar":"root ::= \"a\""})");
  BOOST_TEST((rules.what == grammar));
  BOOST_TEST(rules.text == R"(root ::= "a")");
}

BOOST_AUTO_TEST_CASE(a_schema_keeps_the_order_of_its_properties) {
  auto r = chat_request{};
  auto why = read_request(chat(R"("response_format":{"type":"json_schema",
      "json_schema":{"name":"x","strict":true,
        "schema":{"properties":{"b":{},"a":{}}}}})"),
                          {}, r);
  BOOST_REQUIRE_MESSAGE(!why, (why ? why->message : ""));
  BOOST_TEST((r.form.what == answer_form::kind::json_schema));
  BOOST_TEST(r.form.text == R"({"properties":{"b":{},"a":{}}})");
}

BOOST_AUTO_TEST_CASE(the_cache_is_wished_for_or_not) {
  auto read = [](const std::string& field) {
    auto r = completion_request{};
    auto why = read_request(R"({"prompt": "a")" + field + "}", {}, r);
    BOOST_REQUIRE_MESSAGE(!why, (why ? why->message : ""));
    return r.cache;
  };
  BOOST_TEST(!read("").has_value());
  BOOST_TEST(!read(R"(, "cache": null)").has_value());
  BOOST_TEST(read(R"(, "cache": true)").value());
  BOOST_TEST(!read(R"(, "cache": false)").value());
  auto r = completion_request{};
  auto why = read_request(R"({"prompt": "a", "cache": "yes"})", {}, r);
  BOOST_REQUIRE(why);
  BOOST_TEST(why->param == "cache");
}

BOOST_AUTO_TEST_CASE(null_counts_as_left_out) {
  auto r = chat_request{};
  auto why =
      read_request(chat(R"("temperature":null,"stop":null,"seed":null,"n":null,
              "max_tokens":null,"stream_options":null,"logit_bias":null,
              "tools":null,"logprobs":null,"model":null)"),
                   {}, r);
  BOOST_REQUIRE_MESSAGE(!why, (why ? why->message : ""));
  BOOST_TEST(r.sampling.temperature == 1.f);
  BOOST_TEST(!r.seed.has_value());
  BOOST_TEST(r.n == 1u);
  BOOST_TEST(r.max_tokens == 0u);
}

BOOST_AUTO_TEST_CASE(a_prompt_is_text_or_tokens_or_several) {
  auto prompts = [](const std::string& json) {
    auto r = completion_request{};
    auto why = read_request("{\"prompt\":" + json + "}", {}, r);
    BOOST_REQUIRE_MESSAGE(!why, (why ? why->message : ""));
    BOOST_TEST(r.max_tokens == 16u);
    return r.prompts;
  };
  using ids = std::vector<token_id>;
  BOOST_TEST((prompts(R"("a")") == std::vector<prompt>{"a"}));
  BOOST_TEST((prompts("[1,2]") == std::vector<prompt>{ids{1, 2}}));
  BOOST_TEST((prompts(R"(["a","b"])") == std::vector<prompt>{"a", "b"}));
  BOOST_TEST(
      (prompts("[[1],[2,3]]") == std::vector<prompt>{ids{1}, ids{2, 3}}));
}

BOOST_AUTO_TEST_CASE(a_body_has_its_limits) {
  auto r = detokenize_request{};
  auto limits = request_limits{};
  limits.values = 100;
  auto body = std::string{R"({"tokens":[0)"};
  for (auto i = 1; i < 90; ++i)
    body += ",1";
  BOOST_TEST(!read_request(body + "]}", limits, r));
  BOOST_TEST(r.tokens.size() == 90u);
  for (auto i = 0; i < 20; ++i)
    body += ",1";
  BOOST_TEST(read_request(body + "]}", limits, r).has_value());
  limits = {};
  limits.bytes = 10;
  BOOST_TEST(read_request(body + "]}", limits, r).has_value());
}

BOOST_AUTO_TEST_CASE(text_or_a_chat_is_tokenized) {
  auto r = tokenize_request{};
  BOOST_TEST(!read_request(R"({"prompt":""})", {}, r));
  BOOST_TEST(r.add_special);
  r = {};
  BOOST_TEST(!read_request(chat(R"("add_special_tokens":false)"), {}, r));
  BOOST_TEST(r.messages.size() == 1u);
  BOOST_TEST(!r.add_special);
  auto why = read_request("{}", {}, r);
  BOOST_REQUIRE(why);
  BOOST_TEST(why->param == "prompt");
}

BOOST_AUTO_TEST_SUITE_END()
