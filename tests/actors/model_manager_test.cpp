#include <boost/test/unit_test.hpp>

#include <caf/all.hpp>

#include "actors/error.hpp"
#include "actors/gateway.hpp"
#include "actors/model_manager.hpp"
#include "core/base/random.hpp"
#include "tests/support/actors/fakes.hpp"
#include "tests/support/actors/sim_system.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto start = time_point{} + 1h;

/// What the host was told; it does all of it at once, unless told otherwise.
struct host_log {
  std::vector<version_order> orders;
  std::vector<std::string> states;
  std::string failure; ///< of the next load
  bool works = true;
};

version_host_actor::behavior_type fake_host(version_host_actor::pointer self,
                                            std::shared_ptr<host_log> log) {
  return {
      [=](const version_order& m) {
        log->orders.push_back(m);
        if (!log->works)
          return;
        auto failure = m.what == version_action::load
                           ? std::exchange(log->failure, {})
                           : std::string{};
        self->send(caf::actor_cast<model_manager_actor>(self->current_sender()),
                   version_report{m.what, m.version, std::move(failure)});
      },
      [=](const keep_versions& m) { log->states.push_back(m.state); },
  };
}

model_versions one_version(const version_options& options = {}) {
  auto m = model_versions{options};
  auto v = *m.load("one", 1, start, "one.gguf");
  m.loaded(v, start);
  m.warmed(v, start);
  BOOST_REQUIRE(m.activate(v, start, "").ok());
  m.take_tasks();
  return m;
}

/// Each answers as a test says: nodes by version, so that a version can fail.
struct fixture {
  sim_system sim;
  std::shared_ptr<host_log> hosted = std::make_shared<host_log>();
  std::shared_ptr<client_log> heard = std::make_shared<client_log>();
  std::shared_ptr<node_log> nodes[3] = {nullptr, std::make_shared<node_log>(),
                                        std::make_shared<node_log>()};
  std::shared_ptr<registry_script> script = std::make_shared<registry_script>();
  client_actor client = sim.spawn(fake_client, heard);
  decode_actor mixed[3];
  version_host_actor host = sim.spawn(fake_host, hosted);
  registry_actor reg = sim.spawn(fake_registry, script);
  model_manager_actor manager;
  gateway_actor gate;

  explicit fixture(const version_options& options = {}) {
    for (auto v : {1, 2})
      mixed[v] = sim.spawn(fake_decode, nodes[v]);
    script->place = [this](const place_request& m) {
      return placement{m.version, mixed[m.version], m.version, {}};
    };
    auto m = model_manager_options{};
    m.desk = std::make_shared<version_desk>(one_version(options));
    m.host = host;
    m.seed = 7;
    manager = sim.spawn(model_manager, std::move(m));
    auto g = gateway_options{};
    g.registry = reg;
    g.vocab = 300;
    g.context = 64;
    g.session.versions = manager;
    g.session.max_placements = 1;
    gate = sim.spawn(gateway, g);
    sim.run();
  }

  version_id load(const std::string& name) {
    return sim.ask<version_started>(gate, load_version{name, name + ".gguf", 1})
        .version;
  }

  versions_status command(version_command c) {
    return sim.ask<versions_status>(gate, std::move(c));
  }

  versions_status status() {
    return sim.ask<versions_status>(gate, versions_query{});
  }

  std::optional<version_info> info(const versions_status& s, version_id v) {
    for (auto& i : s.versions)
      if (i.version == v)
        return i;
    return std::nullopt;
  }

  generate_request request() {
    auto r = generate_request{};
    r.prompt = {10, 11, 12};
    r.max_tokens = 2;
    return r;
  }

  request_id begin(generate_request r) {
    auto id = sim.ask<admitted>(gate, submit{std::move(r), client}).request;
    sim.run();
    return id;
  }

  // Whose node has the request.
  version_id at(request_id id) const {
    for (auto v : {1u, 2u})
      for (auto& job : nodes[v]->jobs)
        if (job.spec.request == id)
          return v;
    return 0;
  }

  const prefill_job& job(request_id id) const {
    for (auto& job : nodes[at(id)]->jobs)
      if (job.spec.request == id)
        return job;
    throw std::logic_error{"no node has the request"};
  }

  void answer(request_id id, bool well) {
    auto& j = job(id);
    if (well)
      emit(j, output_for(j, 0, {20, 21}, finish_reason::stop));
    else
      emit(j, output_for(j, 0, {}, finish_reason::error, errc::io_error));
    sim.run();
  }

