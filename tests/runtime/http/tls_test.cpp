#include <fstream>

#include "runtime/cluster/certs.hpp"
#include "tests/runtime/http/http_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;
using nlohmann::json;

// The same server over TLS: what clients get, and what they can cost.

namespace {

constexpr auto yesterday = validity{-48h, -24h};
constexpr auto long_context = 8192u;

/// A CA, certificates that it signed, and one for localhost.
struct web_ca {
  temp_dir files;
  certificate_authority ca = *certificate_authority::create({});
  std::string ca_file = save("ca.pem", ca.pem()->certificate);
  http_tls localhost = issue(ca, "localhost");

  std::string save(const std::string& name, const std::string& bytes) {
    std::ofstream{files.file(name)} << bytes;
    return files.file(name);
  }

  http_tls issue(const certificate_authority& by, const std::string& name,
                 const validity& when = {}) {
    auto p = *by.issue(name, when);
    return {save(name + ".pem", p.certificate), save(name + ".key", p.key), {}};
  }

  http_options with(http_options o) const {
    o.tls = localhost;
    return o;
  }
};

/// Deadlines that no test lives to see.
http_options patient() {
  auto o = http_options{};
  o.header_deadline = o.body_deadline = o.idle_deadline = o.write_deadline =
      o.linger = 1h;
  return o;
}

struct fixture : web_ca, http_fixture {
  explicit fixture(http_options o = {}, uint32_t context = 256)
      : http_fixture(with(std::move(o)), context) {}

  client_tls trust() const { return {ca_file, {}, {}}; }
  http_client client(int receive_buffer = 0) const {
    return {port(), trust(), receive_buffer};
  }

  /// What OpenSSL's client says to a refusal depends on when it comes.
  bool refuses(const client_tls& who) {
    try {
      return http_client{port(), who}.get("/healthz").status == 0;
    } catch (const std::runtime_error&) {
      return true;
    }
  }

