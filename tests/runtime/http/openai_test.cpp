#include "tests/runtime/http/http_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;

// What the API answers, over real sockets.

namespace {

json chat_of(const std::string& text) {
  return {{"messages", {{{"role", "user"}, {"content", text}}}},
          {"seed", 5},
          {"max_tokens", 40},
          {"ignore_eos", true}};
}

completion run(runtime& rt, const std::string& prompt, uint64_t seed,
               uint32_t tokens) {
  auto r = generate_request{};
  r.prompt = rt.text().encode(prompt, {.add_special = true});
  r.sampling.seed = seed;
  r.sampling.temperature = 0.8f;
  r.max_tokens = tokens;
  r.ignore_end = true;
  auto g = rt.submit(std::move(r));
  BOOST_REQUIRE(g.ok());
  return collect(*g);
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_openai)

BOOST_AUTO_TEST_CASE(the_same_seed_gives_the_text_that_the_runtime_gives) {
  auto f = http_fixture{};
  for (uint64_t seed = 0; seed < 4; ++seed) {
    auto expected = run(*f.rt, "Once upon a time", seed, 50);
    auto j = f.post(completions, {{"prompt", "Once upon a time"},
                                  {"seed", seed},
                                  {"temperature", 0.8},
                                  {"max_tokens", 50},
                                  {"ignore_eos", true}});
    BOOST_TEST(j["choices"][0]["text"].get<std::string>() == expected.text);
    BOOST_TEST(j["choices"][0]["finish_reason"] == "length");
    BOOST_TEST(j["object"] == "text_completion");
    BOOST_TEST(j["model"] == "tiny");
    BOOST_TEST(j["usage"]["completion_tokens"] == 50);
    BOOST_TEST(j["usage"]["prompt_tokens"] == expected.end.prompt_tokens);
  }
  BOOST_TEST(f.comes_to_rest());
}

BOOST_AUTO_TEST_CASE(a_stream_says_what_the_whole_answer_says) {
  auto f = http_fixture{};
  auto body = chat_of("Hello");
  auto whole = f.post(chats, body);
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  auto a = http_client{f.port()}.post(chats, body.dump());
  BOOST_TEST(a.status == 200);
  BOOST_TEST(a.whole);
  BOOST_TEST((a.head.find("text/event-stream") != std::string::npos));
  auto text = std::string{};
  auto reason = std::string{};
  auto events = events_of(a.body);
  BOOST_REQUIRE(events.size() > 3u);
  BOOST_TEST(events[0]["choices"][0]["delta"]["role"] == "assistant");
  for (auto& e : events) {
    BOOST_TEST(e["id"] == events[0]["id"]);
    if (e["choices"].empty())
      continue;
    text += e["choices"][0]["delta"].value("content", "");
    if (!e["choices"][0]["finish_reason"].is_null())
      reason += e["choices"][0]["finish_reason"];
  }
  auto& choice = whole["choices"][0];
  BOOST_TEST(text == choice["message"]["content"].get<std::string>());
  BOOST_TEST(reason == "length");
  auto usage = events.back()["usage"];
  BOOST_TEST(usage["completion_tokens"] == 40);
  BOOST_TEST(usage["prompt_tokens"] == whole["usage"]["prompt_tokens"]);
}

BOOST_AUTO_TEST_CASE(n_choices_are_those_of_seeds_that_follow) {
  auto f = http_fixture{};
  auto body = chat_of("Hello");
  body["n"] = 3;
  auto all = f.post(chats, body);
  BOOST_REQUIRE(all["choices"].size() == 3u);
  BOOST_TEST(all["usage"]["completion_tokens"] == 120);
  body["n"] = 1;
  for (auto i = 0; i < 3; ++i) {
    body["seed"] = 5 + i;
    auto one = f.post(chats, body);
    BOOST_TEST(all["choices"][i]["index"] == i);
    BOOST_TEST(all["choices"][i]["message"] == one["choices"][0]["message"]);
    BOOST_TEST(all["usage"]["prompt_tokens"] == one["usage"]["prompt_tokens"]);
  }
  body["n"] = 3;
  body["seed"] = 5;
  body["stream"] = true;
  auto texts = std::vector<std::string>(3);
  for (auto& e :
       events_of(http_client{f.port()}.post(chats, body.dump()).body)) {
    auto& c = e["choices"][0];
    texts[c["index"].get<size_t>()] += c["delta"].value("content", "");
  }
  for (auto i = 0u; i < 3; ++i)
    BOOST_TEST(texts[i]
               == all["choices"][i]["message"]["content"].get<std::string>());
}

BOOST_AUTO_TEST_CASE(several_prompts_have_their_choices_side_by_side) {
  auto f = http_fixture{};
  auto body = json{{"prompt", {"One", "Two"}}, {"seed", 1}, {"n", 2}};
  auto all = f.post(completions, body);
  BOOST_REQUIRE(all["choices"].size() == 4u);
  body["prompt"] = "Two";
  auto two = f.post(completions, body);
  BOOST_TEST(all["choices"][2]["text"] == two["choices"][0]["text"]);
  BOOST_TEST(all["choices"][3]["text"] == two["choices"][1]["text"]);
  auto ids = f.rt->text().encode("Two", {.add_special = true});
  body["prompt"] = ids;
  BOOST_TEST(f.post(completions, body)["choices"][0]["text"]
             == two["choices"][0]["text"]);
}

BOOST_AUTO_TEST_CASE(without_a_seed_answers_differ) {
  auto f = http_fixture{};
  auto body = json{{"prompt", "One"}, {"max_tokens", 40}, {"ignore_eos", true}};
  auto a = f.post(completions, body);
  auto b = f.post(completions, body);
  BOOST_TEST(a["choices"][0]["text"] != b["choices"][0]["text"]);
  BOOST_TEST(a["id"] != b["id"]);
}

BOOST_AUTO_TEST_CASE(a_stop_string_ends_the_answer_before_it) {
  auto f = http_fixture{};
  auto body = chat_of("Hello");
  auto text = f.post(chats, body)["choices"][0]["message"]["content"]
                  .get<std::string>();
  auto stop = std::string{};
  for (auto c : text.substr(text.size() / 2))
    if (c > ' ' && c < 0x7f)
      stop = c;
  BOOST_REQUIRE(!stop.empty());
  body["stop"] = {stop};
  auto j = f.post(chats, body)["choices"][0];
  BOOST_TEST(j["message"]["content"] == text.substr(0, text.find(stop)));
  BOOST_TEST(j["finish_reason"] == "stop");
}

BOOST_AUTO_TEST_CASE(logprobs_come_with_each_token) {
  auto f = http_fixture{};
  auto body = chat_of("Hello");
  body["logprobs"] = true;
  body["top_logprobs"] = 2;
  auto j = f.post(chats, body)["choices"][0]["logprobs"]["content"];
  BOOST_REQUIRE(j.size() == 40u);
  BOOST_TEST(j[0]["top_logprobs"].size() == 2u);
  body["stream"] = true;
  auto streamed = json::array();
  for (auto& e : events_of(http_client{f.port()}.post(chats, body.dump()).body))
    if (!e["choices"][0]["logprobs"].is_null())
      for (auto& t : e["choices"][0]["logprobs"]["content"])
        streamed.push_back(t);
  BOOST_TEST(streamed == j);
}

BOOST_AUTO_TEST_CASE(a_bias_decides) {
  auto f = http_fixture{};
  auto id = f.rt->text().encode("z").front();
  auto body = json{{"prompt", "One"},
                   {"logit_bias", {{std::to_string(id), 100}}},
                   {"max_tokens", 5}};
  BOOST_TEST(f.post(completions, body)["choices"][0]["text"] == "zzzzz");
}

BOOST_AUTO_TEST_CASE(what_cannot_run_is_refused_with_its_reason) {
  auto f = http_fixture{};
  auto e = f.post(completions, {{"prompt", std::string(300, 'x')}}, 400);
  BOOST_TEST(e["error"]["code"] == "context_length_exceeded");
  BOOST_TEST(e["error"]["param"] == "prompt");
  e = f.post(completions, {{"prompt", {1, 5000}}}, 400);
  BOOST_TEST(e["error"]["param"] == "prompt");
  BOOST_TEST(e["error"]["type"] == "invalid_request_error");
  e = f.post(completions, {{"prompt", ""}, {"model", "gpt"}}, 404);
  BOOST_TEST(e["error"]["code"] == "model_not_found");
  e = f.post(chats, {{"messages", 7}}, 400);
  BOOST_TEST(e["error"]["param"] == "messages");
  e = f.post(completions, {{"prompt", "a"}, {"stream", true}, {"n", 0}}, 400);
  BOOST_TEST(e["error"]["param"] == "n");
}

BOOST_AUTO_TEST_CASE(text_becomes_tokens_and_text_again) {
  auto f = http_fixture{};
  auto j = f.post("/tokenize", {{"prompt", "Hello"}});
  BOOST_TEST(j["tokens"]
             == json(f.rt->text().encode("Hello", {.add_special = true})));
  BOOST_TEST(j["max_model_len"] == 256);
  j = f.post("/tokenize", {{"prompt", "<|im_end|>"}});
  BOOST_TEST(j["count"] > 1);
  j = f.post("/tokenize", {{"prompt", "<|im_end|>"}, {"parse_special", true}});
  BOOST_TEST(j["tokens"] == json::array({tiny_im_end}));
  auto ids = f.rt->text().encode("Hello");
  BOOST_TEST(f.post("/detokenize", {{"tokens", ids}})["prompt"] == "Hello");
  f.post("/detokenize", {{"tokens", {99999}}}, 400);
}

BOOST_AUTO_TEST_CASE(a_large_body_is_read_beside_the_others) {
  auto f = http_fixture{};
  auto text = std::string(100'000, 'x');
  auto j = f.post("/tokenize", {{"prompt", text}});
  BOOST_TEST(j["tokens"]
             == json(f.rt->text().encode(text, {.add_special = true})));
}

BOOST_AUTO_TEST_CASE(the_server_tells_about_itself) {
  auto f = http_fixture{};
  auto c = http_client{f.port()};
  BOOST_TEST(json::parse(c.get("/v1/models").body)["data"][0]["id"] == "tiny");
  BOOST_TEST(json::parse(c.get("/v1/models/tiny").body)["id"] == "tiny");
  BOOST_TEST(c.get("/v1/models/none").status == 404);
  BOOST_TEST(c.get("/healthz").status == 200);
  BOOST_TEST(c.get("/readyz?verbose").status == 200);
  BOOST_TEST(c.get("/nothing").status == 404);
  BOOST_TEST(c.get("/tokenize").status == 405);
  f.post(completions,
         {{"prompt", "a"}, {"max_tokens", 7}, {"ignore_eos", true}});
  auto m = c.get("/metrics").body;
  auto has = [&](const std::string& line) {
    return m.find("\n" + line + "\n") != std::string::npos;
  };
  BOOST_TEST(has("troupe_generated_tokens_total 7"));
  BOOST_TEST(has("troupe_answers_in_flight 0"));
  BOOST_TEST(has("troupe_actors{actor=\"gateway\"} 1"));
  for (auto* name : {"troupe_stage_seconds_count{stage=\"prefill\"}",
                     "troupe_actor_messages_total{actor=\"gateway\"}"})
    BOOST_TEST(m.find(name) != std::string::npos, name);
  BOOST_TEST(has("troupe_http_requests_total{endpoint=\"/v1/completions\","
                 "status=\"200\"} 1"));
  BOOST_TEST(has("troupe_http_requests_total{endpoint=\"other\","
                 "status=\"404\"} 1"));
  BOOST_TEST(has("troupe_time_to_first_token_seconds_count 1"));
  BOOST_TEST(has("troupe_nodes 1"));
}

BOOST_AUTO_TEST_CASE(a_request_is_part_of_its_clients_trace) {
  auto f = http_fixture{};
  auto body = std::string{R"({"prompt": [5, 6], "max_tokens": 2, "seed": 1})"};
  auto c = http_client{f.port()};
  c.send("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\ntraceparent: "
         "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
         "content-length: "
         + std::to_string(body.size()) + "\r\n\r\n" + body);
  BOOST_TEST(c.read().status == 200);
  // The next one on the connection is not.
  c.send("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\ncontent-length: "
         + std::to_string(body.size()) + "\r\n\r\n" + body);
  BOOST_TEST(c.read().status == 200);
  auto text = std::string{};
  auto requests = [&] {
    auto n = size_t{0};
    for (auto at = text.find("\"prefill\""); at != std::string::npos;
         at = text.find("\"prefill\"", at + 1))
      ++n;
    return n;
  };
  // A session tells when its client has got the end.
  for (auto i = 0; i < 100'000 && requests() < 2; ++i)
    text += f.rt->profile({profile_query::kind::otlp_traces})->text;
  BOOST_TEST(requests() == 2u);
  auto first = text.find("4bf92f3577b34da6a3ce929d0e0e4736");
  BOOST_TEST(first != std::string::npos);
  BOOST_TEST(text.find("00f067aa0ba902b7") != std::string::npos);
  // Each of its spans, and no other: admit, place, queue, prefill, decode and
  // the whole request.
  auto spans = 0;
  for (auto at = first; at != std::string::npos;
       at = text.find("4bf92f3577b34da6a3ce929d0e0e4736", at + 1))
    ++spans;
  BOOST_TEST(spans == 6);
}

BOOST_AUTO_TEST_SUITE_END()
