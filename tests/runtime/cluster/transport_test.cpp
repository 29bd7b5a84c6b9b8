#include <boost/test/unit_test.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ctime>
#include <future>
#include <random>

#include "runtime/cluster/transport_socket.hpp"
#include "tests/runtime/cluster/transport_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto mib = size_t{1} << 20;

std::string random_bytes(std::mt19937& rng, size_t n) {
  auto s = std::string(n, '\0');
  for (auto& c : s)
    c = static_cast<char>(rng());
  return s;
}

// A node that was attacked still serves a peer that behaves.
void expect_alive(cluster_node& n) {
  auto peer = cluster_node{};
  BOOST_TEST(peer.ask(n.port, 41) == 42u);
}

// Makes `p` a peer that reads nothing of 24 MiB, more than the kernel's buffers
// take, so that the node has written what it could and keeps the rest.
void leave_unread(cluster_node& n, raw_peer& p) {
  constexpr auto number = 384;
  auto all = std::promise<void>{};
  auto count = 0;
  auto answer = [&](caf::event_based_actor*, int most) {
    return caf::behavior{[&, most](std::string& text) {
      if (++count == most)
        all.set_value();
      return std::move(text);
    }};
  };
  auto answering = n.system.spawn(answer, number);
  n.system.registry().put(answering.id(), answering);
  p.send(basp_handshake(n.system, 7));
  auto question = basp_message(n.system, answering.id(),
                               caf::make_message(std::string(mib / 16, 'x')));
  for (auto i = 0; i < number; ++i)
    p.send(question);
  BOOST_REQUIRE(
      (all.get_future().wait_for(patience) == std::future_status::ready));
  // The answers are before this in the broker's mailbox.
  n.transport->close(1);
  auto self = caf::scoped_actor{n.system};
  n.system.registry().erase(answering.id());
  self->send_exit(answering, caf::exit_reason::kill);
  self->wait_for(answering);
}

// Neither our limit nor the system's ends a connection that isn't read from.
transport_options nothing_has_to_be_read() {
  auto o = transport_options{};
  o.limits.max_unsent = 64 * mib;
  o.limits.ack_deadline = 0ms;
  return o;
}

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_port)

// -- peers that behave --------------------------------------------------------

BOOST_AUTO_TEST_CASE(actors_of_two_nodes_talk_both_ways) {
  auto a = cluster_node{};
  auto b = cluster_node{};
  BOOST_TEST(b.ask(a.port, 1) == 2u);
  BOOST_TEST(a.ask(b.port, 2) == 3u);
  BOOST_TEST(a.log.all() == "");
  BOOST_TEST(b.log.all() == "");
  BOOST_TEST(a.transport->stats().pending == 0u);
}