  std::string metrics() { return client().get("/metrics").body; }
};

json endless() {
  return {{"prompt", "a"},
          {"stream", true},
          {"max_tokens", 100'000},
          {"ignore_eos", true}};
}

/// All but what no two answers share.
std::string timeless(const std::string& stream) {
  auto text = std::string{};
  for (auto e : events_of(stream)) {
    e.erase("id");
    e.erase("created");
    text += e.dump() + "\n";
  }
  return text;
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_tls_suite)

// -- the same answers --------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_stream_has_the_bytes_that_it_has_in_the_clear) {
  auto f = fixture{};
  auto o = http_options{};
  o.port = 0;
  auto plain = http_server::start(*f.rt, o);
  BOOST_REQUIRE(plain.ok());
  auto body = json{{"prompt", "Once upon a time"},
                   {"seed", 7},
                   {"max_tokens", 60},
                   {"ignore_eos", true},
                   {"stream", true}};
  auto clear = http_client{plain->port()}.post(completions, body.dump());
  auto c = f.client();
  BOOST_TEST(c.protocol() == "http/1.1");
  // Twice: connections are kept.
  for (auto i = 0; i < 2; ++i) {
    auto secret = c.post(completions, body.dump());
    BOOST_TEST(secret.status == 200);
    BOOST_TEST(secret.whole);
    BOOST_TEST(timeless(secret.body) == timeless(clear.body));
  }
}

BOOST_AUTO_TEST_CASE(large_bodies_come_whole_both_ways) {
  auto f = fixture{};
  auto c = f.client();
  // Sizes around those of TLS's records, and beyond a piece of a write.
  for (auto n : {1, 1638, 1639, 6553, 6554, 50'000}) {
    auto ids = std::vector<token_id>(static_cast<size_t>(n), tiny_im_end);
    auto a = c.post("/detokenize", json{{"tokens", ids}}.dump());
    BOOST_REQUIRE(a.status == 200);
    BOOST_TEST(json::parse(a.body)["prompt"] == f.rt->text().decode(ids, true));
  }
}

BOOST_AUTO_TEST_CASE(an_end_is_said_not_only_made) {
  auto o = http_options{};
  o.idle_deadline = 100ms;
  auto f = fixture{o};
  auto c = f.client();
  c.send("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  BOOST_TEST(c.read().status == 200);
  BOOST_TEST(c.read_to_end());
  BOOST_TEST(c.ended_well());
  auto idle = f.client();
  BOOST_TEST(idle.get("/healthz").status == 200);
  BOOST_TEST(idle.read_to_end());
  BOOST_TEST(idle.ended_well());
}

BOOST_AUTO_TEST_CASE(a_client_that_sends_no_more_has_its_answer_whole) {
  auto o = http_options{};
  o.send_buffer_bytes = 4096;
  auto f = fixture{o};
  auto c = f.client(4096);
  auto ids = std::vector<token_id>(15'000, tiny_im_end);
  c.send(http_client::post_text("/detokenize", json{{"tokens", ids}}.dump()));
  c.finish();
  auto a = c.read();
  BOOST_TEST(a.status == 200);
  BOOST_TEST(a.whole);
  BOOST_TEST(c.read_to_end());
}

BOOST_AUTO_TEST_CASE(an_early_answer_arrives_though_its_body_comes) {
  auto o = patient();
  o.keys.emplace();
  auto f = fixture{o};
  auto c = f.client();
  c.send("POST /tokenize HTTP/1.1\r\nHost: a\r\nContent-Length: "
         "3000000\r\n\r\n");
  // Were it not taken, a reset could overtake the answer.
  BOOST_TEST(c.send(std::string(3'000'000, ' ')));
  BOOST_TEST(c.read().status == 401);
  BOOST_TEST(c.read_to_end());
  BOOST_TEST(c.ended_well());
}

BOOST_AUTO_TEST_CASE(operators_come_in_the_clear) {
  auto o = http_options{};
  o.admin_port = 0;
  auto f = fixture{o};
  auto c = http_client{f.server->admin_port()};
  c.send("GET /admin/nodes HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
  BOOST_TEST(c.read().status == 200);
}

// -- who is no client --------------------------------------------------------

BOOST_AUTO_TEST_CASE(plain_bytes_end_at_once) {
  auto f = fixture{patient()};
  auto talks = std::vector<std::string>{
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n", std::string(100, 'x'),
      std::string(100, '\0'), std::string(70'000, '\xff'),
      // Of a record of 65,535 bytes, which TLS has not.
      std::string("\x16\x03\x01\xff\xff\x01\x00\xff\xfb", 9)};
  for (auto& bytes : talks) {
    auto c = http_client{f.port()};
    c.send(bytes);
    BOOST_TEST(c.read_to_end());
    BOOST_TEST(!c.received().starts_with("HTTP"));
  }
  BOOST_TEST(f.metrics().find("troupe_http_handshakes_failed_total 5\n")
             != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_client_of_another_protocol_is_refused) {
  auto f = fixture{};
  auto h2 = f.trust();
  h2.protocol = "h2";
  BOOST_TEST(f.refuses(h2));
  BOOST_TEST(!f.refuses(f.trust()));
}

BOOST_AUTO_TEST_CASE(clients_show_certificates_where_they_must) {
  auto ca = web_ca{};
  auto o = http_options{};
  auto f = std::optional<http_fixture>{};
  ca.localhost.client_ca = ca.ca_file;
  f.emplace(ca.with(o));
  auto who = [&](const http_tls& t) {
    return client_tls{ca.ca_file, t.certificate, t.key};
  };
  auto status = [&](const client_tls& t) {
    try {
      return http_client{f->port(), t}.get("/healthz").status;
    } catch (const std::runtime_error&) {
      return 0;
    }
  };
  auto good = who(ca.issue(ca.ca, "good"));
  auto other = *certificate_authority::create({});
  BOOST_TEST(status(good) == 200);
  BOOST_TEST(status({ca.ca_file, {}, {}}) == 0);
  BOOST_TEST(status(who(ca.issue(other, "stranger"))) == 0);
  BOOST_TEST(status(who(ca.issue(ca.ca, "late", yesterday))) == 0);
  BOOST_TEST(status(good) == 200);
  auto m = http_client{f->port(), good}.get("/metrics").body;
  BOOST_TEST(m.find("troupe_http_handshakes_failed_total 3\n")
             != std::string::npos);
}

// -- deadlines and limits ----------------------------------------------------

BOOST_AUTO_TEST_CASE(half_a_handshake_is_not_waited_for) {
  auto o = patient();
  o.header_deadline = 100ms;
  auto f = fixture{o};
  auto silent = http_client{f.port()};
  auto stopped = http_client{f.port()};
  stopped.send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
  BOOST_TEST(silent.read_to_end());
  BOOST_TEST(silent.received() == "");
  BOOST_TEST(stopped.read_to_end());
  // The deadline goes on after it.
  try {
    auto mute = f.client();
    BOOST_TEST(mute.read_to_end());
    BOOST_TEST(mute.received() == "");
  } catch (const std::runtime_error&) {
    // Slow enough to have missed it.
  }
}

BOOST_AUTO_TEST_CASE(a_hello_that_trickles_in_ends_all_the_same) {
  auto o = patient();
  o.header_deadline = 100ms;
  auto f = fixture{o};
  auto c = http_client{f.port()};
  // Each byte comes; the deadline stays.
  c.send(std::string("\x16\x03\x01\x3f\x00\x01\x00\x3e\xfc\x03\x03", 11));
  auto bytes = 0;
  while (!c.wait(5ms) && ++bytes < 4000)
    c.send("a");
  BOOST_TEST(bytes < 4000);
  BOOST_TEST(c.read_to_end());
}

BOOST_AUTO_TEST_CASE(connections_count_before_their_handshake) {
  auto o = patient();
  o.max_connections = 2;
  auto f = fixture{o};
  auto a = f.client();
  auto silent = http_client{f.port()};
  auto c = http_client{f.port()};
  BOOST_TEST(c.read_to_end());
  BOOST_TEST(c.received() == "");
  BOOST_TEST(a.get("/healthz").status == 200);
}

BOOST_AUTO_TEST_CASE(a_client_that_does_not_read_is_cut_off) {
  auto o = patient();
  // Several records, of which the first must come whole.
  o.max_unsent_bytes = 64 << 10;
  o.send_buffer_bytes = 4096;
  auto f = fixture{o, long_context};
  auto c = f.client(4096);
  c.send(http_client::post_text(completions, endless().dump()));
  BOOST_REQUIRE(c.read_until("data: "));
  BOOST_TEST(f.comes_to_rest());
  c.read_to_end();
  BOOST_TEST((c.received().find("[DONE]") == std::string::npos));
  BOOST_TEST(!c.ended_well());
}

// -- clients that leave, and servers -----------------------------------------

BOOST_AUTO_TEST_CASE(a_client_that_leaves_frees_what_it_held) {
  auto f = fixture{patient(), long_context};
  for (auto politely : {true, false}) {
    auto c = f.client();
    c.send(http_client::post_text(completions, endless().dump()));
    BOOST_REQUIRE(c.read_until("data: "));
    if (politely)
      c.finish();
    c.close();
    BOOST_TEST(f.comes_to_rest());
  }
  BOOST_TEST((f.metrics().find("troupe_answers_cancelled_total 2\n")
              != std::string::npos));
}

BOOST_AUTO_TEST_CASE(a_server_that_ends_waits_for_nobody) {
  auto f = fixture{patient(), long_context};
  auto silent = http_client{f.port()};
  auto stopped = http_client{f.port()};
  stopped.send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
  // Its last word never comes.
  auto rude = f.client();
  rude.send("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  BOOST_TEST(rude.read_to_end());
  auto streams = f.client();
  streams.send(http_client::post_text(completions, endless().dump()));
  BOOST_REQUIRE(streams.read_until("data: "));
  f.server.reset();
  for (auto* c : {&silent, &stopped, &streams})
    BOOST_TEST(c->read_to_end());
  BOOST_TEST(f.comes_to_rest());
}

// -- files -------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(files_that_will_not_do_are_named) {
  auto f = fixture{};
  auto expect = [&](http_tls t, const std::string& path,
                    const std::string& reason) {
    auto o = http_options{};
    o.port = 0;
    o.tls = std::move(t);
    auto s = http_server::start(*f.rt, o);
    BOOST_REQUIRE(!s.ok());
    auto& m = s.failure().message;
    BOOST_TEST(m.starts_with(path + ": "), m);
    BOOST_TEST(m.find(reason) != std::string::npos, m);
    BOOST_TEST(m.find("; it must be ") != std::string::npos, m);
  };
  auto& good = f.localhost;
  auto none = f.files.file("none.pem");
  auto text = f.save("text.pem", "not PEM\n");
  auto other = f.issue(f.ca, "other");
  expect({none, good.key, {}}, none, "No such file");
  expect({good.certificate, none, {}}, none, "No such file");
  expect({good.certificate, good.key, none}, none, "No such file");
  expect({text, good.key, {}}, text, "");
  expect({good.certificate, text, {}}, text, "");
  expect({good.certificate, other.key, {}}, other.key, good.certificate);
  auto late = f.issue(f.ca, "late", yesterday);
  expect(late, late.certificate, "expired");
}

BOOST_AUTO_TEST_SUITE_END()
