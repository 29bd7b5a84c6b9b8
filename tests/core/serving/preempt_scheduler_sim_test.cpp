#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <limits>
#include <memory>

#include "core/base/random.hpp"
#include "core/serving/preempt_scheduler.hpp"
#include "core/serving/schedule_history.hpp"
#include "tests/support/core/simulated_node.hpp"

// The scheduler on a simulated node with virtual time: what it gains on a trace
// of real arrivals and lengths, and that no stream of arrivals, however
// adverse, holds a sequence up for longer than docs/serving.md says.

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr auto second = int64_t{1'000'000'000};

using requests = std::vector<sim_request>;

// Predicted tokens to go of an entry.
using predictor = std::function<uint32_t(const schedule_entry&)>;

// First come, first served; `spare` blocks are left to those who run.
simulated_node::scheduler fcfs(uint32_t spare) {
  return [=](const schedule_view& v) {
    auto p = schedule_plan{v.number, {}, {}};
    auto all = v.entries;
    std::sort(all.begin(), all.end(), [](auto& a, auto& b) {
      return std::tie(a.arrival_ns, a.seq) < std::tie(b.arrival_ns, b.seq);
    });
    auto rows = int64_t{v.max_rows};
    for (auto& e : all)
      rows -= e.blocks > 0;
    auto room = int64_t{v.free_blocks};
    if (rows < v.max_rows)
      room -= spare;
    for (auto& e : all) {
      if (e.blocks > 0)
        continue;
      room -= e.blocks_to_start;
      if (--rows < 0 || room < 0)
        break;
      p.order.push_back(e.seq);
    }
    return p;
  };
}

// The scheduler under test, as its actor runs it.
simulated_node::scheduler srpt(schedule_policy policy, predictor predict,
                               std::function<void(finished_length)> learn = {}) {
  struct state {
    swap_cost cost;
    schedule_history history;
  };
  return [=, s = std::make_shared<state>()](const schedule_view& seen) {
    auto v = seen;
    s->cost.swapped(v.swapped_bytes, v.swap_ns);
    s->cost.prefilled(v.prefilled_tokens, v.prefill_ns);
    if (learn)
      for (auto& f : v.finished)
        learn(f);
    s->history.complete(v, s->cost);
    for (auto& e : v.entries)
      e.remaining = predict(e);
    return plan_schedule(v, policy, s->cost);
  };
}

// -- the trace ----------------------------------------------------------------

// A processor with much more compute than memory: steps of 25 ms whatever runs
// in them, so that blocks are what is short.
sim_machine accelerator() {
  auto m = sim_machine{};
  m.step_ns = 25'000'000;
  m.row_ns = 100'000;
  m.token_ns = 50'000;
  return m;
}

struct comparison {
  sim_outcome whole;     // FCFS, blocks for the longest answer from the start
  sim_outcome on_demand; // FCFS, the youngest computed again if blocks run out
  sim_outcome known;     // SRPT that knows all lengths
  sim_outcome blind;     // SRPT that takes all answers for equally long
  schedule_policy policy;
  sim_machine machine;
  requests trace;
};

comparison compare(sim_machine machine) {
  auto c = comparison{};
  c.trace = read_trace(TROUPE_SOURCE_DIR "/tests/data/traces/azure_conv_2023.csv", 1, 256);
  // First come, first served sees every step, as it would in the node.
  auto first_come = machine;
  first_come.view_every = 1;
  first_come.max_rows = 1000;
  auto unlimited = simulated_node{first_come, c.trace, fcfs(0)}.run();
  machine.capacity = unlimited.peak_blocks / 4;
  for (auto& r : c.trace)
    machine.capacity =
        std::max(machine.capacity, machine.blocks_for(r.prompt + r.max_tokens));
  first_come.capacity = machine.capacity;
  first_come.max_rows = machine.max_rows;
  c.on_demand = simulated_node{first_come, c.trace, fcfs(1)}.run();
  first_come.reserve_whole = true;
  c.whole = simulated_node{first_come, c.trace, fcfs(0)}.run();
  c.machine = machine;
  auto known = [&](const schedule_entry& e) {
    return c.trace[e.seq - 1].length - e.generated;
  };
  c.known = simulated_node{machine, c.trace, srpt(c.policy, known)}.run();
  auto blind = [](const schedule_entry&) { return 64u; };
  c.blind = simulated_node{machine, c.trace, srpt(c.policy, blind)}.run();
  return c;
}

void report(const char* name, const sim_outcome& o) {
  BOOST_TEST_MESSAGE(name << ": mean " << o.mean_seconds << " s, worst "
                          << o.worst_seconds << " s, " << o.tokens_per_second
                          << " tokens/s, " << o.swaps << " swaps, "
                          << o.recomputes << " recomputes, "
                          << o.most_preemptions << " at most of one, "
                          << o.emergencies << " emergencies");
}

} // namespace
