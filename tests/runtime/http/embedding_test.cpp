#include <cstring>

#include "tests/runtime/http/http_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;

// Texts become vectors, over real sockets.

namespace {

constexpr auto path = "/v1/embeddings";

using vector = std::vector<float>;

vector vector_of(const json& answer, size_t i) {
  BOOST_TEST(answer["data"][i]["index"] == i);
  return answer["data"][i]["embedding"].get<vector>();
}

// What the runtime makes of a text.
vector embedded(runtime& rt, const std::string& text, uint32_t dimensions = 0) {
  auto r = embed_request{};
  r.inputs.push_back(rt.text().encode(text, {.add_special = true}));
  r.dimensions = dimensions;
  return rt.embed(std::move(r)).vectors.at(0);
}

vector from_base64(const std::string& text) {
  constexpr auto digits = std::string_view{"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                           "abcdefghijklmnopqrstuvwxyz"
                                           "0123456789+/"};
  auto bytes = std::string{};
  auto bits = uint32_t{0};
  auto have = 0;
  for (auto c : text) {
    if (c == '=')
      break;
    bits = bits << 6 | static_cast<uint32_t>(digits.find(c));
    have += 6;
    if (have >= 8)
      bytes += static_cast<char>(bits >> (have -= 8));
  }
  auto v = vector(bytes.size() / sizeof(float));
  std::memcpy(v.data(), bytes.data(), v.size() * sizeof(float));
  return v;
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_embedding)

BOOST_AUTO_TEST_CASE(a_text_has_the_vector_that_the_runtime_gives) {
  auto f = http_fixture{};
  auto j = f.post(path, {{"input", "Once upon a time"}, {"model", "tiny"}});
  BOOST_TEST(j["object"] == "list");
  BOOST_TEST(j["model"] == "tiny");
  BOOST_TEST(j["data"].size() == 1u);
  BOOST_TEST(j["data"][0]["object"] == "embedding");
  auto tokens =
      f.rt->text().encode("Once upon a time", {.add_special = true}).size();
  BOOST_TEST(j["usage"]["prompt_tokens"] == tokens);
  BOOST_TEST(j["usage"]["total_tokens"] == tokens);
  auto want = embedded(*f.rt, "Once upon a time");
  BOOST_TEST((vector_of(j, 0) == want));
  j = f.post(path,
             {{"input", "Once upon a time"}, {"encoding_format", "base64"}});
  BOOST_TEST((from_base64(j["data"][0]["embedding"]) == want));
  j = f.post(path, {{"input", "Once upon a time"}, {"dimensions", 10}});
  BOOST_TEST((vector_of(j, 0) == embedded(*f.rt, "Once upon a time", 10)));
  BOOST_TEST(vector_of(j, 0).size() == 10u);
  BOOST_TEST(f.comes_to_rest());
}

BOOST_AUTO_TEST_CASE(lists_are_answered_in_their_order) {
  auto f = http_fixture{};
  auto texts = std::vector<std::string>{};
  for (auto i = 0; i < 60; ++i)
    texts.push_back("Text " + std::to_string(i * i));
  auto j = f.post(path, {{"input", texts}});
  BOOST_REQUIRE_EQUAL(j["data"].size(), 60u);
  for (size_t i = 0; i < 60; ++i)
    BOOST_TEST((vector_of(j, i) == embedded(*f.rt, texts[i])));
  // Tokens of two of them, as they are.
  auto ids = json::array();
  for (auto i : {7, 8})
    ids.push_back(f.rt->text().encode(texts[i], {.add_special = true}));
  auto of_ids = f.post(path, {{"input", ids}});
  BOOST_TEST((vector_of(of_ids, 0) == vector_of(j, 7)));
  BOOST_TEST((vector_of(of_ids, 1) == vector_of(j, 8)));
  of_ids = f.post(path, {{"input", ids[1]}});
  BOOST_TEST((vector_of(of_ids, 0) == vector_of(j, 8)));
  auto most = std::vector<std::vector<token_id>>(2048, {5});
  j = f.post(path, {{"input", most}, {"dimensions", 1}});
  BOOST_TEST(j["data"].size() == 2048u);
  BOOST_TEST(j["usage"]["total_tokens"] == 2048);
  BOOST_TEST(f.comes_to_rest());
}

BOOST_AUTO_TEST_CASE(errors_have_the_shape_of_openai) {
  auto f = http_fixture{};
  auto refused = [&](const json& body, int status, const std::string& param,
                     const std::string& code) {
    auto e = f.post(path, body, status)["error"];
    BOOST_TEST_CONTEXT(e.dump()) {
      BOOST_TEST(e["type"] == "invalid_request_error");
      BOOST_TEST(e["param"] == param);
      BOOST_TEST(e["code"] == code);
    }
  };
  refused({{"model", "tiny"}}, 400, "input", "invalid_value");
  refused({{"input", ""}}, 400, "input", "invalid_argument");
  refused({{"input", {"a", ""}}}, 400, "input", "invalid_argument");
  refused({{"input", {{5}, json::array()}}}, 400, "input", "invalid_argument");
  refused({{"input", {5, 300}}}, 400, "input", "invalid_argument");
  refused({{"input", "a"}, {"model", "other"}}, 404, "model",
          "model_not_found");
  refused({{"input", "a"}, {"dimensions", 65}}, 400, "dimensions",
          "invalid_value");
  refused({{"input", std::vector<token_id>(257, 5)}}, 400, "input",
          "context_length_exceeded");
  auto many =
      std::vector<std::vector<token_id>>(1200, std::vector<token_id>(256, 5));
  refused({{"input", many}}, 400, "input", "invalid_value");
  BOOST_TEST(http_client{f.port()}.get(path).status == 405);
  BOOST_TEST(f.comes_to_rest());
}

BOOST_AUTO_TEST_CASE(answers_that_would_be_too_large_are_refused) {
  auto o = http_options{};
  o.max_bodies_bytes = 20'000;
  auto f = http_fixture{o};
  auto texts = std::vector<std::vector<token_id>>(100, {5});
  auto e = f.post(path, {{"input", texts}}, 400)["error"];
  BOOST_TEST(e["message"].get<std::string>().starts_with(
                 "100 vectors of 64 values are too many"),
             e.dump());
  f.post(path, {{"input", texts}, {"dimensions", 2}});
  // What one held is free again.
  for (auto i = 0; i < 20; ++i)
    f.post(path, {{"input", "a"}});
}

BOOST_AUTO_TEST_CASE(a_client_that_leaves_cancels_its_embedding) {
  auto f = http_fixture{};
  auto texts =
      std::vector<std::vector<token_id>>(1000, std::vector<token_id>(250, 5));
  {
    auto c = http_client{f.port()};
    c.send(http_client::post_text(path, json{{"input", texts}}.dump()));
    for (auto begun = false; !begun;)
      begun = f.rt->status()->nodes[0].steps > 0;
  }
  BOOST_TEST(f.comes_to_rest());
  BOOST_TEST(f.rt->status()->nodes[0].steps < 1000u);
  auto text = http_client{f.port()}.get("/metrics").body;
  BOOST_TEST(
      (text.find("troupe_answers_cancelled_total 1\n") != std::string::npos));
}

BOOST_AUTO_TEST_CASE(it_counts_as_one_request_with_its_tokens) {
  using namespace std::chrono_literals;
  auto tenants = limits_table{};
  auto& l = tenants.organisations["acme"].limits;
  l.requests = rate_limit{0, 1s, 3};
  l.input_tokens = rate_limit{0, 1s, 10};
  auto key = *make_key();
  auto o = http_options{};
  o.keys = std::vector<api_key>{{"acme", "laptop", key.hash}};
  auto f = http_fixture{o, 256, tenants};
  auto ask = [&](const json& input, const std::string& secret) {
    auto text = http_client::post_text(path, json{{"input", input}}.dump());
    text.insert(text.find("\r\n") + 2,
                "Authorization: Bearer " + secret + "\r\n");
    auto c = http_client{f.port()};
    c.send(text);
    return c.read();
  };
  BOOST_TEST(ask({{5}}, "none").status == 401);
  auto a = ask({{5, 6}, {7}, {8, 9}}, key.secret);
  BOOST_TEST(a.status == 200);
  auto says = [&](const std::string& line) {
    return a.head.find("\r\n" + line + "\r\n") != std::string::npos;
  };
  BOOST_TEST(says("x-ratelimit-remaining-requests: 2"));
  BOOST_TEST(says("x-ratelimit-remaining-input-tokens: 5"));
  // No time will do.
  a = ask({{5, 6, 7, 8, 9, 10}}, key.secret);
  BOOST_TEST(a.status == 400);
  a = ask({{5, 6, 7, 8, 9}}, key.secret);
  BOOST_TEST(a.status == 200);
  BOOST_TEST(says("x-ratelimit-remaining-input-tokens: 0"));
}

BOOST_AUTO_TEST_SUITE_END()
