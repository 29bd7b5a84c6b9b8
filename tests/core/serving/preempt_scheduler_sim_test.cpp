#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <limits>
#include <memory>

#include "core/base/random.hpp"
#include "core/serving/learning_scheduler.hpp"
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

// The scheduler under test, as its actor runs it, but that it may be told
// how much remains.
simulated_node::scheduler srpt(schedule_policy policy, predictor predict = {}) {
  auto s = std::make_shared<learning_scheduler>(policy);
  return [=](schedule_view v) {
    s->learn(v);
    if (predict)
      for (auto& e : v.entries)
        e.remaining = predict(e);
    return s->plan(std::move(v));
  };
}

// -- the bound ----------------------------------------------------------------

// Alone, from its start, at the pace of the fullest steps.
int64_t alone_ns(const sim_request& r, const sim_machine& m) {
  auto chunk = std::max(m.chunk - m.max_rows, m.block_tokens);
  auto prefill = (r.prompt + r.length + chunk - 1) / chunk;
  return int64_t{prefill + r.length} * m.longest_step_ns();
}

// From a view to the end of what its plan begins: the link may be busy with
// the pool's way out and in, and has as much to do once more.
int64_t turn_ns(const sim_machine& m) {
  auto pool = static_cast<double>(m.capacity * m.block_bytes);
  return (m.view_every + 2) * m.longest_step_ns()
         + static_cast<int64_t>(4 * pool * m.copy_ns_per_byte);
}

// When each must have ended, by what preempt_scheduler.hpp promises.
std::vector<int64_t> bounds(const requests& all, const sim_outcome& o,
                            const sim_machine& m, int64_t patience) {
  auto out = std::vector<int64_t>{};
  for (auto& r : all) {
    auto due = r.arrival_ns + patience;
    auto bound = due;
    for (size_t j = 0; j < all.size(); ++j) {
      auto before = std::tie(all[j].arrival_ns, j);
      auto i = out.size();
      if (before <= std::tie(r.arrival_ns, i) && (j == i || o.end_ns[j] > due))
        bound += alone_ns(all[j], m) + turn_ns(m);
    }
    out.push_back(bound);
  }
  return out;
}

size_t late(const requests& all, const sim_outcome& o, const sim_machine& m,
            int64_t patience) {
  auto must = bounds(all, o, m, patience);
  auto n = size_t{0};
  for (size_t i = 0; i < all.size(); ++i)
    n += o.end_ns[i] > must[i];
  return n;
}

// A node that is easily overrun. All its steps take as long, so that the bound
// is not far off.
sim_machine small_machine() {
  auto m = sim_machine{};
  m.step_ns = 20'000'000;
  m.row_ns = m.token_ns = 0;
  m.capacity = 48;
  m.max_rows = 8;
  m.chunk = 64;
  return m;
}

// Short ones without a pause, more than the node can serve, and among them a
// long one, of the lowest class, that anybody else could be preferred to and
// that only fits if most others are gone.
requests flood() {
  auto all = requests{};
  for (auto i = 0; i < 400; ++i)
    all.push_back({i * second / 20, 100, 40, 256, 0});
  all.push_back({second, 500, 200, 256, 7});
  return all;
}

// Bursts of arrivals of any length and class.
requests storm(uint64_t seed) {
  auto n = uint64_t{0};
  auto draw = [&](uint64_t below) {
    return static_cast<uint32_t>(random_bits(seed, n++) % below);
  };
  auto all = requests{};
  auto now = int64_t{0};
  auto rate = 1 + draw(20);
  for (auto i = 0; i < 150; ++i) {
    if (draw(10) == 0)
      now += int64_t{draw(4)} * second;
    now += draw(4) == 0 ? 0 : draw(2 * second / rate);
    auto length = 1 + draw(draw(5) == 0 ? 250 : 50);
    auto prompt = 1 + draw(draw(5) == 0 ? 500 : 100);
    all.push_back({now, prompt, length, 256, static_cast<uint8_t>(draw(3))});
  }
  return all;
}

