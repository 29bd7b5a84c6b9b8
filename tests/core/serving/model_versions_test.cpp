#include "core/serving/model_versions.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/base/random.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using enum version_role;
using action = version_action;
using task_list = std::vector<version_task>;

namespace {

constexpr auto t0 = time_point{} + 24h;

struct fixture {
  version_options options;
  std::optional<model_versions> made;
  uint64_t keys = 0;

  model_versions& m() {
    if (!made)
      made.emplace(options);
    return *made;
  }
  version_id ready(const char* name, uint64_t bytes = 1) {
    auto v = m().load(name, bytes, t0);
    m().loaded(*v, t0);
    m().warmed(*v, t0);
    return *v;
  }
  // An active version and a canary.
  void rollout(double share = 0.5) {
    BOOST_TEST(m().activate(ready("a"), t0, "first").ok());
    BOOST_TEST(m().start_canary(ready("b"), share, 1, t0).ok());
    m().take_tasks();
    m().take_events();
  }
  auto request() { return m().route(std::to_string(keys++)); }
  // A request of that version.
  model_versions::ticket request_of(version_id v) {
    for (;;) {
      auto t = *request();
      if (t.version == v)
        return t;
      m().complete(t, std::nullopt, t0);
    }
  }
  const version_status* status(version_id v) {
    static auto all = std::vector<version_status>{};
    all = m().versions();
    auto i = std::ranges::find(all, v, &version_status::id);
    return i == all.end() ? nullptr : &*i;
  }
  std::vector<version_event> events() {
    auto all = std::vector<version_event>{};
    for (auto& e : m().take_events())
      all.push_back(e.what);
    return all;
  }
};

constexpr auto fine = request_outcome{false, 100ms, 10ms, false};
constexpr auto failed = request_outcome{true, {}, {}, false};

} // namespace

BOOST_AUTO_TEST_SUITE(model_versions_suite)

// -- loading ------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_version_is_loaded_warmed_and_made_active, fixture) {
  BOOST_TEST(!request().has_value());
  auto v = *m().load("a", 1, t0);
  BOOST_TEST((m().take_tasks() == task_list{{action::load, v}}));
  BOOST_TEST(!m().activate(v, t0, "").ok());
  m().warmed(v, t0); // not yet its turn
  m().loaded(v, t0);
  m().loaded(v, t0);
  BOOST_TEST((m().take_tasks() == task_list{{action::warm, v}}));
  BOOST_TEST(!m().activate(v, t0, "").ok());
  m().warmed(v, t0);
  BOOST_TEST(!request().has_value());
  BOOST_TEST(m().activate(v, t0, "first").ok());
  BOOST_TEST(request()->version == v);
  using enum version_event;
  BOOST_TEST((events()
              == std::vector{loading, loaded, version_event::ready, promoted}));
}

BOOST_FIXTURE_TEST_CASE(memory_is_a_budget, fixture) {
  options.memory_budget = 100;
  auto a = ready("a", 60);
  BOOST_TEST((m().load("b", 41, t0).failure().code == errc::overloaded));
  auto b = *m().load("b", 40, t0);
  BOOST_TEST((m().load("c", 1, t0).failure().code == errc::overloaded));
  BOOST_TEST(
      (m().load("c", ~uint64_t{0}, t0).failure().code == errc::overloaded));
  m().loaded(b, t0, "no such file");
  BOOST_TEST(!m().load("c", 40, t0).ok()); // until it is said to be gone
  m().unloaded(b, t0);
  BOOST_TEST(m().load("c", 40, t0).ok());
  m().unloaded(a, t0); // nobody asked for that
  BOOST_TEST(status(a) != nullptr);
}

BOOST_FIXTURE_TEST_CASE(names_are_those_of_one_version, fixture) {
  auto bad = errc::invalid_argument;
  auto v = *m().load("a", 1, t0);
  BOOST_TEST((m().load("a", 1, t0).failure().code == bad));
  BOOST_TEST((m().load("", 1, t0).failure().code == bad));
  BOOST_TEST((m().load(std::string(257, 'x'), 1, t0).failure().code == bad));
  BOOST_TEST(m().remove(v, t0).ok());
  auto again = *m().load("a", 1, t0);
  BOOST_TEST(again != v);
  for (auto i = 0; i < 100; ++i)
    (void)m().load("v" + std::to_string(i), 1, t0);
  BOOST_TEST(m().versions().size() == model_versions::most_versions);
}

