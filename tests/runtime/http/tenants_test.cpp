#include <boost/test/unit_test.hpp>

#include "tests/runtime/http/http_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

// Buckets that do not fill again: what is left says what was spent.
limits_table two_tenants() {
  auto t = limits_table{};
  for (auto* name : {"acme", "other"}) {
    auto& l = t.organisations[name].limits;
    l.requests = rate_limit{0, 1s, 10};
    l.output_tokens = rate_limit{0, 1s, 20};
  }
  t.organisations["slow"].limits.requests = rate_limit{1, 10min, 1};
  return t;
}

struct made_keys {
  new_key acme = *make_key();
  new_key other = *make_key();
  new_key slow = *make_key();
  new_key stranger = *make_key();

  http_options options() const {
    auto o = http_options{};
    o.keys = std::vector<api_key>{{"acme", "laptop", acme.hash},
                                  {"other", "server", other.hash},
                                  {"slow", "a", slow.hash}};
    return o;
  }
};

struct fixture : made_keys, http_fixture {
  fixture() : http_fixture(options(), 256, two_tenants()) {}

  static std::string with_key(std::string request, const std::string& header) {
    return request.insert(request.find("\r\n") + 2, header + "\r\n");
  }

  http_client::answer ask(const std::string& secret, const json& body,
                          http_client& c,
                          const std::string& path = completions) {
    c.send(with_key(http_client::post_text(path, body.dump()),
                    "Authorization: Bearer " + secret));
    return c.read();
  }

  http_client::answer ask(const new_key& key, const json& body,
                          const std::string& path = completions) {
    auto c = http_client{port()};
    return ask(key.secret, body, c, path);
  }

  json body(int max_tokens) {
    return {{"prompt", {10, 11, 12}},
            {"max_tokens", max_tokens},
            {"ignore_eos", true},
            {"seed", 1}};
  }

  static bool has(const http_client::answer& a, const std::string& line) {
    return a.head.find("\r\n" + line + "\r\n") != std::string::npos;
  }