// Both ends of a connection are in this process.
BOOST_AUTO_TEST_CASE(both_ends_notice_a_cut_link) {
  auto o = transport_options{};
  o.limits.ack_deadline = 1234ms;
  auto a = cluster_node{o};
  auto b = cluster_node{o};
  auto to = b.transport->connect("127.0.0.1", a.port);
  BOOST_REQUIRE(to.ok());
  auto port_of = [](auto* name, int fd) {
    auto at = sockaddr_in{};
    auto size = socklen_t{sizeof(at)};
    auto ok = name(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0;
    return ok && at.sin_family == AF_INET ? ntohs(at.sin_port) : 0;
  };
  auto option = [](int fd, int level, int which) {
    auto value = -1;
    auto size = socklen_t{sizeof(value)};
    ::getsockopt(fd, level, which, &value, &size);
    return value;
  };
  auto accepted = 0;
  auto dialed = 0;
  for (auto fd = 0; fd < 4096; ++fd) {
    auto theirs = port_of(&::getpeername, fd);
    if (theirs == 0) // also the listening socket
      continue;
    auto is_accepted = port_of(&::getsockname, fd) == a.port;
    if (!is_accepted && theirs != a.port)
      continue;
    ++(is_accepted ? accepted : dialed);
    BOOST_TEST(option(fd, IPPROTO_TCP, TCP_NODELAY) == 1);
    BOOST_TEST(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 1234);
    BOOST_TEST(option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1);
    BOOST_TEST(option(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 5);
    BOOST_TEST(option(fd, IPPROTO_TCP, TCP_KEEPINTVL) == 2);
    BOOST_TEST(option(fd, IPPROTO_TCP, TCP_KEEPCNT) == 3);
  }
  BOOST_TEST(accepted == 1);
  BOOST_TEST(dialed == 1);
}

BOOST_AUTO_TEST_CASE(messages_up_to_the_limit_pass_and_no_larger_ones) {
  auto o = transport_options{};
  o.limits.max_frame = mib;
  auto a = cluster_node{o};
  auto b = cluster_node{};
  auto to = b.transport->connect("127.0.0.1", a.port);
  BOOST_REQUIRE(to.ok());
  auto self = caf::scoped_actor{b.system};
  auto heard = std::string{};
  auto sent = std::string(mib - 256, 'x');
  self->request(*to, patience, sent)
      .receive([&](std::string& s) { heard = std::move(s); },
               [](const caf::error&) {});
  BOOST_TEST((heard == sent));
  self->monitor(*to);
  self->send(*to, std::string(mib + 1, 'x'));
  auto gone = false;
  self->receive([&](const caf::down_msg&) { gone = true; },
                caf::after(patience) >> [] {});
  BOOST_TEST(gone);
  BOOST_TEST(a.log.wait_for("bytes, more than 1048576"));
  expect_alive(a);
}

BOOST_AUTO_TEST_CASE(a_port_that_was_closed_takes_nobody) {
  auto a = cluster_node{};
  auto b = cluster_node{};
  auto to = b.transport->connect("127.0.0.1", a.port);
  BOOST_REQUIRE(to.ok());
  a.transport->close(a.port);
  auto c = cluster_node{};
  BOOST_TEST(c.ask(a.port, 1) == 0u);
  // What is connected stays so.
  BOOST_TEST(b.ask(*to, 1) == 2u);
}

BOOST_AUTO_TEST_CASE(a_port_that_was_closed_at_once_is_free) {
  auto a = cluster_node{};
  for (auto i = 0; i < 100; ++i) {
    auto port = a.transport->publish(a.actor, 0);
    BOOST_REQUIRE(port.ok());
    a.transport->close(*port);
    BOOST_TEST(!dial("127.0.0.1", *port, true, 1s).ok());
  }
}

BOOST_AUTO_TEST_CASE(who_died_and_came_back_is_found_again) {
  auto a = cluster_node{};
  auto self = caf::scoped_actor{a.system};
  auto old = std::make_unique<cluster_node>();
  auto port = old->port;
  auto dead = a.transport->connect("127.0.0.1", port);
  BOOST_REQUIRE(dead.ok());
  self->monitor(*dead);
  old.reset();
  auto gone = false;
  self->receive([&](const caf::down_msg&) { gone = true; },
                caf::after(patience) >> [] {});
  BOOST_TEST(gone);
  BOOST_TEST(a.ask(port, 1) == 0u);
  for (auto i = 0; i < 3; ++i) {
    auto young = cluster_node{{}, port};
    BOOST_TEST(a.ask(port, 1) == 2u);
    auto found = a.transport->connect("127.0.0.1", port);
    BOOST_REQUIRE(found.ok());
    BOOST_TEST((found->node() == young.system.node()));
    BOOST_TEST((*found != *dead));
    BOOST_TEST(young.ask(a.port, 1) == 2u);
  }
  // Whoever still has the dead one's handle is told as well.
  gone = false;
  self->monitor(*dead);
  self->receive([&](const caf::down_msg&) { gone = true; },
                caf::after(patience) >> [] {});
  BOOST_TEST(gone);
}

BOOST_AUTO_TEST_CASE(even_before_its_death_is_noticed) {
  auto a = cluster_node{};
  auto old = cluster_node{};
  auto first = a.transport->connect("127.0.0.1", old.port);
  BOOST_REQUIRE(first.ok());
  // Its connection stays, as one does to a host that has lost its power.
  old.transport->close(old.port);
  auto young = cluster_node{{}, old.port};
  auto found = a.transport->connect("127.0.0.1", old.port);
  BOOST_REQUIRE(found.ok());
  BOOST_TEST((first->node() == old.system.node()));
  BOOST_TEST((found->node() == young.system.node()));
}

BOOST_AUTO_TEST_CASE(many_may_connect_at_once) {
  auto a = cluster_node{};
  auto b = cluster_node{};
  auto good = std::vector<std::future<bool>>{};
  for (auto i = 0; i < 16; ++i)
    good.push_back(std::async(std::launch::async, [&] {
      return a.transport->connect("127.0.0.1", b.port).ok();
    }));
  for (auto& g : good)
    BOOST_TEST(g.get());
  BOOST_TEST(a.ask(b.port, 1) == 2u);
}

BOOST_AUTO_TEST_CASE(an_actor_of_another_kind_is_an_error) {
  auto a = cluster_node{};
  auto b = cluster_node{};
  auto r = b.transport->connect<registry_actor>("127.0.0.1", a.port);
  BOOST_REQUIRE(!r.ok());
  BOOST_TEST((r.failure().code == errc::unsupported));
}

// -- only this machine --------------------------------------------------------

BOOST_AUTO_TEST_CASE(without_tls_nothing_leaves_this_machine) {
  auto a = cluster_node{};
  for (auto* address : {"0.0.0.0", "::", "192.0.2.1", "example.com"}) {
    auto r = a.transport->publish(a.actor, 0, address);
    BOOST_REQUIRE(!r.ok());
    BOOST_TEST((r.failure().code == errc::invalid_argument));
    BOOST_TEST(r.failure().message.find("mutual TLS") != std::string::npos);
  }
  auto r = a.transport->connect("192.0.2.1", 4000);
  BOOST_REQUIRE(!r.ok());
  BOOST_TEST((r.failure().code == errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(nor_beside_ports_of_cafs_own) {
  auto config = cluster_config{};
  config.set("middleman.enable-automatic-connections", true);
  auto system = caf::actor_system{config};
  auto t = cluster_transport::start(system, {});
  BOOST_REQUIRE(!t.ok());
  BOOST_TEST((t.failure().code == errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(nor_in_a_system_that_is_not_made_for_it) {
  auto expect_none = [](cluster_config& config, const std::string& what) {
    auto system = caf::actor_system{config};
    auto t = cluster_transport::start(system, {});
    BOOST_REQUIRE(!t.ok());
    BOOST_TEST((t.failure().code == errc::invalid_argument));
    BOOST_TEST(t.failure().message.find(what) != std::string::npos);
  };
  auto config = cluster_config{};
  config.set("middleman.heartbeat-interval", caf::timespan{0});
  expect_none(config, "heartbeat-interval");
  config.set("middleman.heartbeat-interval", caf::timespan{16s});
  expect_none(config, "heartbeat-interval");
  auto other = cluster_config{};
  other.set("middleman.connection-timeout", caf::timespan{60s});
  expect_none(other, "connection-timeout");
}

// -- peers that don't behave --------------------------------------------------

BOOST_AUTO_TEST_CASE(an_absurd_header_allocates_nothing) {
  auto a = cluster_node{};
  auto before = peak_memory();
  for (auto kind : {1, 2}) {
    for (auto i = 0; i < 4; ++i) {
      auto p = raw_peer{a.port};
      auto absurd =
          basp_header(static_cast<uint8_t>(kind), 0xffffffff, 0, 1, 1);
      // The message only behind a handshake, where it counts.
      p.send(kind == 1 ? absurd : basp_handshake(a.system, 7) + absurd);
      BOOST_TEST(p.closed());
    }
  }
  BOOST_TEST(a.log.wait_for("a frame of 4294967295 bytes, more than 65536"));
  BOOST_TEST(a.log.wait_for("a frame of 4294967295 bytes, more than 8388608"));
  BOOST_TEST(grew_less(before, 64 * mib));
  expect_alive(a);
}

BOOST_AUTO_TEST_CASE(random_bytes_are_refused) {
  auto a = cluster_node{};
  auto rng = std::mt19937{1};
  for (auto i = 0; i < 200; ++i) {
    auto p = raw_peer{a.port};
    p.send(random_bytes(rng, 1 + rng() % 4096));
    p.half_close();
    BOOST_REQUIRE(p.closed());
  }
  BOOST_TEST(a.transport->stats().refused == 200u);
  expect_alive(a);
}

BOOST_AUTO_TEST_CASE(random_frames_behind_a_handshake_do_no_harm) {
  auto a = cluster_node{};
  auto rng = std::mt19937{2};
  auto before = peak_memory();
  for (auto i = 0u; i < 200; ++i) {
    auto p = raw_peer{a.port};
    p.send(basp_handshake(a.system, 100 + i));
    for (auto frame = 0; frame < 8; ++frame) {
      auto size = 1 + rng() % 300;
      auto kind = static_cast<uint8_t>(2 + rng() % 4);
      p.send(basp_header(kind, size, kind < 4 ? rng() % 4 : 0, rng() % 3,
                         kind == 5 ? 0 : 1 + rng() % 30)
             + random_bytes(rng, size));
    }
    p.half_close();
    BOOST_REQUIRE(p.closed());
  }
  BOOST_TEST(grew_less(before, 128 * mib));
  expect_alive(a);
}

BOOST_AUTO_TEST_CASE(nor_do_messages_with_some_bytes_changed) {
  auto a = cluster_node{};
  auto rng = std::mt19937{3};
  auto r = generate_request{};
  r.prompt = {1, 2, 3};
  auto good = std::vector<std::string>{
      basp_message(a.system, a.actor.id(), caf::make_message(r)),
      basp_message(a.system, a.actor.id(),
                   caf::make_message(std::string{"text"}, status_query{1})),
      basp_message(
          a.system, a.actor.id(),
          caf::make_message(caf::actor_cast<caf::strong_actor_ptr>(a.actor),
                            std::string{"more"}))};
  auto before = peak_memory();
  for (auto i = 0u; i < 300; ++i) {
    auto p = raw_peer{a.port};
    p.send(basp_handshake(a.system, 1000 + i));
    for (auto n = 0; n < 16; ++n) {
      auto m = good[rng() % good.size()];
      for (auto changes = 1 + rng() % 3; changes > 0; --changes)
        m[32 + rng() % (m.size() - 32)] =
            static_cast<char>(rng() % 2 ? rng() : 0xff);
      p.send(m);
    }
    p.half_close();
    BOOST_REQUIRE(p.closed());
    BOOST_REQUIRE(grew_less(before, 256 * mib));
  }
  expect_alive(a);
}

BOOST_AUTO_TEST_CASE(whoever_does_not_finish_its_handshake_is_closed) {
  auto o = transport_options{};
  o.limits.handshake_deadline = 200ms;
  auto a = cluster_node{o};
  auto silent = raw_peer{a.port};
  auto stopped = raw_peer{a.port};
  stopped.send(basp_header(1, 40).substr(0, 31));
  auto nameless = raw_peer{a.port};
  nameless.send(basp_header(1, 40) + "x");
  for (auto* p : {&silent, &stopped, &nameless})
    BOOST_TEST(p->closed());
  BOOST_TEST(a.log.wait_for("no complete handshake in time"));
  expect_alive(a);
}

BOOST_AUTO_TEST_CASE(or_its_message) {
  auto o = transport_options{};
  o.limits.frame_deadline = 200ms;
  auto a = cluster_node{o};
  auto p = raw_peer{a.port};
  p.send(basp_handshake(a.system, 7));
  p.send(basp_header(2, mib, 0, 1, 1) + std::string(mib / 2, 'x'));
  BOOST_TEST(p.closed());
  BOOST_TEST(a.log.wait_for("no complete message in time"));
  expect_alive(a);
}

BOOST_AUTO_TEST_CASE(whoever_does_not_read_is_closed) {
  auto o = transport_options{};
  o.limits.max_unsent = mib;
  o.limits.ack_deadline = 0ms;
  auto a = cluster_node{o};
  auto p = raw_peer{a.port};
  p.send(basp_handshake(a.system, 7));
  auto question = basp_message(a.system, a.actor.id(),
                               caf::make_message(std::string(mib / 16, 'x')));
  // The kernel's buffers take some MiB, so does ours, and then it is over.
  auto before = peak_memory();
  auto sent = size_t{0};
  while (sent < 256 && p.send(question))
    ++sent;
  BOOST_TEST(a.log.wait_for("bytes wait for it to read them"));
  BOOST_TEST(grew_less(before, 64 * mib));
  expect_alive(a);
}

BOOST_AUTO_TEST_CASE(so_is_who_closes_its_side_and_does_not_read) {
  auto o = nothing_has_to_be_read();
  o.limits.handshake_deadline = 500ms;
  auto a = cluster_node{o};
  auto p = raw_peer{a.port};
  leave_unread(a, p);
  p.half_close();
  BOOST_TEST(a.log.wait_for("does not close the connection"));
  expect_alive(a);
}

BOOST_AUTO_TEST_CASE(nor_does_that_keep_a_node_from_ending) {
  auto a = std::make_unique<cluster_node>(nothing_has_to_be_read());
  auto p = raw_peer{a->port};
  leave_unread(*a, p);
  a.reset();
  BOOST_TEST(p.closed());
}

BOOST_AUTO_TEST_CASE(whoever_falls_silent_is_closed_and_no_idle_peer) {
  auto o = transport_options{};
  o.limits.silence_deadline = 1s;
  auto a = cluster_node{o};
  auto idle = cluster_node{o};
  auto to = idle.transport->connect("127.0.0.1", a.port);
  BOOST_REQUIRE(to.ok());
  auto self = caf::scoped_actor{idle.system};
  self->monitor(*to);
  auto p = raw_peer{a.port};
  p.send(basp_handshake(a.system, 7));
  BOOST_TEST(p.closed());
  BOOST_TEST(a.log.wait_for("has fallen silent"));
  BOOST_TEST(!self->has_next_message());
  BOOST_TEST(idle.log.all() == "");
  BOOST_TEST(idle.ask(a.port, 1) == 2u);
}

BOOST_AUTO_TEST_CASE(without_descriptors_a_port_turns_away_and_does_not_spin) {
  auto a = cluster_node{};
  auto usual = rlimit{};
  BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &usual) == 0);
  auto few = usual;
  few.rlim_cur = 512;
  BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  auto taken = std::vector<int>{};
  for (auto fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC); fd >= 0;
       fd = ::dup(fd))
    taken.push_back(fd);
  BOOST_REQUIRE(taken.size() > 3u);
  auto spent = std::clock();
  for (auto i = 0; i < 3; ++i) {
    // The one for the peer itself.
    ::close(taken.back());
    taken.pop_back();
    auto p = raw_peer{a.port};
    BOOST_TEST(p.closed());
    taken.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  }
  spent = std::clock() - spent;
  for (auto fd : taken)
    ::close(fd);
  ::setrlimit(RLIMIT_NOFILE, &usual);
  BOOST_TEST(spent < CLOCKS_PER_SEC);
  BOOST_TEST(a.log.wait_for("has no descriptor left for it"));
  BOOST_TEST(a.transport->stats().open == 0u);
  expect_alive(a);
}

BOOST_AUTO_TEST_CASE(a_thousand_connections_leave_room_for_a_peer) {
  if (!raise_descriptors(1600))
    return;
  auto a = cluster_node{};
  auto before = peak_memory();
  auto flood = std::vector<raw_peer>{};
  for (auto i = 0; i < 1000; ++i)
    flood.emplace_back(a.port);
  expect_alive(a);
  auto l = transport_limits{};
  BOOST_TEST(a.transport->stats().accepted == 1001u);
  BOOST_TEST(a.transport->stats().open <= l.max_connections + l.max_pending);
  BOOST_TEST(grew_less(before, 64 * mib));
  // All but the youngest few are gone.
  for (auto i = 0u; i < 1000 - l.max_pending; ++i)
    BOOST_REQUIRE(flood[i].closed());
  flood.clear();
  expect_alive(a);
}

BOOST_AUTO_TEST_SUITE_END()
