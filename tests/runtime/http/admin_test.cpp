#include <algorithm>

#include <boost/test/unit_test.hpp>

#include "tests/runtime/http/http_fixture.hpp"
#include "tests/support/core/comes.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

http_options with_operators() {
  auto o = http_options{};
  o.admin_port = 0;
  o.keys.emplace(); // no client has any
  return o;
}

limits_table one_tenant() {
  auto t = limits_table{};
  t.organisations["acme"].limits.requests = rate_limit{60, 1min, 10};
  return t;
}

struct fixture : http_fixture {
  fixture() : http_fixture(with_operators(), 256, one_tenant()) {}

  uint16_t admin() const { return server->admin_port(); }

  std::string head(const std::string& method, const std::string& path,
                   const std::string& more = "") {
    return method + " " + path + " HTTP/1.1\r\nHost: localhost:"
           + std::to_string(admin()) + "\r\n" + more;
  }

  http_client::answer send(const std::string& text) {
    auto c = http_client{admin()};
    c.send(text);
    return c.read();
  }

  json get(const std::string& path, int status = 200) {
    auto a = send(head("GET", path) + "\r\n");
    BOOST_TEST(a.status == status);
    return json::parse(a.body);
  }

  json put(const std::string& method, const std::string& path, const json& body,
           int status = 200) {
    auto text = body.dump();
    auto a = send(head(method, path,
                       "Content-Type: application/json\r\nContent-Length: "
                           + std::to_string(text.size()) + "\r\n\r\n")
                  + text);
    BOOST_TEST(a.status == status, a.body);
    return json::parse(a.body);
  }

  json post(const std::string& path, const json& body, int status = 200) {
    return put("POST", path, body, status);
  }

