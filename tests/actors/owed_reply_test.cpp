#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include "actors/owed_reply.hpp"
#include "tests/support/actors/sim_system.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

using debtor_actor =
    caf::typed_actor<caf::replies_to<status_query>::with<node_status>>;

using debt = std::shared_ptr<std::optional<owed_reply<node_status>>>;

// Keeps its answer in `owed` for the test to deal with.
debtor_actor::behavior_type debtor(debtor_actor::pointer self, debt owed) {
  return {
      [=](const status_query&) -> caf::result<node_status> {
        auto promise = self->make_response_promise<node_status>();
        owed->emplace(promise);
        return promise;
      },
  };
}

struct fixture {
  sim_system sim;
  debt owed = std::make_shared<std::optional<owed_reply<node_status>>>();
  debtor_actor who = sim.spawn(debtor, owed);
  caf::scoped_actor self{sim.sys};
  int answers = 0;
  error failure;

  // Asks, lets `settle` deal with the debt, and takes the answer.
  template <class F>
  void ask(F settle) {
    auto pending = self->request(who, caf::infinite, status_query{});
    sim.run();
    BOOST_REQUIRE(owed->has_value());
    BOOST_TEST(!self->has_next_message());
    settle();
    sim.run();
    pending.receive([&](const node_status& s) { answers += s.node; },
                    [&](const caf::error& e) { failure = from_caf(e); });
    BOOST_TEST(!self->has_next_message());
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(owed_reply_suite)

BOOST_FIXTURE_TEST_CASE(a_delivered_answer_arrives_once, fixture) {
  ask([&] {
    auto s = node_status{};
    s.node = 3;
    (*owed)->deliver(s);
    (*owed)->deliver(s);
    (*owed)->fail({errc::timeout, "too late"});
    owed->reset();
  });
  BOOST_TEST(answers == 3);
  BOOST_TEST(!failure);
}

BOOST_FIXTURE_TEST_CASE(a_dropped_answer_is_abandoned, fixture) {
  ask([&] { owed->reset(); });
  BOOST_TEST((failure.code == errc::abandoned));
}

BOOST_FIXTURE_TEST_CASE(an_error_keeps_code_and_sentence, fixture) {
  ask([&] { (*owed)->fail({errc::overloaded, "come back later"}); });
  BOOST_TEST((failure.code == errc::overloaded));
  BOOST_TEST(failure.message == "come back later");
}

BOOST_FIXTURE_TEST_CASE(a_moved_debt_is_owed_once, fixture) {
  ask([&] {
    auto elsewhere = std::move(**owed);
    owed->reset();
    auto s = node_status{};
    s.node = 1;
    elsewhere.deliver(s);
  });
  BOOST_TEST(answers == 1);
}

BOOST_FIXTURE_TEST_CASE(the_death_of_the_debtor_leaves_the_debt, fixture) {
  ask([&] {
    sim.kill(who);
    sim.run();
    owed->reset();
  });
  BOOST_TEST((failure.code == errc::abandoned));
}

BOOST_AUTO_TEST_CASE(errors_of_caf_become_ours) {
  BOOST_TEST((from_caf(caf::error{}).code == errc::none));
  BOOST_TEST((from_caf(caf::make_error(caf::sec::request_timeout)).code
              == errc::timeout));
  BOOST_TEST((from_caf(caf::make_error(caf::sec::request_receiver_down)).code
              == errc::abandoned));
  BOOST_TEST((from_caf(to_caf({errc::bad_file, "x: y"})).message == "x: y"));
}

BOOST_AUTO_TEST_SUITE_END()