  // A tenth of a second of requests, one: fails if `bad` draws so.
  bool serve(uint64_t n, double bad_of_second) {
    auto id = begin(request());
    auto v = at(id);
    sim.advance(20ms);
    auto u = static_cast<double>(random_bits(99, n) >> 11) * 0x1p-53;
    auto well = v != 2 || u >= bad_of_second;
    answer(id, well);
    auto& e = heard->end(id);
    BOOST_TEST(e.version == v);
    BOOST_TEST((e.reason == finish_reason::error) == !well);
    for (auto& log : nodes)
      if (log)
        log->jobs.clear();
    heard->answers.clear();
    sim.advance(80ms);
    sim.run();
    return well;
  }
};

auto rollout(version_id v, double share) {
  return version_command{version_command::kind::canary, v, share, {}};
}

} // namespace

BOOST_AUTO_TEST_SUITE(model_manager_suite)

BOOST_FIXTURE_TEST_CASE(requests_are_on_the_active_version, fixture) {
  auto id = begin(request());
  BOOST_TEST(at(id) == 1u);
  BOOST_TEST(info(status(), 1)->under_way == 1u);
  answer(id, true);
  BOOST_TEST(info(status(), 1)->under_way == 0u);
  BOOST_TEST(heard->end(id).version == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_version_is_loaded_warmed_and_promoted, fixture) {
  auto two = load("two");
  BOOST_TEST(two == 2u);
  BOOST_REQUIRE(hosted->orders.size() == 2u);
  BOOST_TEST((hosted->orders[0].what == version_action::load));
  BOOST_TEST(hosted->orders[0].path == "two.gguf");
  BOOST_TEST((hosted->orders[1].what == version_action::warm));
  auto before = begin(request());
  command(rollout(two, 0.5));
  auto s = command({version_command::kind::promote, 0, 0, "by hand"});
  BOOST_TEST(s.active == two);
  // Whoever began on the first one ends there, and only then does it go.
  auto after = begin(request());
  BOOST_TEST(at(before) == 1u);
  BOOST_TEST(at(after) == 2u);
  BOOST_TEST(hosted->orders.size() == 2u);
  answer(before, true);
  BOOST_TEST((heard->end(before).reason == finish_reason::stop));
  BOOST_REQUIRE(hosted->orders.size() == 3u);
  BOOST_TEST((hosted->orders[2].what == version_action::unload));
  BOOST_TEST(!info(status(), 1));
  answer(after, true);
  BOOST_TEST(heard->end(after).version == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_version_that_does_not_load_is_said_to, fixture) {
  hosted->failure = "two.gguf: wrong magic";
  auto two = load("two");
  auto s = status();
  BOOST_TEST(!info(s, two));
  auto said = false;
  for (auto& n : s.notes)
    said |= n.what == version_event::failed && n.why == "two.gguf: wrong magic";
  BOOST_TEST(said);
}

BOOST_FIXTURE_TEST_CASE(a_session_stays_on_its_version, fixture) {
  command(rollout(load("two"), 0.5));
  auto seen = std::map<std::string, version_id>{};
  auto of_second = 0;
  for (auto n = 0; n < 60; ++n) {
    auto r = request();
    r.session = "s" + std::to_string(n % 20);
    auto id = begin(r);
    auto [i, first] = seen.emplace(r.session, at(id));
    BOOST_TEST(i->second == at(id));
    of_second += first && at(id) == 2 ? 1 : 0;
    answer(id, true);
  }
  BOOST_TEST(of_second > 3);
  BOOST_TEST(of_second < 17);
  // The same name in another organisation is another session.
  auto others = std::set<version_id>{};
  for (auto n = 0; n < 20; ++n) {
    auto r = request();
    r.session = "s0";
    r.organisation = "o" + std::to_string(n);
    auto id = begin(r);
    others.insert(at(id));
    answer(id, true);
  }
  BOOST_TEST(others.size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_request_may_name_its_version, fixture) {
  auto two = load("two");
  auto r = request();
  r.version = two;
  auto id = begin(r);
  BOOST_TEST(at(id) == two);
  BOOST_TEST(info(status(), two)->under_way == 0u); // it is not counted
  answer(id, true);
}

BOOST_FIXTURE_TEST_CASE(sessions_that_die_or_are_cancelled_are_no_evidence,
                        fixture) {
  auto two = load("two");
  command(rollout(two, 0.5));
  for (auto n = 0; n < 20; ++n) {
    auto id = begin(request());
    caf::anon_send(gate, cancel_request{id});
    sim.run();
  }
  auto s = status();
  for (auto& v : s.versions)
    BOOST_TEST(v.under_way == 0u);
  BOOST_TEST(s.evidence.starts_with("0 of 0 failed"), s.evidence);
  // Cancelled before the manager has answered.
  auto self = caf::scoped_actor{sim.sys};
  auto r = request();
  r.request = 30;
  self->send(gate, submit{r, client});
  for (auto i = 0; i < 3; ++i)
    sim.step();
  caf::anon_send(gate, cancel_request{30});
  sim.run();
  auto last = status();
  for (auto& v : last.versions)
    BOOST_TEST(v.under_way == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_bad_canary_is_rolled_back_by_itself, fixture) {
  auto two = load("two");
  command(rollout(two, 0.2));
  auto bad = 0;
  auto seconds = 0.0;
  auto n = uint64_t{0};
  for (; n < 6000 && status().canary == two; ++n, seconds += 0.1)
    bad += serve(n, 0.05) ? 0 : 1;
  BOOST_TEST(status().canary == 0u);
  BOOST_TEST(status().active == 1u);
  BOOST_TEST(seconds < 300);
  BOOST_TEST_MESSAGE("rolled back after " << seconds << " s and " << bad
                                          << " bad requests");
  BOOST_TEST(bad <= 20);
  // Nothing but its own failures failed, and nothing fails from now on.
  for (auto i = 0; i < 50; ++i)
    BOOST_TEST(serve(n + i, 0.05));
  BOOST_TEST((hosted->orders.back().what == version_action::unload));
}

BOOST_FIXTURE_TEST_CASE(an_equal_canary_is_promoted_by_itself, fixture) {
  auto two = load("two");
  command(rollout(two, 0.2));
  auto n = uint64_t{0};
  for (; n < 6000 && status().canary == two; ++n)
    BOOST_TEST(serve(n, 0));
  BOOST_TEST(status().active == two);
  BOOST_TEST_MESSAGE("promoted after " << n / 10 << " s");
  for (auto i = 0; i < 20; ++i)
    BOOST_TEST(serve(n + i, 0));
}

BOOST_FIXTURE_TEST_CASE(the_state_outlives_the_process, fixture) {
  auto two = load("two");
  command(rollout(two, 0.25));
  for (uint64_t n = 0; n < 150; ++n) // 15 s: evidence is kept now and then
    serve(n, 0);
  BOOST_REQUIRE(!hosted->states.empty());
  auto again = model_versions::restore(hosted->states.back(), {}, start);
  BOOST_REQUIRE(again.ok());
  BOOST_TEST(again->active() == 1u);
  BOOST_TEST(again->canary() == two);
  BOOST_TEST(again->share() == 0.25);
  BOOST_TEST(again->versions()[1].source == "two.gguf");
  BOOST_TEST(again->evidence().canary_requests() > 5u);
}

BOOST_FIXTURE_TEST_CASE(nobody_fails_by_a_swap, fixture) {
  auto open = std::vector<request_id>{};
  auto wrong = 0;
  for (auto round = 0; round < 6; ++round) {
    auto name = "v" + std::to_string(round);
    // The same two nodes stand for all versions.
    script->place = [this](const place_request& m) {
      auto v = m.version % 2 + 1;
      return placement{v, mixed[v], v, {}};
    };
    auto next = load(name);
    for (auto i = 0; i < 10; ++i)
      open.push_back(begin(request()));
    command(rollout(next, 0.3));
    for (auto i = 0; i < 10; ++i)
      open.push_back(begin(request()));
    command({round % 2 == 0 ? version_command::kind::promote
                            : version_command::kind::roll_back,
             0, 0, "test"});
    for (auto i = 0; i < 10; ++i)
      open.push_back(begin(request()));
    for (auto id : open) {
      answer(id, true);
      wrong += heard->end(id).reason == finish_reason::stop ? 0 : 1;
    }
    open.clear();
  }
  BOOST_TEST(wrong == 0);
  auto last = status();
  for (auto& v : last.versions)
    BOOST_TEST(v.under_way == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
