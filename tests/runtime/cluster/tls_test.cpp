#include <boost/test/unit_test.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <csignal>
#include <ctime>

#include "runtime/cluster/certs.hpp"
#include "tests/runtime/cluster/transport_fixture.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/process.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// A CA, and certificates that it signed or didn't.
struct cluster_ca {
  temp_dir dir;
  certificate_authority ca = *certificate_authority::create({});
  std::string ca_file = save("ca.pem", ca.pem()->certificate);

  std::string save(const std::string& name, const std::string& bytes) {
    write_file(dir.file(name), bytes);
    return dir.file(name);
  }

  tls_files node(const std::string& name, const validity& when = {}) {
    return signed_by(ca, name, when);
  }

  tls_files signed_by(const certificate_authority& signer,
                      const std::string& name, const validity& when = {}) {
    auto p = *signer.issue(name, when);
    return {save(name + ".pem", p.certificate), save(name + ".key", p.key),
            ca_file};
  }
};

transport_options with(const tls_files& files) {
  auto o = transport_options{};
  o.tls = files;
  o.limits.handshake_deadline = 20s; // unless a test is about it
  return o;
}

/// Shows a port that certificate, or none, and reads until it is closed. Speaks
/// no newer TLS than that, any if 0.
void knock(uint16_t port, const std::optional<tls_files>& files,
           int newest = 0) {
  std::signal(SIGPIPE, SIG_IGN);
  auto p = raw_peer{port};
  auto* context = SSL_CTX_new(TLS_client_method());
  // OpenSSL would not even try.
  SSL_CTX_set_cipher_list(context, "DEFAULT:@SECLEVEL=0");
  SSL_CTX_set_max_proto_version(context, newest);
  if (files) {
    SSL_CTX_use_certificate_chain_file(context, files->certificate.c_str());
    SSL_CTX_use_PrivateKey_file(context, files->key.c_str(), SSL_FILETYPE_PEM);
  }
  auto* s = SSL_new(context);
  SSL_set_fd(s, p.socket());
  char byte;
  if (SSL_connect(s) == 1)
    while (SSL_read(s, &byte, 1) > 0) {
    }
  SSL_free(s);
  SSL_CTX_free(context);
  ERR_clear_error();
}

void expect_alive(cluster_ca& ca, cluster_node& n) {
  auto peer = cluster_node{with(ca.node("good"))};
  BOOST_TEST(peer.ask(n.port, 41) == 42u);
}

constexpr auto yesterday = validity{-48h, -24h};
constexpr auto tomorrow = validity{24h, 48h};

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_tls)

// -- nodes of one CA ----------------------------------------------------------

BOOST_AUTO_TEST_CASE(nodes_of_one_ca_talk_both_ways) {
  auto ca = cluster_ca{};
  auto a = cluster_node{with(ca.node("a"))};
  auto b = cluster_node{with(ca.node("b"))};
  BOOST_TEST(b.ask(a.port, 1) == 2u);
  BOOST_TEST(a.ask(b.port, 2) == 3u);
  BOOST_TEST(a.log.all() == "");
  BOOST_TEST(b.log.all() == "");
}

BOOST_AUTO_TEST_CASE(large_messages_come_whole) {
  auto ca = cluster_ca{};
  auto a = cluster_node{with(ca.node("a"))};
  auto b = cluster_node{with(ca.node("b"))};
  auto to = b.transport->connect("127.0.0.1", a.port);
  BOOST_REQUIRE(to.ok());
  auto self = caf::scoped_actor{b.system};
  // Sizes around those of TLS's records, and several in flight.
  auto sizes = std::vector<size_t>{1,     16383, 16384,   16385,
                                   65536, 99999, 1 << 20, 3 << 20};
  auto answers = size_t{0};
  for (auto n : sizes) {
    auto text = std::string(n, static_cast<char>('a' + n % 26));
    self->request(*to, patience, text)
        .receive([&](const std::string& s) { answers += s == text; },
                 [](const caf::error&) {});
  }
  BOOST_TEST(answers == sizes.size());
  for (auto n : sizes)
    self->send(*to, std::string(n, 'x'));
  BOOST_TEST(b.ask(a.port, 7) == 8u);
}

