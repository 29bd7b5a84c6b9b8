// Registry and nodes, in worlds where everything goes wrong.

#include <boost/test/unit_test.hpp>

#include <algorithm>

#include "tests/support/core/cluster_world.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

// Whether a broken rule shows, in a schedule or two of many.
bool noticed(cluster_bug bug) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    auto o = run_cluster(seed, bug);
    if (!o.violation.empty()) {
      BOOST_TEST_MESSAGE(o.violation);
      return true;
    }
  }
  return false;
}

} // namespace

BOOST_AUTO_TEST_SUITE(cluster_world)

BOOST_AUTO_TEST_CASE(all_rules_hold_whatever_fails) {
  constexpr auto count = uint64_t{2000};
  auto sum = cluster_outcome{};
  for (uint64_t seed = 0; seed < count; ++seed) {
    auto o = run_cluster(seed);
    BOOST_REQUIRE_MESSAGE(o.violation.empty(), o.violation);
    sum.joined += o.joined;
    sum.silent += o.silent;
    sum.died += o.died;
    sum.replaced += o.replaced;
    sum.recovered += o.recovered;
    sum.left += o.left;
    sum.cut_off += o.cut_off;
    sum.restarts += o.restarts;
    sum.settled = std::max(sum.settled, o.settled);
  }
  BOOST_TEST_MESSAGE(
      count << " schedules: " << sum.joined << " joined, " << sum.silent
            << " silent, " << sum.died << " died, " << sum.replaced
            << " replaced, " << sum.recovered << " recovered, " << sum.left
            << " left, " << sum.cut_off << " cut off, " << sum.restarts
            << " restarts; settled within " << to_ms(sum.settled) << " ms");
  // All of it happened.
  BOOST_TEST(sum.silent > count);
  BOOST_TEST(sum.died > count);
  BOOST_TEST(sum.replaced > count / 4);
  BOOST_TEST(sum.recovered > count / 4);
  BOOST_TEST(sum.left > count / 4);
  BOOST_TEST(sum.cut_off > count);
  BOOST_TEST(sum.restarts > count);
}

// A check that passes whatever happens would pass here as well.
BOOST_AUTO_TEST_CASE(broken_rules_are_noticed) {
  BOOST_TEST(noticed(cluster_bug::forgets_lives));
  BOOST_TEST(noticed(cluster_bug::long_lease));
  BOOST_TEST(noticed(cluster_bug::any_epoch));
  BOOST_TEST(noticed(cluster_bug::keeps_incarnation));
  BOOST_TEST(noticed(cluster_bug::no_expiry));
  BOOST_TEST(noticed(cluster_bug::joins_blindly));
  BOOST_TEST(noticed(cluster_bug::loses_orders));
}

BOOST_AUTO_TEST_SUITE_END()
