#include <boost/test/data/test_case.hpp>

#include <future>
#include <ostream>
#include <thread>

#include "tests/runtime/http/http_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using nlohmann::json;

// Clients that mean no good, and those that merely leave.

namespace {

std::string endless() {
  return json{{"prompt", "a"},
              {"stream", true},
              {"max_tokens", 100'000},
              {"ignore_eos", true}}
      .dump();
}

/// Long enough for a client to leave before its end.
constexpr auto long_context = 8192u;

struct shape {
  std::string name;
  int status;
  std::string bytes;
};

std::ostream& operator<<(std::ostream& out, const shape& s) {
  return out << s.name;
}

std::string post(const std::string& fields, const std::string& rest = {}) {
  return "POST /tokenize HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + rest;
}

const shape shapes[] = {
    {"te then cl", 400,
     post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
          "0\r\n\r\nGET /x HTTP/1.1\r\n")},
    {"cl then te", 400,
     post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
    {"two lengths", 400,
     post("Content-Length: 2\r\nContent-Length: 3\r\n", "{}")},
    {"fold", 400, post("X-A: b\r\n c: d\r\n")},
    {"bare LF", 400, "GET / HTTP/1.1\nHost: a\n\n"},
    {"bare CR", 400, post("X-A: b\rc\r\n")},
    {"NUL", 400, post(std::string("X-A: b\0c\r\n", 10))},
    {"two hosts", 400, post("Host: b\r\n")},
    {"no host", 400, "GET / HTTP/1.1\r\n\r\n"},
    {"gzip", 501, post("Transfer-Encoding: gzip\r\n")},
    {"version", 505, "GET / HTTP/3.0\r\nHost: a\r\n\r\n"},
    {"tls", 400, std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8)},
    {"long head", 431, "GET /" + std::string(20'000, 'a')},
    {"many fields", 431,
     [] {
       auto fields = std::string{};
       for (auto i = 0; i < 200; ++i)
         fields += "a: b\r\n";
       return post(fields);
     }()},
    {"large", 413, post("Content-Length: 104857600\r\n")},
    {"large chunk", 413,
     post("Transfer-Encoding: chunked\r\n", "6400000\r\nxxxx")},
    {"bad chunk", 400, post("Transfer-Encoding: chunked\r\n", "xyz\r\n")},
    {"minus chunk", 400, post("Transfer-Encoding: chunked\r\n", "-1\r\n\r\n")},
    {"huge chunk", 400,
     post("Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\n")},
    {"chunk without end", 400,
     post("Transfer-Encoding: chunked\r\n", "2\r\n{}xx2\r\n\r\n")},
    {"expectation", 417, post("Expect: 200-ok\r\nContent-Length: 2\r\n")},
};

const std::string bad_bodies[] = {"",
                                  "{",
                                  "null",
                                  "[1]",
                                  "{\"prompt\":\"\xff\xfe\"}",
                                  "{\"prompt\":7}",
                                  std::string(500, '[') + std::string(500, ']'),
                                  "{\"prompt\":\"a\"}}"};

} // namespace

BOOST_AUTO_TEST_SUITE(http_hostile)

BOOST_DATA_TEST_CASE(a_bad_shape_has_its_status_and_an_end,
                     boost::unit_test::data::make(shapes), shape) {
  auto f = http_fixture{};
  auto c = http_client{f.port()};
  c.send(shape.bytes);
  auto a = c.read();
  BOOST_TEST(a.status == shape.status);
  BOOST_TEST((a.head.find("connection: close\r\n") != std::string::npos));
  BOOST_TEST((a.head.find("x-request-id: ") != std::string::npos));
  BOOST_TEST(json::parse(a.body)["error"].contains("message"));
  BOOST_TEST(c.read_to_end());
  BOOST_TEST(c.received() == "");
  BOOST_TEST(http_client{f.port()}.get("/healthz").status == 200);
}

BOOST_AUTO_TEST_CASE(a_bad_body_is_no_reason_to_part) {
  auto f = http_fixture{};
  auto c = http_client{f.port()};
  for (auto& body : bad_bodies) {
    auto a = c.post("/tokenize", body);
    BOOST_TEST(a.status == 400);
    BOOST_TEST(json::parse(a.body)["error"]["type"] == "invalid_request_error");
  }
  BOOST_TEST(c.get("/healthz").status == 200);
}

BOOST_AUTO_TEST_CASE(a_request_may_come_byte_by_byte_and_in_chunks) {
  auto f = http_fixture{};
  auto c = http_client{f.port()};
  for (auto byte :
       post("Transfer-Encoding: chunked\r\n",
            "b;x=y\r\n{\"prompt\":\"\r\n3\r\nab\"\r\n1\r\n}\r\n0\r\n"
            "X-Trailer: z\r\n\r\n"))
    BOOST_REQUIRE(c.send({&byte, 1}));
  auto a = c.read();
  BOOST_TEST(a.status == 200);
  BOOST_TEST(json::parse(a.body)["tokens"]
             == json(f.rt->text().encode("ab", {.add_special = true})));
}

BOOST_AUTO_TEST_CASE(requests_may_be_sent_ahead) {
  auto f = http_fixture{};
  auto c = http_client{f.port()};
  auto all = std::string{};
  for (auto i = 0; i < 20; ++i)
    all += http_client::post_text(
        "/detokenize", "{\"tokens\":[" + std::to_string(40 + i) + "]}");
  c.send(all);
  for (auto i = 0; i < 20; ++i) {
    auto a = c.read();
    BOOST_REQUIRE(a.status == 200);
    auto ids = std::vector<token_id>{40 + i};
    BOOST_TEST(json::parse(a.body)["prompt"] == f.rt->text().decode(ids));
  }
}

BOOST_AUTO_TEST_CASE(connections_are_kept_as_asked) {
  auto f = http_fixture{};
  auto c = http_client{f.port()};
  c.send("HEAD /healthz HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine-1\r\n\r\n");
  auto a = c.read(false);
  BOOST_TEST(a.status == 200);
  BOOST_TEST((a.head.find("x-request-id: mine-1\r\n") != std::string::npos));
  c.send("GET /healthz HTTP/1.1\r\nHost: a\r\nX-Request-Id: a\tb\r\n"
         "Connection: close\r\n\r\n");
  a = c.read();
  BOOST_TEST((a.head.find("x-request-id: req-") != std::string::npos));
  BOOST_TEST(c.read_to_end());
  auto old = http_client{f.port()};
  old.send("POST /v1/completions HTTP/1.0\r\nContent-Length: "
           + std::to_string(endless().size()) + "\r\n\r\n" + endless());
  BOOST_TEST(old.read_to_end());
  BOOST_TEST(old.received().ends_with("data: [DONE]\n\n"));
  BOOST_TEST((old.received().find("chunked") == std::string::npos));
}

BOOST_AUTO_TEST_CASE(a_client_that_sends_no_more_has_its_answer_whole) {
  auto o = http_options{};
  o.send_buffer_bytes = 4096;
  auto f = http_fixture{o};
  auto c = http_client{f.port(), 4096};
  // Ten bytes each: more than the buffers hold.
  auto ids = std::vector<token_id>(15'000, tiny_im_end);
  c.send(http_client::post_text("/detokenize", json{{"tokens", ids}}.dump()));
  c.finish();
  auto a = c.read();
  BOOST_TEST(a.status == 200);
  BOOST_TEST(a.whole);
  BOOST_TEST(c.read_to_end());
}

BOOST_AUTO_TEST_CASE(a_body_is_sent_after_a_word_from_the_server) {
  auto f = http_fixture{};
  auto c = http_client{f.port()};
  c.send(post("Expect: 100-continue\r\nContent-Length: 14\r\n"));
  BOOST_TEST(c.read_until("HTTP/1.1 100 Continue\r\n\r\n"));
  c.send("{\"prompt\":\"a\"}");
  BOOST_TEST(c.read_until("HTTP/1.1 200 OK"));
}

// -- deadlines and limits ----------------------------------------------------

BOOST_AUTO_TEST_CASE(what_does_not_come_in_time_is_not_waited_for) {
  auto o = http_options{};
  o.header_deadline = 100ms;
  o.body_deadline = 100ms;
  o.idle_deadline = 100ms;
  o.linger = 100ms;
  auto f = http_fixture{o};
  auto silent = http_client{f.port()};
  auto head = http_client{f.port()};
  head.send("GET / HTTP/1.1\r\nHost");
  auto body = http_client{f.port()};
  body.send(post("Content-Length: 5\r\n", "{"));
  auto idle = http_client{f.port()};
  BOOST_TEST(idle.get("/healthz").status == 200);
  BOOST_TEST(silent.read_to_end());
  BOOST_TEST(silent.received() == "");
  BOOST_TEST(head.read().status == 408);
  BOOST_TEST(head.read_to_end());
  BOOST_TEST(body.read().status == 408);
  BOOST_TEST(body.read_to_end());
  BOOST_TEST(idle.read_to_end());
  BOOST_TEST(idle.received() == "");
}

BOOST_AUTO_TEST_CASE(a_head_that_trickles_in_ends_all_the_same) {
  auto o = http_options{};
  o.header_deadline = 100ms;
  o.linger = 50ms;
  auto f = http_fixture{o};
  auto c = http_client{f.port()};
  // Each byte comes; the deadline stays.
  c.send("GET / HTTP/1.1\r\nX-A: ");
  auto bytes = 0;
  while (!c.wait(5ms) && ++bytes < 4000)
    c.send("a");
  BOOST_TEST(bytes < 4000);
  BOOST_TEST(c.read().status == 408);
}

BOOST_AUTO_TEST_CASE(more_answers_than_allowed_are_told_to_wait) {
  auto o = http_options{};
  o.max_requests = 2;
  auto f = http_fixture{o, long_context};
  auto a = http_client{f.port()};
  auto b = http_client{f.port()};
  for (auto* c : {&a, &b}) {
    c->send(http_client::post_text(completions, endless()));
    BOOST_REQUIRE(c->read_until("data: "));
  }
  auto c = http_client{f.port()};
  auto no = c.post(completions, "{\"prompt\":\"a\",\"max_tokens\":1}");
  BOOST_TEST(no.status == 429);
  BOOST_TEST((no.head.find("retry-after: ") != std::string::npos));
  BOOST_TEST(json::parse(no.body)["error"]["type"] == "rate_limit_error");
  a.close();
  auto yes = 0;
  for (auto i = 0; i < 10'000 && yes != 200; ++i)
    yes = c.post(completions, "{\"prompt\":\"a\",\"max_tokens\":1}").status;
  BOOST_TEST(yes == 200);
  BOOST_TEST(
      c.post(completions, "{\"prompt\":\"a\",\"n\":2,\"max_tokens\":1}").status
      == 429);
}

BOOST_AUTO_TEST_CASE(more_connections_than_allowed_are_turned_away) {
  auto o = http_options{};
  o.max_connections = 2;
  auto f = http_fixture{o};
  auto a = http_client{f.port()};
  auto b = http_client{f.port()};
  BOOST_TEST(a.get("/healthz").status == 200);
  BOOST_TEST(b.get("/healthz").status == 200);
  auto c = http_client{f.port()};
  BOOST_TEST(c.read().status == 503);
  BOOST_TEST(a.get("/healthz").status == 200);
}

BOOST_AUTO_TEST_CASE(bodies_share_one_bound) {
  auto o = http_options{};
  o.max_bodies_bytes = 50'000;
  auto f = http_fixture{o};
  auto a = http_client{f.port()};
  a.send(post("Content-Length: 60000\r\n", std::string(40'000, ' ')));
  auto b = http_client{f.port()};
  // It may be first.
  b.send(post("Content-Length: 60000\r\n", std::string(40'000, ' ')));
  a.send(std::string(20'000, ' '));
  b.send(std::string(20'000, ' '));
  auto first = a.read().status;
  auto second = b.read().status;
  BOOST_TEST((first == 503 || second == 503));
  BOOST_TEST(
      http_client{f.port()}.post("/tokenize", "{\"prompt\":\"a\"}").status
      == 200);
}

// -- clients that leave ------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_client_that_leaves_frees_what_it_held) {
  auto f = http_fixture{{}, long_context};
  for (auto stream : {true, false}) {
    auto body = json::parse(endless());
    body["stream"] = stream;
    auto c = http_client{f.port()};
    c.send(http_client::post_text(completions, body.dump()));
    auto running = [&] {
      auto s = f.rt->status();
      BOOST_REQUIRE(s.ok());
      return s->nodes[0].blocks_in_use;
    };
    while (running() == 0)
      std::this_thread::yield();
    c.close();
    BOOST_TEST(f.comes_to_rest());
  }
  auto m = http_client{f.port()}.get("/metrics").body;
  BOOST_TEST(
      (m.find("troupe_answers_cancelled_total 2\n") != std::string::npos));
}

// More than is read ahead.
BOOST_AUTO_TEST_CASE(who_sends_far_ahead_gets_both_answers) {
  auto f = http_fixture{};
  auto first = json{{"prompt", "a"}, {"max_tokens", 100}, {"ignore_eos", true}};
  auto second = json{{"prompt", std::string(300'000, 'x')}, {"max_tokens", 1}};
  auto c = http_client{f.port()};
  c.send(http_client::post_text(completions, first.dump())
         + http_client::post_text(completions, second.dump()));
  auto a = c.read();
  BOOST_TEST(a.status == 200);
  BOOST_TEST(a.whole);
  BOOST_TEST(c.read().status == 400); // too long for the context
}

BOOST_AUTO_TEST_CASE(an_answer_has_its_time) {
  auto o = http_options{};
  o.answer_deadline = 100ms;
  auto f = http_fixture{o, long_context};
  auto body = json::parse(endless());
  body["stream"] = false;
  body["temperature"] = 0;
  auto e = f.post(completions, body, 504)["error"];
  BOOST_TEST(e["code"] == "timeout");
  BOOST_TEST(f.comes_to_rest());
  body["stream"] = true;
  auto a = http_client{f.port()}.post(completions, body.dump());
  BOOST_TEST(a.status == 200);
  BOOST_TEST(a.whole);
  BOOST_TEST(a.body.find("\"code\":\"timeout\"") != std::string::npos);
  // What it had is what it would have had, once.
  auto texts_of = [](const std::string& stream) {
    auto all = std::string{};
    for (auto at = stream.find("data: {"); at != std::string::npos;
         at = stream.find("data: {", at + 1)) {
      auto end = stream.find("\n\n", at);
      auto event = json::parse(stream.substr(at + 6, end - at - 6));
      if (event.contains("choices"))
        all += event["choices"][0]["text"].get<std::string>();
    }
    return all;
  };
  auto had = texts_of(a.body);
  auto whole = http_fixture{{}, long_context};
  auto text =
      texts_of(http_client{whole.port()}.post(completions, body.dump()).body);
  BOOST_TEST(!had.empty());
  BOOST_TEST(text.starts_with(had));
  BOOST_TEST(f.comes_to_rest());
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_read_is_cut_off) {
  auto o = http_options{};
  o.max_unsent_bytes = 4096;
  o.send_buffer_bytes = 4096;
  auto f = http_fixture{o, long_context};
  auto c = http_client{f.port(), 4096};
  c.send(http_client::post_text(completions, endless()));
  // Its 8,000 tokens are a megabyte of events.
  BOOST_REQUIRE(c.read_until("data: "));
  BOOST_TEST(f.comes_to_rest());
  c.read_to_end();
  BOOST_TEST((c.received().find("[DONE]") == std::string::npos));
}

BOOST_AUTO_TEST_CASE(a_write_that_stands_still_ends_the_connection) {
  auto o = http_options{};
  o.write_deadline = 100ms;
  o.send_buffer_bytes = 4096;
  auto f = http_fixture{o};
  auto c = http_client{f.port(), 4096};
  c.send(http_client::post_text(
      "/detokenize", json{{"tokens", std::vector<int>(200'000, 50)}}.dump()));
  auto m = std::string{};
  for (auto i = 0;
       i < 1'000'000 && m.find("connections 1\n") == std::string::npos; ++i)
    m = http_client{f.port()}.get("/metrics").body;
  BOOST_TEST((m.find("troupe_http_connections 1\n") != std::string::npos));
  c.read_to_end();
  BOOST_TEST(c.received().size() < 200'000u);
}

BOOST_AUTO_TEST_CASE(a_server_that_ends_cancels_what_runs) {
  auto f = http_fixture{{}, long_context};
  auto c = http_client{f.port()};
  c.send(http_client::post_text(completions, endless()));
  BOOST_REQUIRE(c.read_until("data: "));
  f.server.reset();
  BOOST_TEST(c.read_to_end());
  BOOST_TEST(f.comes_to_rest());
}

BOOST_AUTO_TEST_CASE(a_runtime_that_ends_first_ends_its_answers) {
  auto f = http_fixture{{}, long_context};
  f.server.reset();
  auto r = generate_request{};
  r.prompt = {5, 6, 7};
  r.ignore_end = true;
  auto end = std::promise<finish_event>{};
  auto s = f.rt->submit(r, [&](generation::event e) {
    if (auto* finished = std::get_if<finish_event>(&e))
      end.set_value(*finished);
  });
  f.rt.reset();
  BOOST_TEST((end.get_future().get().reason == finish_reason::error));
}

BOOST_AUTO_TEST_SUITE_END()
