#include <boost/test/unit_test.hpp>

#include <list>

#include "runtime/cluster/transport_frames.hpp"
#include "runtime/cluster/transport_guard.hpp"
#include "runtime/cluster/transport_socket.hpp"
#include "tests/runtime/cluster/transport_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

struct fake_link : guarded_link {
  std::string refusal;
  transport_guard::link_id id = 0;
  void refuse(const std::string& why) override { refusal = why; }
};

struct port {
  transport_guard guard;
  std::list<fake_link> links; // they stay where they are
  transport_guard::time_point now{};

  explicit port(const transport_limits& l) : guard(l, {}) {}

  // The new connection, or null.
  fake_link* accept(const std::string& address) {
    return guard.admit(address) ? nullptr : add(address, link_side::accepted);
  }

  fake_link* dial(const std::string& address) {
    return add(address, link_side::dialed);
  }

  fake_link* add(const std::string& address, link_side side) {
    auto& l = links.emplace_back();
    l.id = guard.add(l, address, side, now);
    return &l;
  }

  fake_link* established(const std::string& address) {
    auto* l = accept(address);
    if (l != nullptr)
      guard.established(l->id);
    return l;
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(transport_guarding)

// -- who may be connected -----------------------------------------------------

BOOST_AUTO_TEST_CASE(the_oldest_incomplete_connection_gives_way) {
  auto p = port{{.max_connections = 8, .max_pending = 2}};
  auto* peer = p.established("a");
  auto* first = p.accept("b");
  auto* second = p.accept("c");
  auto* third = p.accept("d");
  BOOST_REQUIRE(third != nullptr);
  BOOST_TEST(first->refusal != "");
  BOOST_TEST(second->refusal == "");
  BOOST_TEST(peer->refusal == "");
  BOOST_TEST(p.guard.stats().pending == 2u);
}

BOOST_AUTO_TEST_CASE(established_ones_never_do) {
  auto p = port{{.max_connections = 3, .max_pending = 3}};
  for (auto* address : {"a", "b", "c"})
    BOOST_REQUIRE(p.established(address) != nullptr);
  BOOST_TEST(p.accept("d") == nullptr);
  for (auto& l : p.links)
    BOOST_TEST(l.refusal == "");
  p.guard.remove(p.links.front().id);
  BOOST_TEST(p.accept("d") != nullptr);
}

BOOST_AUTO_TEST_CASE(one_address_cannot_take_every_place) {
  auto p = port{{.max_connections = 8, .max_pending = 8, .max_per_address = 2}};
  p.established("a");
  auto* waiting = p.accept("a");
  // Its own incomplete one gives way, then nothing is left to do so.
  BOOST_TEST(p.established("a") != nullptr);
  BOOST_TEST(waiting->refusal != "");
  BOOST_TEST(p.accept("a") == nullptr);
  BOOST_TEST(p.accept("b") != nullptr);
}

BOOST_AUTO_TEST_CASE(whom_we_dial_gives_way_to_nobody) {
  auto p = port{{.max_connections = 8, .max_pending = 1, .max_per_address = 1}};
  auto* ours = p.dial("a");
  BOOST_TEST(p.accept("a") != nullptr);
  BOOST_TEST(p.accept("b") != nullptr);
  BOOST_TEST(p.accept("a") != nullptr);
  BOOST_TEST(ours->refusal == "");
  BOOST_TEST(p.guard.stats().pending == 1u);
  // But it has a deadline as well.
  p.guard.expire(p.now + 1h);
  BOOST_TEST(ours->refusal == "no complete handshake in time");
}

BOOST_AUTO_TEST_CASE(in_the_end_all_go_in_silence) {
  auto lines = 0;
  auto guard = transport_guard{{}, [&](const std::string&) { ++lines; }};
  auto l = fake_link{};
  l.refusal = "none";
  l.id = guard.add(l, "a", link_side::dialed, {});
  guard.end();
  BOOST_TEST(l.refusal == "");
  BOOST_TEST(guard.admit("b").has_value());
  guard.refused("b", "late");
  BOOST_TEST(lines == 0);
}

BOOST_AUTO_TEST_CASE(those_that_leave_still_take_room) {
  auto p = port{{.max_connections = 2, .max_pending = 1}};
  for (auto i = 0; i < 3; ++i)
    BOOST_TEST(p.accept("a") != nullptr);
  BOOST_TEST(p.accept("a") == nullptr);
  p.guard.remove(p.links.front().id);
  BOOST_TEST(p.accept("a") != nullptr);
}

// -- deadlines ----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_has_to_happen_happens_in_time_or_not_at_all) {
  auto p = port{{.handshake_deadline = 100ms}};
  auto* slow = p.accept("a");
  auto* peer = p.established("b");
  auto* sending = p.established("c");
  auto* closed = p.established("d");
  p.guard.due(sending->id, p.now + 200ms);
  p.guard.closing(closed->id, p.now + 200ms);
  p.guard.expire(p.now + 99ms);
  BOOST_TEST(slow->refusal == "");
  p.guard.expire(p.now + 100ms);
  BOOST_TEST(slow->refusal == "no complete handshake in time");
  BOOST_TEST(sending->refusal == "");
  p.guard.expire(p.now + 250ms);
  BOOST_TEST(sending->refusal == "no complete message in time");
  BOOST_TEST(closed->refusal == "");
  p.guard.heard(peer->id, p.now + 1h);
  p.guard.expire(p.now + 1h);
  BOOST_TEST(closed->refusal == "does not close the connection");
  BOOST_TEST(peer->refusal == "");
}

BOOST_AUTO_TEST_CASE(a_peer_that_falls_silent_is_dead) {
  auto p = port{{.silence_deadline = 100ms}};
  auto* silent = p.established("a");
  auto* beating = p.established("b");
  p.guard.heard(beating->id, p.now + 50ms);
  p.guard.expire(p.now + 99ms);
  BOOST_TEST(silent->refusal == "");
  p.guard.expire(p.now + 100ms);
  BOOST_TEST(silent->refusal == "has fallen silent");
  BOOST_TEST(beating->refusal == "");
}

BOOST_AUTO_TEST_CASE(nothing_a_closed_one_sends_gains_it_time) {
  auto p = port{{.handshake_deadline = 100ms}};
  auto* peer = p.established("a");
  auto* early = p.accept("b");
  p.guard.closing(peer->id, p.now);
  p.guard.closing(early->id, p.now);
  p.guard.due(peer->id, std::nullopt);
  p.guard.closing(peer->id, p.now + 50ms);
  p.guard.established(early->id);
  p.guard.expire(p.now + 100ms);
  BOOST_TEST(peer->refusal == "does not close the connection");
  BOOST_TEST(early->refusal == "does not close the connection");
}

// -- memory -------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(all_buffers_together_have_a_bound) {
  auto p = port{{.max_buffered = 100}};
  auto* a = p.established("a");
  auto* b = p.established("b");
  BOOST_TEST(p.guard.buffers(a->id, 60));
  BOOST_TEST(!p.guard.buffers(b->id, 41));
  BOOST_TEST(p.guard.buffers(b->id, 40));
  BOOST_TEST(!p.guard.buffers(a->id, 61));
  BOOST_TEST(p.guard.buffers(a->id, 10));
  BOOST_TEST(p.guard.buffers(b->id, 90));
  p.guard.remove(a->id);
  BOOST_TEST(p.guard.buffers(b->id, 100));
}