BOOST_FIXTURE_TEST_CASE(what_is_given_up_while_it_loads, fixture) {
  auto v = *m().load("a", 1, t0);
  m().take_tasks();
  BOOST_TEST(m().remove(v, t0).ok());
  BOOST_TEST(m().take_tasks().empty()); // not while it loads
  m().loaded(v, t0);
  BOOST_TEST((m().take_tasks() == task_list{{action::unload, v}}));
  m().loaded(v, t0);
  m().warmed(v, t0);
  BOOST_TEST(m().take_tasks().empty());
  m().unloaded(v, t0);
  BOOST_TEST(m().versions().empty());
}

// -- who gets which -----------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(keys_stay_and_a_larger_share_only_adds, fixture) {
  rollout(0.1);
  auto split = [&] {
    auto all = std::vector<bool>{};
    for (auto i = 0; i < 10'000; ++i) {
      auto t = *m().route("user-" + std::to_string(i));
      all.push_back(t.version == m().canary());
      m().complete(t, std::nullopt, t0);
    }
    return all;
  };
  auto first = split();
  BOOST_TEST((split() == first));
  auto n = std::ranges::count(first, true);
  BOOST_TEST(n > 900);
  BOOST_TEST(n < 1100);
  BOOST_TEST(m().set_share(0.3).ok());
  auto second = split();
  for (size_t i = 0; i < first.size(); ++i)
    BOOST_REQUIRE((!first[i] || second[i]));
  n = std::ranges::count(second, true);
  BOOST_TEST(n > 2800);
  BOOST_TEST(n < 3200);
}

BOOST_FIXTURE_TEST_CASE(another_seed_chooses_other_keys, fixture) {
  rollout(0.5);
  auto before = std::vector<bool>{};
  for (auto i = 0; i < 1000; ++i)
    before.push_back(m().route(std::to_string(i))->version == m().canary());
  BOOST_TEST(m().roll_back(t0, "").ok());
  BOOST_TEST(m().start_canary(ready("c"), 0.5, 2, t0).ok());
  auto same = 0;
  for (auto i = 0; i < 1000; ++i)
    same +=
        before[i] == (m().route(std::to_string(i))->version == m().canary());
  BOOST_TEST(same > 400);
  BOOST_TEST(same < 600);
}

BOOST_FIXTURE_TEST_CASE(shares_are_above_0_and_below_1, fixture) {
  BOOST_TEST(!m().set_share(0.5).ok());
  BOOST_TEST(m().activate(ready("a"), t0, "").ok());
  auto b = ready("b");
  for (auto share : {0., 1., -1., 2., 1e-300, std::nan(""), HUGE_VAL})
    BOOST_TEST(!m().start_canary(b, share, 1, t0).ok());
  BOOST_TEST((status(b)->role == standby));
  BOOST_TEST(m().start_canary(b, 0.999, 1, t0).ok());
  BOOST_TEST(!m().set_share(1).ok());
  BOOST_TEST(!m().start_canary(ready("c"), 0.5, 1, t0).ok());
}

BOOST_FIXTURE_TEST_CASE(a_canary_needs_an_active_version, fixture) {
  BOOST_TEST(!m().start_canary(ready("a"), 0.5, 1, t0).ok());
  BOOST_TEST(!m().promote(t0, "").ok());
  BOOST_TEST(!m().roll_back(t0, "").ok());
  BOOST_TEST(!m().activate(77, t0, "").ok());
}

// -- promotion and its opposite -----------------------------------------------