BOOST_AUTO_TEST_CASE(with_tls_a_port_may_be_open_to_others) {
  auto ca = cluster_ca{};
  auto a = cluster_node{with(ca.node("a"))};
  auto port = a.transport->publish(a.actor, 0, "0.0.0.0");
  BOOST_REQUIRE(port.ok());
  auto b = cluster_node{with(ca.node("b"))};
  BOOST_TEST(b.ask(*port, 1) == 2u);
}

// -- anybody else -------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_certificate_of_another_ca_is_refused) {
  auto ca = cluster_ca{};
  auto a = cluster_node{with(ca.node("a"))};
  auto other = *certificate_authority::create({});
  knock(a.port, ca.signed_by(other, "stranger"));
  BOOST_TEST(a.log.wait_for("TLS: "));
  BOOST_TEST(a.log.all().find("issuer") != std::string::npos, a.log.all());
  expect_alive(ca, a);
}

BOOST_AUTO_TEST_CASE(so_is_one_that_signed_itself) {
  auto ca = cluster_ca{};
  auto a = cluster_node{with(ca.node("a"))};
  auto other = *certificate_authority::create({});
  auto files = ca.node("unused");
  files.certificate = ca.save("self.pem", other.pem()->certificate);
  files.key = ca.save("self.key", other.pem()->key);
  knock(a.port, files);
  BOOST_TEST(a.log.wait_for("TLS: "));
  expect_alive(ca, a);
}

BOOST_AUTO_TEST_CASE(so_is_one_that_is_not_valid_now) {
  auto ca = cluster_ca{};
  auto a = cluster_node{with(ca.node("a"))};
  knock(a.port, ca.node("early", tomorrow));
  BOOST_TEST(a.log.wait_for("TLS: certificate is not yet valid"));
  knock(a.port, ca.node("late", yesterday));
  BOOST_TEST(a.log.wait_for("TLS: certificate has expired"));
  expect_alive(ca, a);
}

BOOST_AUTO_TEST_CASE(so_is_a_client_without_one) {
  auto ca = cluster_ca{};
  auto a = cluster_node{with(ca.node("a"))};
  knock(a.port, std::nullopt);
  BOOST_TEST(a.log.wait_for("TLS: peer did not return a certificate"));
  expect_alive(ca, a);
}

BOOST_AUTO_TEST_CASE(so_is_old_tls) {
  auto ca = cluster_ca{};
  auto a = cluster_node{with(ca.node("a"))};
  knock(a.port, ca.node("old"), TLS1_1_VERSION);
  BOOST_TEST(a.log.wait_for("TLS: unsupported protocol"));
  expect_alive(ca, a);
}

BOOST_AUTO_TEST_CASE(so_are_plain_bytes) {
  auto ca = cluster_ca{};
  auto a = cluster_node{with(ca.node("a"))};
  auto plain = cluster_node{};
  BOOST_TEST(plain.ask(a.port, 1) == 0u);
  BOOST_TEST(a.log.wait_for("TLS: "));
  for (auto i = 0; i < 50; ++i) {
    auto p = raw_peer{a.port};
    p.send(std::string(100, static_cast<char>(i * 5)));
    p.half_close();
    BOOST_REQUIRE(p.closed());
  }
  BOOST_TEST(a.transport->stats().refused == 51u);
  expect_alive(ca, a);
}

BOOST_AUTO_TEST_CASE(a_node_does_not_trust_a_foreign_server) {
  auto ours = cluster_ca{};
  auto theirs = cluster_ca{};
  auto server = cluster_node{with(theirs.node("server"))};
  auto b = cluster_node{with(ours.node("b"))};
  auto r = b.transport->connect("127.0.0.1", server.port);
  BOOST_REQUIRE(!r.ok());
  BOOST_TEST(b.log.wait_for("TLS: "));
  // Nor a plain one.
  auto plain = cluster_node{};
  BOOST_TEST(b.ask(plain.port, 1) == 0u);
  expect_alive(theirs, server);
}

