#include <thread>

#include "tests/runtime/http/http_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;

namespace {

struct fixture : http_fixture {
  fixture() : http_fixture({}, 256, {}, enabled()) {}

  static response_cache_options enabled() {
    auto o = response_cache_options{};
    o.enabled = true;
    return o;
  }

  static json question(json more = json::object()) {
    auto j = json{{"prompt", "Once"}, {"max_tokens", 12}, {"temperature", 0}};
    j.update(more);
    return j;
  }

  http_client::answer ask(const json& body) {
    return http_client{port()}.post(completions, body.dump());
  }

  std::string from_cache(const http_client::answer& a) {
    auto at = a.head.find("x-troupe-cache: ");
    if (at == std::string::npos)
      return "";
    at += 16;
    return a.head.substr(at, a.head.find("\r\n", at) - at);
  }
};

std::string text_of(const http_client::answer& a) {
  return json::parse(a.body)["choices"][0]["text"];
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_cache)

BOOST_FIXTURE_TEST_CASE(the_second_answer_is_kept, fixture) {
  auto a = ask(question()), b = ask(question());
  BOOST_TEST(from_cache(a) == "miss");
  BOOST_TEST(from_cache(b) == "hit");
  BOOST_TEST(text_of(a) == text_of(b));
  auto usage = json::parse(b.body)["usage"];
  BOOST_TEST(usage["completion_tokens"]
             == json::parse(a.body)["usage"]["completion_tokens"]);
  BOOST_TEST(usage["prompt_tokens_details"]["cached_tokens"]
             == usage["prompt_tokens"]);
}

BOOST_FIXTURE_TEST_CASE(streams_as_well, fixture) {
  auto whole = text_of(ask(question()));
  auto a = ask(question({{"stream", true}}));
  BOOST_TEST(from_cache(a) == "hit");
  auto text = std::string{};
  for (auto& e : events_of(a.body))
    text += e["choices"][0]["text"];
  BOOST_TEST(text == whole);
}

BOOST_FIXTURE_TEST_CASE(whoever_wants_none_gets_none, fixture) {
  ask(question());
  BOOST_TEST(from_cache(ask(question({{"cache", false}}))) == "");
  auto drawn = question({{"temperature", 1}});
  BOOST_TEST(from_cache(ask(drawn)) == "");
  drawn["cache"] = true;
  auto first = ask(drawn);
  BOOST_TEST(from_cache(first) == "miss");
  auto second = ask(drawn);
  BOOST_TEST(from_cache(second) == "hit");
  BOOST_TEST(text_of(first) == text_of(second));
  post(completions, question({{"cache", "yes"}}), 400);
}

BOOST_FIXTURE_TEST_CASE(all_choices_must_be_kept_for_a_hit, fixture) {
  ask(question({{"prompt", "Once"}}));
  auto both = question({{"prompt", {"Once", "Twice"}}});
  BOOST_TEST(from_cache(ask(both)) == "miss");
  BOOST_TEST(from_cache(ask(both)) == "hit");
}

BOOST_FIXTURE_TEST_CASE(who_asks_at_once_waits_for_one, fixture) {
  auto answers = std::vector<std::string>(8);
  {
    auto all = std::vector<std::jthread>{};
    for (auto& a : answers)
      all.emplace_back([&] { a = text_of(ask(question())); });
  }
  for (auto& a : answers)
    BOOST_TEST(a == answers[0]);
  auto s = rt->cache();
  BOOST_REQUIRE(s.ok());
  BOOST_TEST(s->misses == 1u);
  BOOST_TEST(s->hits + s->waited == 7u);
  BOOST_TEST(comes_to_rest());
  auto m = http_client{port()}.get("/metrics").body;
  BOOST_TEST(m.find("troupe_cache_misses_total 1\n") != std::string::npos);
  BOOST_TEST(m.find("troupe_cache_entries 1\n") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(http_no_cache)

BOOST_FIXTURE_TEST_CASE(nothing_is_said_of_one, http_fixture) {
  auto body = fixture::question();
  for (auto i = 0; i < 2; ++i) {
    auto a = http_client{port()}.post(completions, body.dump());
    BOOST_TEST(a.status == 200);
    BOOST_TEST(a.head.find("x-troupe-cache") == std::string::npos);
  }
  BOOST_TEST((rt->cache().failure().code == errc::unsupported));
  auto m = http_client{port()}.get("/metrics").body;
  BOOST_TEST(m.find("troupe_cache") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
