#include "runtime/clients.hpp"

#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include "actors/protocol/add_message_types.hpp"
#include "tests/support/core/comes.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

struct config : caf::actor_system_config {
  config() { troupe::add_message_types(*this); }
};

// Ends each request at once.
caf::behavior short_gateway(caf::event_based_actor* self, int) {
  return {
      [=](const submit& m) {
        auto e = finish_event{};
        e.request = m.request.request;
        self->send(m.client, std::move(e));
        return admitted{m.request.request};
      },
  };
}

struct fixture {
  config cfg;
  caf::actor_system sys{cfg};
  caf::scoped_actor self{sys};
  gateway_actor gate =
      caf::actor_cast<gateway_actor>(sys.spawn(short_gateway, 0));

  ~fixture() { caf::anon_send_exit(gate, caf::exit_reason::user_shutdown); }

  // Once it has ended, nothing refers to its memory but `of`.
  bool is_forgotten(client_actor client) {
    auto of = client.address();
    self->wait_for(client);
    client = nullptr;
    auto* block = caf::actor_cast<caf::actor_control_block*>(of);
    // The clock's thread lets go of it last, whenever that gets to run.
    return testing::comes([&] { return block->weak_refs == 1; });
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(clients)

BOOST_FIXTURE_TEST_CASE(who_calls_back_leaves_nothing_behind, fixture) {
  auto events = std::atomic<int>{0};
  auto on_event = [&](event_queue::event) { ++events; };
  BOOST_TEST(is_forgotten(
      sys.spawn(callback_client, gate, generate_request{}, on_event)));
  BOOST_TEST(events == 1);
}

BOOST_FIXTURE_TEST_CASE(who_is_sent_away_leaves_nothing_either, fixture) {
  auto queue = std::make_shared<event_queue>(time_point{});
  auto client = sys.spawn(queue_client, gate, request_id{1}, queue);
  caf::anon_send_exit(client, caf::exit_reason::user_shutdown);
  BOOST_TEST(is_forgotten(std::move(client)));
}

BOOST_FIXTURE_TEST_CASE(who_has_a_queue_leaves_nothing_behind, fixture) {
  auto queue = std::make_shared<event_queue>(time_point{});
  auto client = sys.spawn(queue_client, gate, request_id{1}, queue);
  self->send(client, finish_event{});
  BOOST_TEST(is_forgotten(std::move(client)));
  BOOST_TEST(queue->ended());
}

BOOST_FIXTURE_TEST_CASE(a_gateway_that_dies_is_an_end, fixture) {
  auto queue = std::make_shared<event_queue>(time_point{});
  auto client = sys.spawn(queue_client, gate, request_id{1}, queue);
  self->send_exit(gate, caf::exit_reason::kill);
  self->wait_for(client);
  auto e = queue->pop();
  BOOST_REQUIRE(e.has_value());
  BOOST_TEST((std::get<finish_event>(*e).code == errc::abandoned));
}

BOOST_AUTO_TEST_SUITE_END()