BOOST_AUTO_TEST_CASE(half_a_handshake_ends_in_time_and_does_not_spin) {
  auto ca = cluster_ca{};
  auto o = with(ca.node("a"));
  o.limits.handshake_deadline = 500ms;
  auto a = cluster_node{o};
  auto silent = raw_peer{a.port};
  auto stopped = raw_peer{a.port};
  stopped.send(std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11));
  auto spent = std::clock();
  BOOST_TEST(silent.closed());
  BOOST_TEST(stopped.closed());
  // A thread that spins would have taken all of that time.
  spent = std::clock() - spent;
  BOOST_TEST(spent < CLOCKS_PER_SEC / 4);
  BOOST_TEST(a.log.wait_for("no complete handshake in time"));
  expect_alive(ca, a);
}

BOOST_AUTO_TEST_CASE(a_node_of_the_cluster_is_held_to_the_limits_too) {
  auto ca = cluster_ca{};
  auto a = cluster_node{with(ca.node("a"))};
  auto files = tls_context::load(ca.node("mad"));
  BOOST_REQUIRE(files.ok());
  auto before = peak_memory();
  auto p = raw_peer{a.port};
  auto s = tls_session{*files, p.socket(), tls_session::role::client};
  BOOST_REQUIRE((s.handshake() == io_step::done));
  auto bytes =
      basp_handshake(a.system, 7) + basp_header(2, 0xffffffff, 0, 1, 1);
  auto n = size_t{0};
  BOOST_TEST((s.write(bytes.data(), bytes.size(), n) == io_step::done));
  BOOST_TEST(p.closed());
  BOOST_TEST(a.log.wait_for("a frame of 4294967295 bytes"));
  BOOST_TEST(grew_less(before, (size_t{64} << 20)));
  expect_alive(ca, a);
}

BOOST_AUTO_TEST_CASE(a_thousand_connections_leave_room_for_a_node) {
  if (!raise_descriptors(1600))
    return;
  auto ca = cluster_ca{};
  auto a = cluster_node{with(ca.node("a"))};
  auto before = peak_memory();
  auto flood = std::vector<raw_peer>{};
  for (auto i = 0; i < 1000; ++i)
    flood.emplace_back(a.port);
  expect_alive(ca, a);
  BOOST_TEST(grew_less(before, (size_t{128} << 20)));
  flood.clear();
  expect_alive(ca, a);
}

// -- files --------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(bad_files_are_named) {
  auto ca = cluster_ca{};
  auto good = ca.node("a");
  auto other = ca.node("b");
  auto expect = [&](tls_files files, const std::string& path,
                    const std::string& reason) {
    auto r = tls_context::load(files);
    BOOST_REQUIRE(!r.ok());
    auto& m = r.failure().message;
    BOOST_TEST(m.find(path + ": ") == 0u, m);
    BOOST_TEST(m.find(reason) != std::string::npos, m);
    BOOST_TEST(m.find('\n') == std::string::npos, m);
  };
  auto none = ca.dir.file("none.pem");
  auto text = ca.save("text.pem", "not PEM\n");
  expect({none, good.key, good.ca}, none, "No such file");
  expect({good.certificate, none, good.ca}, none, "No such file");
  expect({good.certificate, good.key, none}, none, "No such file");
  expect({text, good.key, good.ca}, text, "");
  expect({good.certificate, text, good.ca}, text, "");
  expect({good.certificate, good.key, text}, text, "");
  expect({good.certificate, other.key, good.ca}, other.key, "mismatch");
  auto late = ca.node("late", yesterday);
  expect(late, late.certificate, "expired");
  auto r = tls_context::load({good.certificate, good.key, ""});
  BOOST_REQUIRE(!r.ok());
  BOOST_TEST((r.failure().code == errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(a_transport_does_not_start_without_what_it_was_told) {
  auto config = cluster_config{};
  auto system = caf::actor_system{config};
  for (auto& files : {tls_files{}, tls_files{"no.pem", "no.key", "no.pem"}}) {
    auto t = cluster_transport::start(system, with(files));
    BOOST_TEST(!t.ok());
  }
}

BOOST_AUTO_TEST_SUITE_END()