// -- the log ------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_flood_is_summed_up) {
  auto lines = std::vector<std::string>{};
  auto guard =
      transport_guard{{}, [&](const std::string& l) { lines.push_back(l); }};
  auto t = transport_guard::time_point{} + 10s;
  for (auto i = 0; i < 1000; ++i)
    guard.refused("x", "y", t);
  BOOST_TEST(lines.size() == 20u);
  BOOST_TEST(lines[0] == "cluster port: refused x: y");
  guard.refused("x", "z", t + 1s);
  BOOST_REQUIRE(lines.size() == 22u);
  BOOST_TEST(lines[20] == "cluster port: refused 980 more");
  BOOST_TEST(guard.stats().refused == 1001u);
}

// -- frames -------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_peer_that_behaves_passes) {
  auto f = frame_check{link_side::accepted, 1000};
  BOOST_TEST(!f.take(basp_header(1, 40)));
  BOOST_TEST(f.due() == 40u);
  BOOST_TEST(!f.established());
  BOOST_TEST(!f.take(std::string(40, 'x')));
  BOOST_TEST(f.established());
  BOOST_TEST(!f.take(basp_header(6, 0)));
  BOOST_TEST(!f.take(basp_header(2, 1000)));
  BOOST_TEST(f.due() == 1000u);
  // A payload may look like anything.
  BOOST_TEST(!f.take(std::string(1000, '\xff')));
  BOOST_TEST(!f.take(basp_header(1, 40)));
}

