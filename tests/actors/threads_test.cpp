#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include "actors/decode_node.hpp"
#include "actors/prefill_node.hpp"
#include "actors/protocol/add_message_types.hpp"
#include "actors/registry.hpp"
#include "tests/support/actors/cluster.hpp"

using namespace troupe;
using namespace troupe::testing;

// A real actor system: nodes on threads of their own.
//
// Not under the thread sanitizer: CAF's mailboxes and run queues synchronise
// inside a library that is not instrumented, so it would report every state
// that passes from one thread to another.
#ifndef __SANITIZE_THREAD__

namespace {

struct config : caf::actor_system_config {
  config() {
    troupe::add_message_types(*this);
    set("scheduler.max-threads", size_t{2});
  }
};

struct fixture {
  config cfg;
  caf::actor_system sys{cfg};
  caf::scoped_actor self{sys};
  registry_actor reg =
      sys.spawn(registry, registry_options{std::chrono::minutes{1}});
  std::vector<caf::actor> nodes;
  gateway_actor gate;
  std::map<request_id, std::vector<token_id>> tokens;
  std::map<request_id, finish_event> ends;

  fixture() {
    auto arena = tiny_arena();
    for (node_id id : {1, 2}) {
      auto p =
          sys.spawn<caf::detached>(prefill_node, tiny_node(id, arena, 32, {}));
      auto d = sys.spawn<caf::detached>(decode_node,
                                        tiny_node(id + 100, arena, 32, {}));
      self->send(reg, add_prefill{id, p});
      self->send(reg, add_decode{id + 100, d});
      nodes.push_back(caf::actor_cast<caf::actor>(p));
      nodes.push_back(caf::actor_cast<caf::actor>(d));
    }
    auto g = gateway_options{};
    g.registry = reg;
    g.vocab = shared_tiny_model()->params.vocab;
    g.context = shared_tiny_model()->params.context;
    gate = sys.spawn(gateway, g);
  }

  ~fixture() {
    self->send_exit(gate, caf::exit_reason::user_shutdown);
    self->send_exit(reg, caf::exit_reason::user_shutdown);
    for (auto& n : nodes)
      self->send_exit(n, caf::exit_reason::user_shutdown);
  }

  void submit(generate_request r) {
    caf::anon_send(gate, troupe::submit{std::move(r),
                                        caf::actor_cast<client_actor>(self)});
  }

  // Events, until so many requests have ended.
  void listen(size_t until) {
    self->receive_while([&] { return ends.size() < until; })(
        [&](const token_event& e) {
          auto& t = tokens[e.request];
          t.insert(t.end(), e.tokens.begin(), e.tokens.end());
          if (e.request % 3 == 0 && t.size() == 4)
            self->send(gate, cancel_request{e.request});
        },
        [&](const finish_event& e) {
          BOOST_TEST(ends.emplace(e.request, e).second);
        });
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(threads)

BOOST_FIXTURE_TEST_CASE(nodes_on_threads_answer_as_a_plain_loop, fixture) {
  for (uint32_t n = 0; n < 24; ++n)
    submit(varied_request(n));
  listen(24);
  auto whole = 0;
  for (uint32_t n = 0; n < 24; ++n) {
    auto r = varied_request(n);
    auto expected = plain_answer(r);
    auto& got = tokens[r.request];
    BOOST_REQUIRE_LE(got.size(), expected.size());
    BOOST_TEST(std::equal(got.begin(), got.end(), expected.begin()));
    if (ends[r.request].reason == finish_reason::length) {
      BOOST_TEST(got.size() == expected.size());
      ++whole;
    } else {
      BOOST_TEST((ends[r.request].reason == finish_reason::cancelled));
    }
  }
  BOOST_TEST(whole >= 16);
}

BOOST_FIXTURE_TEST_CASE(a_node_dies_among_threads, fixture) {
  for (uint32_t n = 0; n < 12; ++n)
    submit(varied_request(n + 100, 20));
  listen(1);
  self->send_exit(nodes[1], caf::exit_reason::kill); // a decode node
  self->send_exit(nodes[2], caf::exit_reason::kill); // the other's prefill
  listen(12);
  for (auto& [id, e] : ends)
    BOOST_TEST((e.reason == finish_reason::length
                || e.reason == finish_reason::cancelled),
               to_string(e.code) << ": " << e.message);
}

BOOST_AUTO_TEST_SUITE_END()

#else

BOOST_AUTO_TEST_SUITE(threads)

BOOST_AUTO_TEST_CASE(not_under_the_thread_sanitizer) {
  BOOST_TEST_MESSAGE("skipped, see above");
}

BOOST_AUTO_TEST_SUITE_END()

#endif