  uint64_t left(const std::string& organisation, limited what) {
    auto s = rt->limits({organisation, "laptop", server->model_name()});
    return s[static_cast<size_t>(what)]->left;
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(http_tenants_suite)

BOOST_FIXTURE_TEST_CASE(who_has_no_key_is_told_so, fixture) {
  auto refused = [&](http_client::answer a) {
    BOOST_TEST(a.status == 401);
    BOOST_TEST(has(a, "www-authenticate: Bearer"));
    auto e = json::parse(a.body)["error"];
    BOOST_TEST(e["code"] == "invalid_api_key");
    BOOST_TEST(e["type"] == "invalid_request_error");
    BOOST_TEST(e["param"].is_null());
  };
  auto wrong = acme.secret.substr(0, 24) + other.secret.substr(24);
  refused(http_client{port()}.post(completions, body(1).dump()));
  refused(http_client{port()}.get("/v1/models"));
  refused(http_client{port()}.get("/nothing"));
  refused(ask(stranger, body(1)));
  for (auto header : {"Authorization: ", "Authorization: Bearer",
                      "Authorization: Bearer ", "Authorization: Basic YTpi"}) {
    auto c = http_client{port()};
    c.send(
        with_key(http_client::post_text(completions, body(1).dump()), header));
    refused(c.read());
  }
  for (auto& s : {wrong, "x" + acme.secret, acme.secret + "0"}) {
    auto c = http_client{port()};
    auto without_body = [&](const std::string& secret) {
      c.send(with_key("GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n",
                      "Authorization: Bearer " + secret));
      return c.read();
    };
    refused(without_body(s));
    // The connection goes on, and knows the next key for itself.
    BOOST_TEST(without_body(acme.secret).status == 200);
    BOOST_TEST(ask(acme.secret, body(1), c).status == 200);
    refused(without_body(s));
    refused(ask(s, body(1), c));
    BOOST_TEST(c.read_to_end());
  }
  BOOST_TEST(left("acme", limited::requests) == 7u);
}

// -- before the body ---------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(who_has_no_key_has_no_body_read, fixture) {
  auto wrong = acme.secret.substr(0, 24) + other.secret.substr(24);
  auto body_to_come = std::vector<std::string>{
      "Content-Length: 1000000", "Transfer-Encoding: chunked",
      "Expect: 100-continue\r\nContent-Length: 5"};
  for (auto& announced : body_to_come)
    for (auto& who :
         {std::string{}, "Authorization: Bearer " + stranger.secret + "\r\n",
          "Authorization: Bearer " + wrong + "\r\n"}) {
      auto c = http_client{port()};
      c.send("POST /v1/completions HTTP/1.1\r\nHost: a\r\n" + who + announced
             + "\r\n\r\n");
      auto a = c.read();
      BOOST_TEST(a.status == 401);
      BOOST_TEST(has(a, "connection: close"));
      BOOST_TEST(c.read_to_end());
      BOOST_TEST(c.received() == "");
    }
  auto m = http_client{port()}.get("/metrics").body;
  BOOST_TEST(m.find("troupe_http_body_bytes 0\n") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_body_that_comes_all_the_same_harms_nobody, fixture) {
  auto c = http_client{port()};
  c.send(
      "POST /tokenize HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n");
  BOOST_TEST(c.send(std::string(300'000, ' ')));
  BOOST_TEST(c.read().status == 401);
  BOOST_TEST(c.read_to_end());
  BOOST_TEST(c.received() == "");
}

BOOST_FIXTURE_TEST_CASE(a_new_key_is_looked_at_before_its_body, fixture) {
  auto c = http_client{port()};
  auto text = body(1).dump();
  c.send("POST /v1/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "
         + acme.secret + "\r\nExpect: 100-continue\r\nContent-Length: "
         + std::to_string(text.size()) + "\r\n\r\n");
  BOOST_REQUIRE(c.read_until("HTTP/1.1 100 Continue\r\n\r\n"));
  c.send(text);
  BOOST_REQUIRE(c.read_until("HTTP/1.1 200 OK"));
  // Requests sent ahead wait for the first one's key.
  auto ahead = http_client{port()};
  auto one = with_key(http_client::post_text(completions, text),
                      "Authorization: Bearer " + other.secret);
  ahead.send(one + one);
  BOOST_TEST(ahead.read().status == 200);
  BOOST_TEST(ahead.read().status == 200);
  BOOST_TEST(left("other", limited::requests) == 8u);
}

BOOST_FIXTURE_TEST_CASE(health_is_no_secret, fixture) {
  // But nobody's body is read for it.
  auto c = http_client{port()};
  BOOST_TEST(c.post("/healthz", "{}").status == 401);
  BOOST_TEST(c.read_to_end());
  for (auto path : {"/healthz", "/readyz", "/metrics"})
    BOOST_TEST(http_client{port()}.get(path).status == 200);
}

BOOST_FIXTURE_TEST_CASE(headers_say_what_is_left, fixture) {
  auto a = ask(acme, body(5));
  BOOST_REQUIRE_EQUAL(a.status, 200);
  BOOST_TEST(has(a, "x-ratelimit-limit-requests: 10"));
  BOOST_TEST(has(a, "x-ratelimit-remaining-requests: 9"));
  BOOST_TEST(has(a, "x-ratelimit-limit-output-tokens: 20"));
  BOOST_TEST(has(a, "x-ratelimit-remaining-output-tokens: 15"));
  BOOST_TEST(a.head.find("input-tokens") == std::string::npos);
  // It never fills again.
  BOOST_TEST(a.head.find("x-ratelimit-reset-requests") == std::string::npos);
  auto b = body(2);
  b["stream"] = true;
  auto s = ask(acme, b);
  BOOST_REQUIRE_EQUAL(s.status, 200);
  BOOST_TEST(has(s, "x-ratelimit-remaining-requests: 8"));
  a = ask(slow, body(1));
  BOOST_TEST(has(a, "x-ratelimit-remaining-requests: 0"));
  BOOST_TEST(a.head.find("x-ratelimit-reset-requests: ") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(too_much_is_429_and_says_when, fixture) {
  BOOST_TEST(ask(slow, body(1)).status == 200);
  for (auto stream : {false, true}) {
    auto b = body(1);
    b["stream"] = stream;
    auto a = ask(slow, b);
    BOOST_TEST(a.status == 429);
    auto e = json::parse(a.body)["error"];
    BOOST_TEST(e["type"] == "rate_limit_error");
    BOOST_TEST(e["code"] == "overloaded");
    auto at = a.head.find("retry-after: ");
    BOOST_REQUIRE(at != std::string::npos);
    auto seconds = std::stoi(a.head.substr(at + 13));
    BOOST_TEST(seconds > 500);
    BOOST_TEST(seconds <= 600);
    BOOST_TEST(has(a, "x-ratelimit-remaining-requests: 0"));
  }
}

BOOST_FIXTURE_TEST_CASE(what_will_never_be_is_the_requests_fault, fixture) {
  auto a = ask(acme, body(21));
  BOOST_TEST(a.status == 400);
  BOOST_TEST(json::parse(a.body)["error"]["code"] == "invalid_argument");
  BOOST_TEST(left("acme", limited::requests) == 10u);
}

BOOST_FIXTURE_TEST_CASE(two_tenants_do_not_disturb_each_other, fixture) {
  auto open = json{{"messages", {{{"role", "user"}, {"content", "a"}}}},
                   {"ignore_eos", true},
                   {"seed", 1}};
  auto a = ask(acme, open, chats);
  BOOST_REQUIRE_EQUAL(a.status, 200);
  auto whole = json::parse(a.body);
  BOOST_TEST(whole["choices"][0]["finish_reason"] == "length");
  BOOST_TEST(whole["usage"]["completion_tokens"] == 20);
  BOOST_TEST(ask(acme, body(1)).status != 200);
  BOOST_TEST(left("other", limited::output_tokens) == 20u);
  BOOST_TEST(left("other", limited::requests) == 10u);
  open["max_tokens"] = 20;
  auto b = ask(other, open, chats);
  BOOST_REQUIRE_EQUAL(b.status, 200);
  // The same tokens as where the budget ended it.
  auto theirs = json::parse(b.body);
  BOOST_TEST(theirs["choices"][0]["message"] == whole["choices"][0]["message"]);
  BOOST_TEST(theirs["usage"]["completion_tokens"] == 20);
  BOOST_TEST(left("other", limited::output_tokens) == 0u);
}

BOOST_FIXTURE_TEST_CASE(tenants_share_no_prompts, fixture) {
  auto prompt = std::vector<int>(100, 10);
  auto cached = [&](const new_key& key) {
    auto b = body(1);
    b["prompt"] = prompt;
    // Nobody names a tenant in a body.
    b["organisation"] = "acme";
    b["cache_salt"] = "acme";
    auto a = ask(key, b);
    BOOST_REQUIRE_EQUAL(a.status, 200);
    BOOST_TEST(comes_to_rest());
    return json::parse(
               a.body)["usage"]["prompt_tokens_details"]["cached_tokens"]
        .get<int>();
  };
  BOOST_TEST(cached(acme) == 0);
  BOOST_TEST(cached(acme) > 0);
  BOOST_TEST(cached(other) == 0);
  BOOST_TEST(left("other", limited::requests) == 9u);
}

BOOST_FIXTURE_TEST_CASE(a_client_that_leaves_frees_what_was_reserved, fixture) {
  {
    auto c = http_client{port()};
    auto b = body(20);
    b["stream"] = true;
    c.send(with_key(http_client::post_text(completions, b.dump()),
                    "Authorization: Bearer " + acme.secret));
    BOOST_TEST(c.read_until("data: "));
  }
  BOOST_TEST(comes_to_rest());
  // Each token was spent once, or is there.
  BOOST_TEST(left("acme", limited::requests) == 9u);
  BOOST_TEST(rt->limits({"acme", "", ""})[2]->burst == 20u);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(http_no_keys_suite)

BOOST_AUTO_TEST_CASE(a_list_without_keys_lets_nobody_in) {
  auto o = http_options{};
  o.keys.emplace();
  auto f = http_fixture{o};
  BOOST_TEST(http_client{f.port()}.get("/v1/models").status == 401);
  auto open = http_fixture{};
  BOOST_TEST(http_client{open.port()}.get("/v1/models").status == 200);
}

BOOST_AUTO_TEST_SUITE_END()
