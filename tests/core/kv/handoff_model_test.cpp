// Everything that moves KV, in worlds where everything goes wrong.

#include <boost/test/unit_test.hpp>

#include <algorithm>

#include "tests/support/core/handoff_model.hpp"

using namespace troupe::testing;

namespace {

// What a person wants to see of a schedule that broke an invariant: its last
// events, without those that changed nothing.
std::string told(model_options opts) {
  constexpr auto most = size_t{150};
  opts.trace = true;
  auto o = run_model(opts);
  auto lines = std::vector<std::string>{};
  for (auto& line : o.trace) {
    if (!lines.empty() && lines.back().starts_with("step of ")
        && !line.starts_with("  "))
      lines.pop_back();
    lines.push_back(std::move(line));
  }
  auto all = o.violation + "; seed " + std::to_string(opts.seed);
  for (auto i = lines.size() - std::min(lines.size(), most); i < lines.size();
       ++i)
    all += "\n" + lines[i];
  return all;
}

// Runs schedules; all must hold, and enough must happen in them.
void hold(uint64_t count, bool damage, bool kills) {
  auto sum = model_outcome{};
  for (uint64_t seed = 0; seed < count; ++seed) {
    auto opts = model_options{seed, damage, kills};
    auto o = run_model(opts);
    if (!o.violation.empty()) {
      BOOST_ERROR(told(opts));
      return;
    }
    sum.messages += o.messages;
    sum.steps += o.steps;
    sum.prefilled += o.prefilled;
    sum.migrated += o.migrated;
    sum.stored += o.stored;
    sum.resumed += o.resumed;
    sum.recomputed += o.recomputed;
    sum.compacted += o.compacted;
    sum.killed += o.killed;
    sum.placed_again += o.placed_again;
    sum.cancelled += o.cancelled;
    sum.finished += o.finished;
  }
  BOOST_TEST_MESSAGE(
      count << " schedules: " << sum.messages << " messages, " << sum.steps
            << " steps, " << sum.prefilled << " prefilled, " << sum.migrated
            << " migrated, " << sum.stored << " stored, " << sum.resumed
            << " resumed, " << sum.recomputed << " recomputed, "
            << sum.compacted << " compacted, " << sum.killed << " killed, "
            << sum.placed_again << " placed again, " << sum.cancelled
            << " cancelled, " << sum.finished << " finished");
  auto some = count / 4;
  BOOST_TEST(sum.migrated > some);
  BOOST_TEST(sum.stored > some);
  BOOST_TEST(sum.resumed > some);
  BOOST_TEST(sum.recomputed > some);
  BOOST_TEST(sum.compacted > some);
  BOOST_TEST(sum.cancelled > some);
  BOOST_TEST(sum.finished > count);
  if (kills)
    BOOST_TEST(sum.killed > some);
}

// Whether a broken rule shows, in a schedule or two of many.
bool noticed(model_bug bug) {
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    auto o = run_model({seed, true, true, bug, false});
    if (!o.violation.empty()) {
      BOOST_TEST_MESSAGE("seed " << seed << ": " << o.violation);
      return true;
    }
  }
  return false;
}

} // namespace

BOOST_AUTO_TEST_SUITE(kv_handoff_model)

BOOST_AUTO_TEST_CASE(loss_repetition_and_reordering) {
  hold(3000, false, false);
}

BOOST_AUTO_TEST_CASE(damage) {
  hold(3000, true, false);
}

BOOST_AUTO_TEST_CASE(deaths_and_drains) {
  hold(3000, false, true);
}

BOOST_AUTO_TEST_CASE(everything_at_once) {
  hold(6000, true, true);
}

// A check that passes whatever happens would pass here as well.
BOOST_AUTO_TEST_CASE(broken_rules_are_noticed) {
  BOOST_TEST(noticed(model_bug::no_fence));
  BOOST_TEST(noticed(model_bug::any_epoch));
  BOOST_TEST(noticed(model_bug::frees_at_commit));
  BOOST_TEST(noticed(model_bug::keeps_after_silence));
  BOOST_TEST(noticed(model_bug::copies_open_block));
  BOOST_TEST(noticed(model_bug::store_keeps));
  BOOST_TEST(noticed(model_bug::no_cancel));
}

BOOST_AUTO_TEST_SUITE_END()
