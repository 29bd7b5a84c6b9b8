#include "core/serving/schedule_history.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using boost::test_tools::tolerance;
using enum schedule_phase;

namespace {

// A node whose views tell of few sequences.
struct fixture {
  schedule_history history;
  swap_cost cost;
  int64_t now = 0;

  schedule_view view;

  // Time passes, and the sequences are seen in these phases.
  const std::vector<schedule_entry>&
  see(std::vector<std::pair<seq_id, schedule_phase>> all,
      uint32_t generated = 0) {
    now += 100'000'000;
    view = {};
    view.now_ns = now;
    for (auto& [seq, phase] : all) {
      auto e = schedule_entry{};
      e.seq = seq;
      e.phase = phase;
      e.generated = generated;
      view.entries.push_back(e);
    }
    history.complete(view, cost);
    return view.entries;
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(schedule_history_suite)

BOOST_FIXTURE_TEST_CASE(preemptions_and_resumptions_are_counted, fixture) {
  BOOST_TEST(see({{1, waiting}})[0].preemptions == 0u);
  auto started = see({{1, running}})[0];
  BOOST_TEST(started.resumed_ns == now);
  BOOST_TEST(see({{1, running}})[0].resumed_ns == started.resumed_ns);
  BOOST_TEST(see({{1, moving}})[0].preemptions == 1u);
  BOOST_TEST(see({{1, swapped}})[0].preemptions == 1u);
  BOOST_TEST(see({{1, moving}})[0].preemptions == 1u);
  auto resumed = see({{1, running}})[0];
  BOOST_TEST(resumed.preemptions == 1u);
  BOOST_TEST(resumed.resumed_ns == now);
  BOOST_TEST(see({{1, waiting}})[0].preemptions == 2u); // by recompute
  BOOST_TEST(see({{1, running}})[0].preemptions == 2u);
}

BOOST_FIXTURE_TEST_CASE(whoever_moves_goes_where_it_was_not, fixture) {
  see({{1, running}, {2, swapped}});
  auto out_and_in = see({{1, moving}, {2, moving}, {3, moving}});
  BOOST_TEST(out_and_in[0].leaving);
  BOOST_TEST(!out_and_in[1].leaving);
  BOOST_TEST(!out_and_in[2].leaving); // from another node
  out_and_in = see({{1, moving}, {2, moving}, {3, running}});
  BOOST_TEST(out_and_in[0].leaving);
  BOOST_TEST(!out_and_in[1].leaving);
  BOOST_TEST(!out_and_in[2].leaving);
}

BOOST_FIXTURE_TEST_CASE(the_gone_are_forgotten, fixture) {
  see({{1, running}, {2, running}});
  see({{1, waiting}, {2, running}});
  BOOST_TEST(history.size() == 2u);
  see({{2, running}});
  BOOST_TEST(history.size() == 1u);
  BOOST_TEST(see({{1, running}, {2, running}})[0].preemptions == 0u);
}

// A view each 100 ms, 20 tokens between any two.
BOOST_FIXTURE_TEST_CASE(the_pace_of_steps_is_that_of_the_fastest, fixture) {
  auto before = cost.decode_ns(1);
  for (uint32_t n = 0; n < 4000; n += 20)
    see({{1, running}, {2, waiting}}, n);
  BOOST_TEST(before == 20e6, tolerance(1e-3));
  BOOST_TEST(cost.decode_ns(1) == 5e6, tolerance(1e-3));
  // A pause in which nobody decodes tells nothing.
  for (auto i = 0; i < 100; ++i)
    see({{1, waiting}}, 4000);
  BOOST_TEST(cost.decode_ns(1) == 5e6, tolerance(1e-3));
}

BOOST_AUTO_TEST_SUITE_END()