BOOST_AUTO_TEST_CASE(a_handshake_comes_first_and_from_its_side) {
  for (auto kind = 0; kind < 256; ++kind) {
    auto k = static_cast<uint8_t>(kind);
    auto accepted = frame_check{link_side::accepted, 1000};
    BOOST_TEST(accepted.take(basp_header(k, 40)).has_value() == (kind != 1));
    auto dialed = frame_check{link_side::dialed, 1000};
    BOOST_TEST(dialed.take(basp_header(k, 40)).has_value() == (kind != 0));
    auto known = frame_check{link_side::accepted, 1000};
    BOOST_REQUIRE(!known.take(basp_header(1, 8)));
    BOOST_REQUIRE(!known.take(std::string(8, 'x')));
    BOOST_TEST(known.take(basp_header(k, 40)).has_value()
               == (kind == 0 || kind > 6));
  }
}

BOOST_AUTO_TEST_CASE(nothing_larger_than_its_limit) {
  auto largest = static_cast<uint32_t>(frame_check::max_handshake);
  for (auto [size, bad] : {std::pair{0u, true},
                           {1u, false},
                           {largest, false},
                           {largest + 1, true},
                           {0xffffffffu, true}}) {
    auto f = frame_check{link_side::accepted, size_t{8} << 20};
    BOOST_TEST(f.take(basp_header(1, size)).has_value() == bad);
  }
  auto f = frame_check{link_side::accepted, 1000};
  BOOST_REQUIRE(!f.take(basp_header(1, 8)));
  BOOST_REQUIRE(!f.take(std::string(8, 'x')));
  auto why = f.take(basp_header(2, 1001));
  BOOST_REQUIRE(why.has_value());
  BOOST_TEST(*why == "a frame of 1001 bytes, more than 1000");
}

BOOST_AUTO_TEST_CASE(handshakes_do_not_go_on_for_ever) {
  auto f = frame_check{link_side::accepted, 1000};
  for (auto i = 0u; i < frame_check::max_handshakes; ++i) {
    BOOST_REQUIRE(!f.take(basp_header(1, 8)));
    BOOST_REQUIRE(!f.take(std::string(8, 'x')));
  }
  BOOST_TEST(f.take(basp_header(1, 8)).has_value());
}

// -- addresses ----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(loopback_is_loopback_only) {
  for (auto* yes : {"127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"})
    BOOST_TEST(is_loopback(yes), yes);
  for (auto* no : {"", "localhost", "0.0.0.0", "::", "10.0.0.1", "128.0.0.1",
                   "127.0.0.1.example.com", "::2", "::ffff:10.0.0.1", "127"})
    BOOST_TEST(!is_loopback(no), no);
}

BOOST_AUTO_TEST_SUITE_END()