// Predicts anything, another thing each time.
predictor nonsense(uint64_t seed) {
  return [=, n = uint64_t{0}](const schedule_entry&) mutable {
    return static_cast<uint32_t>(1 + random_bits(seed, n++) % 300);
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
  sim_outcome predicted; // SRPT that learns lengths from those that finished
  schedule_policy policy;
  sim_machine machine;
  requests trace;
};

comparison compare(sim_machine machine) {
  auto c = comparison{};
  c.trace = read_trace(
      TROUPE_SOURCE_DIR "/tests/data/traces/azure_conv_2023.csv", 1, 256);
  auto first_come = machine;
  first_come.at_once = true;
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
  c.predicted = simulated_node{machine, c.trace, srpt(c.policy)}.run();
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

BOOST_AUTO_TEST_SUITE(preempt_scheduler_sim)

// -- starvation ---------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_flood_holds_nobody_up_beyond_the_bound) {
  auto all = flood();
  auto m = small_machine();
  auto known = [&](const schedule_entry& e) {
    return all[e.seq - 1].length - e.generated;
  };
  auto policy = schedule_policy{};
  policy.patience_ns = 10 * second;
  auto o = simulated_node{m, all, srpt(policy, known)}.run();
  BOOST_TEST(late(all, o, m, policy.patience_ns) == 0u);
  // Without aging the long one waits for the end of the flood.
  policy.patience_ns = std::numeric_limits<int64_t>::max();
  o = simulated_node{m, all, srpt(policy, known)}.run();
  auto must = bounds(all, o, m, 10 * second);
  BOOST_TEST(o.end_ns.back() > must.back());
  BOOST_TEST(o.end_ns.back() == *std::ranges::max_element(o.end_ns));
}

// Whatever comes and whatever is predicted, with a store and without one.
BOOST_AUTO_TEST_CASE(no_storm_holds_anybody_up_beyond_the_bound) {
  auto preempted = 0u;
  auto due = size_t{0};
  for (uint64_t seed = 0; seed < 100; ++seed) {
    auto all = storm(seed);
    auto m = small_machine();
    m.store = seed % 3 != 0;
    m.view_every = 1 + seed % 5;
    auto policy = schedule_policy{};
    policy.patience_ns = (1 + static_cast<int64_t>(seed % 7)) * second;
    auto o = simulated_node{m, all, srpt(policy, nonsense(seed))}.run();
    BOOST_REQUIRE_EQUAL(late(all, o, m, policy.patience_ns), 0u);
    preempted += o.swaps + o.recomputes;
    for (size_t i = 0; i < all.size(); ++i)
      due += o.end_ns[i] > all[i].arrival_ns + policy.patience_ns;
  }
  BOOST_TEST(preempted > 1000u);
  BOOST_TEST(due > 500u);
}

// -- what it gains ------------------------------------------------------------

namespace {

// So many times as soon as if blocks are given as they are needed, in order of
// arrival; no less done, and nobody beyond the bound.
void check(const comparison& c, double times_known, double times_predicted) {
  report("first come, whole", c.whole);
  report("first come, on demand", c.on_demand);
  report("lengths known", c.known);
  report("lengths predicted", c.predicted);
  auto mean = c.on_demand.mean_seconds;
  BOOST_TEST(c.known.mean_seconds * times_known < mean);
  BOOST_TEST(c.predicted.mean_seconds * times_predicted < mean);
  for (auto* o : {&c.known, &c.predicted}) {
    BOOST_TEST(o->tokens_per_second > 0.95 * c.whole.tokens_per_second);
    BOOST_TEST(o->tokens_per_second > 0.95 * c.on_demand.tokens_per_second);
    BOOST_TEST(late(c.trace, *o, c.machine, c.policy.patience_ns) == 0u);
  }
}

} // namespace

BOOST_AUTO_TEST_CASE(with_blocks_for_a_quarter_answers_come_sooner) {
  auto c = compare(accelerator());
  check(c, 2, 1.4);
  BOOST_TEST(c.known.mean_seconds * 2 < c.whole.mean_seconds);
  BOOST_TEST(c.predicted.mean_seconds * 2 < c.whole.mean_seconds);
}

// Where compute is short, order is what helps: of prompts above all.
BOOST_AUTO_TEST_CASE(so_they_do_where_compute_is_short) {
  check(compare(sim_machine{}), 1.5, 1.5);
}

BOOST_AUTO_TEST_SUITE_END()
