#include "runtime/clients.hpp"

#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include "actors/error.hpp"
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

// Never says anything but that it has the request.
caf::behavior silent_gateway(caf::event_based_actor*, int) {
  return {
      [](const submit& m) { return admitted{m.request.request}; },
  };
}

// The same; it knows whose they are for as long as it lives.
caf::behavior
knowing_gateway(caf::stateful_actor<std::vector<client_actor>>* self, int) {
  return {
      [self](const submit& m) {
        self->state.push_back(m.client);
        return admitted{m.request.request};
      },
  };
}

caf::behavior full_gateway(caf::event_based_actor*, int) {
  return {
      [](const submit&) -> caf::result<admitted> {
        return to_caf({errc::overloaded, "there is no room"});
      },
  };
}

struct fixture {
  config cfg;
  caf::actor_system sys{cfg};
  caf::scoped_actor self{sys};
  gateway_actor gate =
      caf::actor_cast<gateway_actor>(sys.spawn(short_gateway, 0));

  gateway_actor silent =
      caf::actor_cast<gateway_actor>(sys.spawn(silent_gateway, 0));
  gateway_actor full =
      caf::actor_cast<gateway_actor>(sys.spawn(full_gateway, 0));
  std::shared_ptr<event_queue> queue =
      std::make_shared<event_queue>(time_point{});
  std::weak_ptr<void> alive;

  ~fixture() {
    for (auto& g : {gate, silent, full})
      caf::anon_send_exit(g, caf::exit_reason::user_shutdown);
  }

  client_actor ask(const gateway_actor& whom) {
    auto r = generate_request{};
    r.request = 7;
    auto token = std::shared_ptr<void>{std::make_shared<int>(0)};
    alive = token;
    return queue_client::spawn(sys, nullptr, whom, std::move(r), queue,
                               std::move(token));
  }

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
  BOOST_TEST(is_forgotten(sys.spawn(callback_client, gate, generate_request{},
                                    on_event, std::shared_ptr<void>{})));
  BOOST_TEST(events == 1);
}

BOOST_FIXTURE_TEST_CASE(who_is_sent_away_leaves_nothing_either, fixture) {
  auto client = ask(silent);
  BOOST_TEST(queue->answer().ok());
  BOOST_TEST(!queue->ended());
  caf::anon_send_exit(client, caf::exit_reason::user_shutdown);
  BOOST_TEST(is_forgotten(std::move(client)));
  BOOST_TEST(alive.expired());
  BOOST_TEST(queue->ended());
}

BOOST_FIXTURE_TEST_CASE(who_has_a_queue_leaves_nothing_behind, fixture) {
  BOOST_TEST(is_forgotten(ask(gate)));
  BOOST_TEST(alive.expired());
  BOOST_TEST(queue->ended());
  auto admitted = queue->answer();
  BOOST_REQUIRE(admitted.ok());
  BOOST_TEST(*admitted == 7u);
}

BOOST_FIXTURE_TEST_CASE(what_comes_late_or_twice_is_not_heard, fixture) {
  auto client = ask(silent);
  auto token = token_event{};
  token.tokens = {5};
  for (auto i = 0; i < 2; ++i) {
    self->send(client, token);
    self->send(client, finish_event{});
  }
  self->send(client, token);
  BOOST_TEST((std::holds_alternative<token_event>(queue->pop().value())));
  BOOST_TEST((std::holds_alternative<finish_event>(queue->pop().value())));
  BOOST_TEST(!queue->pop().has_value());
  BOOST_TEST(is_forgotten(std::move(client)));
}

BOOST_FIXTURE_TEST_CASE(who_is_refused_hears_why, fixture) {
  auto client = ask(full);
  auto admitted = queue->answer();
  BOOST_REQUIRE(!admitted.ok());
  BOOST_TEST((admitted.failure().code == errc::overloaded));
  BOOST_TEST(is_forgotten(std::move(client)));
  BOOST_TEST(queue->ended());
}

BOOST_FIXTURE_TEST_CASE(a_gateway_that_dies_is_an_end, fixture) {
  auto gateway = sys.spawn(knowing_gateway, 0);
  ask(caf::actor_cast<gateway_actor>(gateway));
  BOOST_TEST(queue->answer().ok());
  BOOST_TEST(!queue->ended());
  self->send_exit(gateway, caf::exit_reason::kill);
  auto e = queue->pop();
  BOOST_REQUIRE(e.has_value());
  BOOST_TEST((std::get<finish_event>(*e).code == errc::abandoned));
}

BOOST_FIXTURE_TEST_CASE(so_is_one_that_was_gone_before, fixture) {
  self->send_exit(silent, caf::exit_reason::kill);
  self->wait_for(silent);
  auto client = ask(silent);
  BOOST_TEST(!queue->answer().ok());
  self->wait_for(client);
  BOOST_TEST(queue->ended());
}

BOOST_AUTO_TEST_SUITE_END()