BOOST_FIXTURE_TEST_CASE(requests_finish_on_their_version, fixture) {
  rollout();
  auto a = m().active();
  auto b = m().canary();
  auto old = request_of(a);
  auto fresh = request_of(b);
  BOOST_TEST(m().promote(t0, "by hand").ok());
  BOOST_TEST(m().active() == b);
  BOOST_TEST(m().canary() == 0u);
  for (auto i = 0; i < 100; ++i) {
    auto t = *request();
    BOOST_TEST(t.version == b);
    m().complete(t, fine, t0);
  }
  BOOST_TEST(m().take_tasks().empty());
  BOOST_TEST((status(a)->role == leaving));
  BOOST_TEST(m().complete(old, fine, t0));
  BOOST_TEST(!m().complete(old, fine, t0));
  BOOST_TEST((m().take_tasks() == task_list{{action::unload, a}}));
  m().unloaded(a, t0);
  BOOST_TEST(status(a) == nullptr);
  BOOST_TEST(m().complete(fresh, fine, t0));
  BOOST_TEST(status(b)->under_way == 0u);
}

BOOST_FIXTURE_TEST_CASE(the_former_version_may_stay, fixture) {
  options.keep_previous = true;
  rollout();
  auto a = m().active();
  BOOST_TEST(m().promote(t0, "").ok());
  BOOST_TEST(m().take_tasks().empty());
  BOOST_TEST((status(a)->role == standby));
  BOOST_TEST(m().activate(a, t0, "back").ok());
  BOOST_TEST(request()->version == a);
}

BOOST_FIXTURE_TEST_CASE(a_failing_canary_goes_by_itself, fixture) {
  rollout();
  auto a = m().active();
  auto b = m().canary();
  auto held = request_of(b);
  auto n = 0;
  while (m().canary() == b && n < 100) {
    auto next = request_of(b);
    m().complete(held, failed, t0);
    held = next;
    ++n;
  }
  BOOST_TEST(n <= 10);
  BOOST_TEST(m().active() == a);
  BOOST_TEST((status(b)->role == leaving));
  auto all = m().take_events();
  BOOST_TEST(all.size() == 1u);
  BOOST_TEST((all[0].what == version_event::rolled_back));
  BOOST_TEST(all[0].why.starts_with("failures: "));
  for (auto i = 0; i < 100; ++i)
    BOOST_TEST(request()->version == a);
  m().complete(held, failed, t0);
  BOOST_TEST((m().take_tasks() == task_list{{action::unload, b}}));
}

