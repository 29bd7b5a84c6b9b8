#include "runtime/actors.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>

#include "core/base/random.hpp"
#include "runtime/embedding.hpp"
#include "tests/runtime/tiny_request.hpp"
#include "tests/support/core/temp_dir.hpp"

using namespace troupe;
using testing::request_of;

namespace {

/// What an actor of the host's got.
struct heard {
  std::vector<token_id> tokens;
  std::vector<finish_event> ends;
  error refused;
};

// An actor of the host's: it asks the gateway, and quits a moment after the
// end, so that a second one would be heard.
caf::behavior asker(caf::event_based_actor* self, gateway_actor gateway,
                    generate_request request, std::shared_ptr<heard> to) {
  auto client = caf::actor_cast<client_actor>(caf::actor{self});
  self->request(gateway, std::chrono::seconds{10},
                submit{std::move(request), client})
      .then([](const admitted&) {},
            [=](const caf::error& e) {
              to->refused = from_caf(e);
              self->quit();
            });
  return {
      [=](const token_event& e) {
        to->tokens.insert(to->tokens.end(), e.tokens.begin(), e.tokens.end());
      },
      [=](const finish_event& e) {
        to->ends.push_back(e);
        self->send(self, caf::tick_atom_v);
      },
      [=](caf::tick_atom) { self->quit(); },
  };
}

struct fixture {
  fixture() {
    testing::write_tiny_model(dir.file("tiny.gguf"));
    options.model = dir.file("tiny.gguf");
    options.threads = 1;
    add_message_types(config);
  }

  heard ask(caf::actor_system& system, const gateway_actor& gateway,
            generate_request request) {
    auto all = std::make_shared<heard>();
    auto self = caf::scoped_actor{system};
    self->wait_for(system.spawn(asker, gateway, std::move(request), all));
    return *all;
  }

  testing::temp_dir dir;
  runtime_options options;
  caf::actor_system_config config;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(host_actors, fixture)

BOOST_AUTO_TEST_CASE(an_actor_gets_its_tokens_and_one_end) {
  auto r = request_of(1, 20, 30);
  auto expected = std::vector<token_id>{};
  {
    auto alone = runtime::open(options);
    BOOST_REQUIRE(alone.ok());
    expected = generate(*alone, r)->tokens;
  }
  caf::actor_system system{config};
  auto actors = spawn_runtime(system, options);
  BOOST_REQUIRE_MESSAGE(actors.ok(),
                        (actors.ok() ? "" : actors.failure().message));
  auto all = ask(system, actors->gateway, r);
  BOOST_TEST(!all.refused, all.refused.message);
  BOOST_TEST(all.tokens == expected);
  BOOST_REQUIRE(all.ends.size() == 1u);
  BOOST_TEST((all.ends[0].reason == finish_reason::length));
  // The same runtime, for whoever waits.
  auto waited = generate(actors->alive, r);
  BOOST_REQUIRE(waited.ok());
  BOOST_TEST(waited->tokens == expected);
}

BOOST_AUTO_TEST_CASE(what_cannot_run_is_refused) {
  caf::actor_system system{config};
  auto actors = spawn_runtime(system, options);
  BOOST_REQUIRE(actors.ok());
  auto all = ask(system, actors->gateway, {});
  BOOST_TEST((all.refused.code == errc::invalid_argument));
  BOOST_TEST(all.ends.empty());
}

BOOST_AUTO_TEST_CASE(all_actors_have_interfaces_of_their_own) {
  options.cache.emplace();
  caf::actor_system system{config};
  auto actors = spawn_runtime(system, options);
  BOOST_REQUIRE(actors.ok());
  auto self = caf::scoped_actor{system};
  auto nodes = size_t{0};
  self->request(actors->registry, std::chrono::seconds{10}, status_query{})
      .receive([&](const cluster_status& s) { nodes = s.nodes.size(); },
               [](const caf::error&) {});
  BOOST_TEST(nodes == 1u);
  auto versions = size_t{0};
  self->request(actors->versions, std::chrono::seconds{10}, versions_query{})
      .receive([&](const versions_status& s) { versions = s.versions.size(); },
               [](const caf::error&) {});
  BOOST_TEST(versions == 1u);
  BOOST_TEST(!!actors->cache);
  BOOST_TEST(!!actors->profiler);
  BOOST_TEST(!actors->auditor);
}

BOOST_AUTO_TEST_CASE(they_end_with_it_and_the_host_goes_on) {
  caf::actor_system system{config};
  auto before = system.registry().running();
  auto gateway = gateway_actor{};
  for (auto i = 0; i < 3; ++i) {
    auto actors = spawn_runtime(system, options);
    BOOST_REQUIRE(actors.ok());
    BOOST_TEST(system.registry().running() > before);
    gateway = actors->gateway;
    auto g = actors->alive.submit(request_of(1, 20, 200));
    BOOST_REQUIRE(g.ok());
  }
  // A dead gateway says so.
  auto all = ask(system, gateway, request_of(1, 5, 5));
  BOOST_TEST(!!all.refused);
  // And so does the system at its end, which waits for all actors.
  system.registry().await_running_count_equal(before);
}

BOOST_AUTO_TEST_CASE(a_system_without_its_messages_is_refused) {
  auto bare = caf::actor_system_config{};
  caf::actor_system system{bare};
  auto actors = spawn_runtime(system, options);
  BOOST_REQUIRE(!actors.ok());
  BOOST_TEST((actors.failure().code == errc::invalid_argument));
  BOOST_TEST(actors.failure().message.find("add_message_types")
             != std::string::npos);
}

BOOST_AUTO_TEST_CASE(two_runtimes_share_a_system) {
  caf::actor_system system{config};
  auto first = spawn_runtime(system, options);
  auto second = spawn_runtime(system, options);
  BOOST_REQUIRE(first.ok());
  BOOST_REQUIRE(second.ok());
  auto r = request_of(5, 20, 40);
  auto a = ask(system, first->gateway, r);
  auto b = ask(system, second->gateway, r);
  BOOST_TEST(a.tokens.size() == 40u);
  BOOST_TEST(a.tokens == b.tokens);
}

BOOST_AUTO_TEST_SUITE_END()
