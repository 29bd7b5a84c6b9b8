#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <fstream>

#include "runtime/http/server.hpp"
#include "runtime/http/trace_json.hpp"
#include "runtime/recorded_trace.hpp"
#include "tests/runtime/http/http_client.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/core/tiny_model.hpp"
#include "tests/support/core/trace_scene.hpp"

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;

namespace {

// A server that records its messages, and an operator's port.
struct fixture {
  explicit fixture(bool records = true, bool wait = false) {
    write_tiny_model(dir.file("tiny.gguf"), {});
    auto r = runtime_options{};
    r.model = dir.file("tiny.gguf");
    r.threads = 1;
    if (records) {
      r.trace.emplace();
      r.trace->file = file;
      r.trace->payloads = true;
      r.trace->wait = wait;
    }
    auto opened = runtime::open(r);
    BOOST_REQUIRE(opened.ok());
    rt.emplace(std::move(*opened));
    auto o = http_options{};
    o.port = 0;
    o.admin_port = 0;
    auto started = http_server::start(*rt, std::move(o));
    BOOST_REQUIRE(started.ok());
    server.emplace(std::move(*started));
  }

  // By this machine's own name, as pages of it ask.
  http_client::answer send(uint16_t port, const std::string& method,
                           const std::string& path) {
    auto c = http_client{port};
    c.send(method + " " + path
           + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    return c.read();
  }

  json get(const std::string& path, int status = 200) {
    auto a = send(server->admin_port(), "GET", path);
    BOOST_TEST(a.status == status, path << ": " << a.body);
    return json::parse(a.body);
  }

  json post(const std::string& path, int status = 200,
            const std::string& body = "{}") {
    auto c = http_client{server->admin_port()};
    c.send("POST " + path
           + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
             "\r\nContent-Length: "
           + std::to_string(body.size()) + "\r\n\r\n" + body);
    auto a = c.read();
    BOOST_TEST(a.status == status, path << ": " << a.body);
    return json::parse(a.body);
  }

  json ask(const std::string& prompt) {
    auto body =
        json{{"prompt", prompt}, {"max_tokens", 5}, {"ignore_eos", true}};
    auto a = http_client{server->port()}.post("/v1/completions", body.dump());
    BOOST_REQUIRE_EQUAL(a.status, 200);
    return json::parse(a.body);
  }

  temp_dir dir;
  std::string file = dir.file("t.trace");
  std::optional<runtime> rt;
  std::optional<http_server> server;
};

struct silent : fixture {
  silent() : fixture(false) {}
};

struct waiting : fixture {
  waiting() : fixture(true, true) {}
};

void write(const std::string& file, const std::vector<std::byte>& bytes) {
  std::ofstream{file, std::ios::binary}.write(
      reinterpret_cast<const char*>(bytes.data()),
      static_cast<std::streamsize>(bytes.size()));
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_trace)

BOOST_FIXTURE_TEST_CASE(requests_are_listed_the_latest_first, fixture) {
  auto none = get("/admin/trace/requests");
  BOOST_TEST(none["recording"] == true);
  BOOST_TEST(none["requests"].empty());
  ask("a");
  ask("b");
  auto all = get("/admin/trace/requests");
  BOOST_TEST(all["file"] == file);
  BOOST_TEST(all["note"] == "");
  BOOST_REQUIRE_EQUAL(all["requests"].size(), 2u);
  auto& r = all["requests"][0];
  BOOST_TEST(std::stoull(r["request"].get<std::string>())
             > std::stoull(all["requests"][1]["request"].get<std::string>()));
  BOOST_TEST(r["state"] == "ended");
  BOOST_TEST(r["whole"] == true);
  BOOST_TEST(r["token_messages"] == 5);
  BOOST_TEST(r["ttft_ms"].get<double>() > 0);
  BOOST_TEST(r["ms"].get<double>() >= r["ttft_ms"].get<double>());
}

BOOST_FIXTURE_TEST_CASE(one_says_where_its_time_went, fixture) {
  ask("secret <script>");
  auto id =
      get("/admin/trace/requests")["requests"][0]["request"].get<std::string>();
  auto r = get("/admin/trace/requests/" + id);
  BOOST_TEST(r["request"] == id);
  BOOST_TEST(r["why"].get<std::string>().size() > 10u);
  for (auto* path : {"first_token", "end"}) {
    auto sum = int64_t{0};
    for (auto& h : r[path]["hops"])
      for (auto* part : {"wire_ns", "queue_ns", "handling_ns", "held_ns"})
        sum += h[part].get<int64_t>();
    BOOST_TEST(sum == r[path]["whole_ns"].get<int64_t>());
    BOOST_TEST(sum > 0);
  }
  auto svg = r["diagram"].get<std::string>();
  BOOST_TEST(svg.starts_with("<svg "));
  BOOST_TEST(svg.find(">session#") != std::string::npos);
  // The recording has the prompt, and nobody sees it here.
  BOOST_TEST(r.dump().find("secret") == std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(what_is_not_there_is_not_found, fixture) {
  auto why = get("/admin/trace/requests/123456789", 404);
  BOOST_TEST(why["error"]["message"].get<std::string>().starts_with(
      "no message of request 123456789"));
  for (auto* path : {"0", "x", "7x", "7/8", "", "99999999999999999999", "-1"})
    get("/admin/trace/requests/" + std::string{path}, 404);
  get("/admin/trace/requestsx", 404);
  auto path = "/admin/trace/requests";
  BOOST_TEST(send(server->admin_port(), "POST", path).status == 405);
}

BOOST_FIXTURE_TEST_CASE(only_operators_see_it, fixture) {
  auto path = "/admin/trace/requests";
  BOOST_TEST(send(server->port(), "GET", path).status == 404);
  BOOST_TEST(http_client{server->admin_port()}.get(path).status == 403);
  auto live = json::parse(send(server->port(), "GET", "/live").body);
  BOOST_TEST(live["trace"] == "operators");
  BOOST_TEST(get("/live")["trace"] == "here");
}

BOOST_FIXTURE_TEST_CASE(where_nothing_is_recorded_it_says_so, silent) {
  ask("a");
  BOOST_TEST(!trace_file().has_value());
  BOOST_TEST(get("/live")["trace"] == "nowhere");
  auto all = get("/admin/trace/requests");
  BOOST_TEST(all["recording"] == false);
  BOOST_TEST(all["requests"].empty());
  auto why = get("/admin/trace/requests/1", 404);
  BOOST_TEST(why["error"]["message"].get<std::string>().find("--trace")
             != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(operators_begin_and_end_it, waiting) {
  ask("a");
  BOOST_TEST(get("/admin/trace")["recording"] == false);
  BOOST_TEST(get("/live")["trace"] == "nowhere");
  post("/admin/trace/stop", 400);
  auto begun = post("/admin/trace/start");
  BOOST_TEST(begun["recording"] == true);
  BOOST_TEST(begun["file"] == file);
  post("/admin/trace/start", 400);
  ask("b");
  BOOST_TEST(get("/live")["trace"] == "here");
  BOOST_TEST(get("/admin/trace/requests")["requests"][0]["token_messages"]
             == 5);
  auto ended = post("/admin/trace/stop");
  BOOST_TEST(ended["recording"] == false);
  BOOST_TEST(ended["dropped"] == 0);
  BOOST_TEST(ended["bytes"].get<uint64_t>() > 1000u);
  BOOST_TEST(get("/live")["trace"] == "nowhere");
  post("/admin/trace/start", 400, R"({"file": "/elsewhere"})");
}

BOOST_FIXTURE_TEST_CASE(without_a_file_nothing_begins, silent) {
  auto why = post("/admin/trace/start", 400)["error"]["message"];
  BOOST_TEST(why == "there is no file for the trace");
  BOOST_TEST(get("/admin/trace")["recording"] == false);
}

BOOST_AUTO_TEST_CASE(of_a_large_trace_the_newest_part_is_read) {
  auto dir = temp_dir{};
  write(dir.file("t"), scene_of(2000));
  auto all = http::trace_requests_json(dir.file("t"));
  BOOST_TEST(all["note"] == "");
  BOOST_TEST(all["requests"][0]["token_messages"] == 2000);
  auto some = http::trace_requests_json(dir.file("t"), 100'000);
  BOOST_TEST(some["bytes"].get<int>() <= 100'000);
  BOOST_TEST(some["note"].get<std::string>().starts_with(
      "the trace is larger than the 97.7 KiB that are read here"));
  auto left = some["left_out"].get<uint64_t>();
  BOOST_TEST(left > 100'000u);
}

BOOST_AUTO_TEST_CASE(names_in_a_trace_are_no_markup) {
  auto b = trace_builder{1};
  b.type(20, "troupe::<script>");
  b.actor({0, 2}, "<b onload='x'>\xff", 0);
  b.handle({0, 2}, b.arrive({{}, {0, 2}, 20, 7}, 10), 20, 30);
  auto dir = temp_dir{};
  write(dir.file("t"), b.bytes());
  auto r = http::trace_request_json(dir.file("t"), 7);
  BOOST_REQUIRE(r.ok());
  auto svg = (*r)["diagram"].get<std::string>();
  BOOST_TEST(svg.find("<script") == std::string::npos);
  BOOST_TEST(svg.find("<b ") == std::string::npos);
  BOOST_TEST(svg.find("&lt;script&gt;") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