  bool ready(uint32_t id) {
    return comes([&] {
      auto s = get("/admin/versions");
      return std::ranges::any_of(s["versions"], [&](auto& v) {
        return v["id"] == id && v["state"] == "ready";
      });
    });
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(http_admin)

BOOST_FIXTURE_TEST_CASE(clients_do_not_reach_it, fixture) {
  auto c = http_client{port()};
  BOOST_TEST(c.get("/admin/nodes").status == 401);
  auto o = http_options{};
  auto open = http_fixture{o};
  BOOST_TEST(open.server->admin_port() == 0);
  BOOST_TEST(http_client{open.port()}.get("/admin/nodes").status == 404);
}

BOOST_FIXTURE_TEST_CASE(pages_of_other_sites_do_not_reach_it, fixture) {
  auto status = [&](const std::string& text) { return send(text).status; };
  auto end = std::string{"\r\n"};
  BOOST_TEST(status(head("GET", "/admin/nodes") + end) == 200);
  BOOST_TEST(status("GET /admin/nodes HTTP/1.1\r\nHost: evil.example\r\n\r\n")
             == 403);
  BOOST_TEST(
      status(head("GET", "/admin/nodes", "Origin: http://evil.example\r\n")
             + end)
      == 403);
  BOOST_TEST(status(head("GET", "/admin/nodes",
                         "Origin: http://localhost:" + std::to_string(admin())
                             + "\r\n")
                    + end)
             == 200);
  BOOST_TEST(status(head("POST", "/admin/versions/promote",
                         "Content-Type: text/plain\r\nContent-Length: 2\r\n")
                    + "\r\n{}")
             == 415);
}

BOOST_FIXTURE_TEST_CASE(nodes_are_shown_and_drained, fixture) {
  auto s = get("/admin/nodes");
  BOOST_REQUIRE(s["nodes"].size() == 1u);
  BOOST_TEST(s["nodes"][0]["role"] == "mixed");
  BOOST_TEST(s["nodes"][0]["blocks_total"].get<int>() > 0);
  BOOST_TEST(s["nodes"][0]["blocks_in_use"] == 0);
  post("/admin/nodes/17/drain", json::object(), 503);
  post("/admin/nodes/nobody/drain", json::object(), 503);
  auto d = post("/admin/nodes/1/drain", json::object());
  BOOST_TEST(d["node"] == 1);
}

BOOST_FIXTURE_TEST_CASE(limits_are_shown_and_replaced_while_it_runs, fixture) {
  auto all = get("/admin/tenants")["tenants"];
  BOOST_REQUIRE(all.size() == 1u);
  BOOST_TEST(all[0]["organisation"] == "acme");
  BOOST_TEST(all[0]["limits"]["requests"]["burst"] == 10);
  auto limit = json{{"requests", {{"amount", 5}}}};
  auto table =
      json{{"organisations",
            {{"acme", {{"limits", limit}}}, {"other", {{"limits", limit}}}}}};
  BOOST_TEST(put("PUT", "/admin/tenants", table)["tenants"].size() == 2u);
  BOOST_TEST(get("/admin/tenants")["tenants"][0]["limits"]["requests"]["burst"]
             == 5);
  table["organisations"]["acme"]["limits"]["requsts"] = 1;
  auto bad = put("PUT", "/admin/tenants", table, 400);
  auto why = bad["error"]["message"].get<std::string>();
  BOOST_TEST(why.find("requsts") != std::string::npos, why);
  BOOST_TEST(why.find("did you mean") != std::string::npos, why);
}

BOOST_FIXTURE_TEST_CASE(versions_follow_each_other_on_command, fixture) {
  auto two = tiny_model_options{};
  two.seed = 2;
  write_tiny_model(dir.file("two.gguf"), two);
  auto begun = post("/admin/versions",
                    {{"name", "two"}, {"path", dir.file("two.gguf")}});
  auto id = begun["id"].get<uint32_t>();
  BOOST_REQUIRE_MESSAGE(ready(id), get("/admin/versions").dump());
  post("/admin/versions/canary", {{"id", id}, {"share", 2}}, 400);
  auto s = post("/admin/versions/canary", {{"id", id}, {"share", 0.25}});
  BOOST_TEST(s["canary"] == id);
  BOOST_TEST(s["share"] == 0.25);
  s = post("/admin/versions/share", {{"share", 0.5}});
  BOOST_TEST(s["share"] == 0.5);
  s = post("/admin/versions/promote", {{"why", "it is good"}});
  BOOST_TEST(s["active"] == id);
  auto found = false;
  for (auto& e : s["events"])
    found |= e["event"] == "promoted" && e["why"] == "it is good";
  BOOST_TEST(found);
  post("/admin/versions/rollback", json::object(), 400);
  post("/admin/versions", {{"name", "two"}}, 400);
  post("/admin/versions/share", {{"sahre", 0.5}}, 400);
  post("/admin/versions", {{"name", "none"}, {"path", dir.file("none.gguf")}},
       500);
}

BOOST_FIXTURE_TEST_CASE(what_a_page_needs_comes_in_one, fixture) {
  auto l = get("/live");
  BOOST_TEST(l["nodes"].size() == 1u);
  BOOST_TEST(l["tenants"].size() == 1u);
  BOOST_TEST(l["versions"]["active"] == 1);
  BOOST_TEST(l["latency"]["ttft_ms"]["count"] == 0);
  BOOST_TEST(get("/v1/models")["data"].size() == 1u); // the rest is there, too
  get("/admin/nothing", 404);
  post("/admin/nodes", json::object(), 405);
}

// Where blocks lie, what took how long, and who did what.
BOOST_AUTO_TEST_CASE(what_has_been_done_can_be_looked_at) {
  auto f = http_fixture{};
  auto prompt = json::array();
  for (auto i = 0; i < 40; ++i)
    prompt.push_back(5 + i);
  f.post(completions, {{"prompt", prompt}, {"max_tokens", 3}});
  BOOST_REQUIRE(f.comes_to_rest());
  auto c = http_client{f.port()};
  c.send("GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n");
  auto l = json::parse(c.read().body);
  auto& map = l["nodes"][0]["map"];
  // Two full blocks of the prompt are kept, by nobody.
  BOOST_REQUIRE_MESSAGE(map.size() == 1u, l["nodes"].dump());
  BOOST_TEST(map[0][1] == 2);
  BOOST_TEST(map[0][2] == 2);
  BOOST_TEST(map[0][3] == "0");
  auto stages = std::map<std::string, json>{};
  for (auto& s : l["stages"])
    stages[s["stage"]] = s;
  BOOST_TEST(stages.size() == 8u);
  BOOST_TEST(stages["prefill"]["count"] == 1);
  BOOST_TEST(stages["prefill"]["p50_ms"] > 0);
  auto actors = std::map<std::string, json>{};
  for (auto& a : l["actors"])
    actors[a["actor"]] = a;
  BOOST_TEST(actors["gateway"]["messages"] > 0);
  BOOST_TEST(actors["decode_node"]["messages"] > 0);
  // Who asks for numbers alone gets no map.
  BOOST_TEST(f.rt->status()->nodes[0].map.empty());
}

BOOST_FIXTURE_TEST_CASE(the_dashboard_is_where_it_is_safe, fixture) {
  auto page = send(head("GET", "/") + "\r\n");
  BOOST_TEST(page.status == 200);
  BOOST_TEST(page.head.find("content-security-policy: default-src 'none'")
             != std::string::npos);
  BOOST_TEST(page.body.starts_with("<!doctype html>"));
  BOOST_TEST(send(head("GET", "/dashboard.js") + "\r\n").status == 200);
  BOOST_TEST(send(head("GET", "/dashboard.css") + "\r\n").status == 200);
  // Clients of a server with keys do not see it,
  BOOST_TEST(http_client{port()}.get("/").status == 401);
  // those of one without do, if they are of this machine,
  auto open = http_fixture{};
  auto ask = [&](const std::string& host) {
    auto c = http_client{open.port()};
    c.send("GET /live HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    return c.read().status;
  };
  BOOST_TEST(ask("127.0.0.1:80") == 200);
  BOOST_TEST(ask("evil.example") == 404);
  // and if nobody else could be a client.
  auto o = http_options{};
  o.host = "0.0.0.0";
  auto wide = http_fixture{o};
  auto c = http_client{wide.port()};
  c.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  BOOST_TEST(c.read().status == 404);
}

BOOST_AUTO_TEST_SUITE_END()