BOOST_FIXTURE_TEST_CASE(by_hand_only_if_so_configured, fixture) {
  options.automatic = false;
  rollout();
  auto b = m().canary();
  for (auto i = 0; i < 100; ++i)
    m().complete(request_of(b), failed, t0);
  BOOST_TEST(m().canary() == b);
  BOOST_TEST(m().evidence().worse());
  BOOST_TEST(m().roll_back(t0, "by hand").ok());
  BOOST_TEST(m().canary() == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_client_whose_requests_always_fail_counts_once,
                        fixture) {
  rollout();
  auto b = m().canary();
  auto key = std::string{};
  for (auto i = 0;; ++i) {
    key = "user-" + std::to_string(i);
    auto t = *m().route(key);
    m().complete(t, std::nullopt, t0);
    if (t.version == b)
      break;
  }
  for (auto i = 0; i < 1000; ++i) {
    m().complete(*m().route(key), failed, t0);
    m().complete(*m().route(key), fine, t0);
  }
  BOOST_TEST(m().canary() == b);
  BOOST_TEST(m().evidence().canary_failures() == 1u);
  BOOST_TEST(m().evidence().canary_requests() == 2u);
}

BOOST_FIXTURE_TEST_CASE(without_data_nothing_is_decided, fixture) {
  rollout();
  auto b = m().canary();
  for (auto i = 0; i < 10'000; ++i)
    m().tick(t0 + i * 1min);
  for (auto i = 0; i < 1000; ++i) // cancelled by clients
    m().complete(*request(), std::nullopt, t0);
  m().tick(t0 + 10'000min);
  BOOST_TEST(m().canary() == b);
  BOOST_TEST(m().evidence().canary_requests() == 0u);
}

// All answers are cut off, those of a canary that has little to do first.
BOOST_FIXTURE_TEST_CASE(who_ends_first_is_no_evidence, fixture) {
  constexpr auto cut = request_outcome{false, 100ms, 10ms, true};
  rollout(0.25);
  for (auto round = 0; round < 20; ++round) {
    auto all = std::vector<model_versions::ticket>{};
    for (auto i = 0; i < 100; ++i)
      all.push_back(*request());
    for (auto canary : {true, false})
      for (auto& t : all)
        if ((t.version == m().canary()) == canary)
          m().complete(t, cut, t0);
    BOOST_REQUIRE(m().canary() != 0);
  }
  BOOST_TEST(m().evidence().against() < 5);
  BOOST_TEST(m().evidence().canary_requests()
                 + m().evidence().baseline_requests()
             == 2000u);
}

BOOST_FIXTURE_TEST_CASE(who_came_before_is_waited_for, fixture) {
  rollout();
  auto first = *request();
  auto weighed = [&] {
    return m().evidence().canary_requests()
           + m().evidence().baseline_requests();
  };
  for (auto i = 0; i < 10; ++i)
    m().complete(*request(), fine, t0);
  BOOST_TEST(weighed() == 0u);
  m().complete(first, std::nullopt, t0);
  BOOST_TEST(weighed() == 10u);
  // But not for ever.
  first = *request();
  for (size_t i = 0; i < model_versions::most_waiting + 5; ++i)
    m().complete(*request(), fine, t0);
  BOOST_TEST(weighed() == 15 + model_versions::most_waiting);
  BOOST_TEST(m().complete(first, fine, t0));
  BOOST_TEST(weighed() == 15 + model_versions::most_waiting);
}

BOOST_FIXTURE_TEST_CASE(no_promotion_before_the_least_time, fixture) {
  options.least_time = 60s;
  rollout();
  auto b = m().canary();
  for (auto i = 0u; i < 5000; ++i) {
    auto ns = static_cast<int64_t>(1e6 * (1 + random_unit(2, i)));
    m().complete(*request(),
                 request_outcome{false, duration{ns}, duration{ns}, false}, t0);
  }
  m().tick(t0 + 59s);
  BOOST_TEST(m().canary() == b);
  m().tick(t0 + 60s);
  BOOST_TEST(m().active() == b);
}

// Requests that began before the rollout, or in a former one, say nothing.
BOOST_FIXTURE_TEST_CASE(only_requests_of_the_rollout_count, fixture) {
  rollout();
  auto b = m().canary();
  auto of_former = std::vector<model_versions::ticket>{};
  for (auto i = 0; i < 50; ++i)
    of_former.push_back(request_of(b));
  BOOST_TEST(m().roll_back(t0, "").ok());
  auto before = *request();
  BOOST_TEST(m().start_canary(ready("c"), 0.5, 1, t0).ok());
  for (auto& t : of_former)
    m().complete(t, failed, t0);
  m().complete(before, failed, t0);
  BOOST_TEST(m().evidence().canary_requests() == 0u);
  BOOST_TEST(m().evidence().baseline_requests() == 0u);
}

// -- writing and reading ------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_rollout_goes_on_after_a_restart, fixture) {
  options.least_time = 100s;
  BOOST_TEST(m().activate(ready("a"), t0, "first").ok());
  BOOST_TEST(m().start_canary(ready("b % c\n\xff"), 0.5, 9, t0).ok());
  ready("standby");
  auto going = *m().load("going", 1, t0);
  BOOST_TEST(m().remove(going, t0).ok());
  auto a = m().active();
  auto b = m().canary();
  for (auto i = 0u; i < 300; ++i) {
    auto ns = static_cast<int64_t>(1e6 * (1 + random_unit(1, i)));
    m().complete(
        *request(),
        request_outcome{i % 50 == 0, duration{ns}, duration{ns}, false}, t0);
  }
  auto text = m().save(t0 + 70s);
  auto later = time_point{} + 1s; // another clock
  auto again = model_versions::restore(text, options, later);
  BOOST_REQUIRE(again.ok());
  BOOST_TEST(again->save(later) == text);
  BOOST_TEST(again->evidence().against() == m().evidence().against());
  BOOST_TEST(again->versions().size() == 3u);
  BOOST_TEST(again->versions()[1].name == "b % c\n\xff");
  BOOST_TEST(again->take_tasks().size() == 3u);
  // The canary is loaded first: nobody gets it in place of the active one.
  again->loaded(b, later);
  again->warmed(b, later);
  BOOST_TEST(!again->route("x").has_value());
  again->loaded(a, later);
  again->warmed(a, later);
  for (auto i = 0; i < 300; ++i) {
    auto key = std::to_string(i);
    BOOST_REQUIRE(again->route(key)->version == m().route(key)->version);
  }
  for (auto i = 0; i < 3000; ++i) {
    auto ns = static_cast<int64_t>(1e6 * (1 + random_unit(5, i)));
    auto t = *again->route("r" + std::to_string(i));
    again->complete(
        t, request_outcome{false, duration{ns}, duration{ns}, false}, later);
  }
  again->tick(later + 29s);
  BOOST_TEST(again->canary() == b);
  again->tick(later + 30s);
  BOOST_TEST(again->active() == b);
  auto next = again->load("new", 1, later);
  BOOST_TEST(*next == going + 1); // ids are not given out again
}

BOOST_FIXTURE_TEST_CASE(a_canary_that_cannot_be_loaded_again, fixture) {
  rollout();
  auto a = m().active();
  auto b = m().canary();
  auto again = *model_versions::restore(m().save(t0), options, t0);
  again.loaded(a, t0);
  again.warmed(a, t0);
  again.loaded(b, t0, "file is gone");
  BOOST_TEST(again.canary() == 0u);
  BOOST_TEST(again.route("x")->version == a);
}

BOOST_FIXTURE_TEST_CASE(an_empty_state, fixture) {
  auto again = model_versions::restore(m().save(t0), options, t0);
  BOOST_TEST(again.ok());
  BOOST_TEST(again->versions().empty());
}

BOOST_FIXTURE_TEST_CASE(damaged_states_are_refused, fixture) {
  rollout();
  ready("c");
  auto text = m().save(t0);
  auto refused = [&](const std::string& t) {
    auto r = model_versions::restore(t, options, t0);
    return !r.ok() && r.failure().code == errc::bad_file
           && r.failure().message.find('\n') == std::string::npos;
  };
  BOOST_TEST(!refused(text));
  for (size_t n = 0; n < text.size(); ++n)
    // A whole line less is a state with fewer versions.
    BOOST_TEST((refused(text.substr(0, n)) || text[n - 1] == '\n'));
  auto with = [&](std::string_view from, std::string_view to) {
    auto t = text;
    auto at = t.find(from);
    BOOST_REQUIRE(at != std::string::npos);
    return t.replace(at, from.size(), to);
  };
  BOOST_TEST(refused(with("versions 1", "versions 2")));
  BOOST_TEST(refused(with("active a", "canary a")));
  BOOST_TEST(refused(with("canary b", "active b")));
  BOOST_TEST(refused(with("active a", "standby a")));
  BOOST_TEST(refused(with("active a", "leaving a")));
  BOOST_TEST(refused(with("active a", "nothing a")));
  BOOST_TEST(refused(with("standby c", "standby a")));
  BOOST_TEST(refused(with("standby c", "standby %4")));
  BOOST_TEST(refused(with("standby c", "standby %zz")));
  BOOST_TEST(refused(with("standby c", "standby ")));
  BOOST_TEST(refused(with("version 3", "version 2")));
  BOOST_TEST(refused(with("version 3", "version 4")));
  BOOST_TEST(refused(with("last 3", "last 2")));
  BOOST_TEST(refused(with("1 0.5 0", "1 1 0")));
  BOOST_TEST(refused(with("1 0.5 0", "1 nan 0")));
  BOOST_TEST(refused(with("evidence 0", "evidence inf")));
  BOOST_TEST(refused(with("evidence 0", "evidence 1e300")));
  BOOST_TEST(refused(text + "version 3 1 standby d"));
  BOOST_TEST(refused(text + "\n"));
  BOOST_TEST(refused(std::string(1 << 17, 'x')));
  BOOST_TEST(refused(with("standby c", "standby " + std::string(257, 'c'))));
}

BOOST_AUTO_TEST_SUITE_END()
