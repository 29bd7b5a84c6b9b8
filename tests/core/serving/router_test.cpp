#include "core/serving/router.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using enum node_role;

namespace {

using route = router::route;

struct fixture {
  router r;

  std::optional<route> place(request_id request,
                             std::vector<node_id> avoid = {}) {
    return r.place(request, {10, 10}, avoid);
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(router_suite)

BOOST_FIXTURE_TEST_CASE(somebody_has_to_generate, fixture) {
  BOOST_TEST(!place(1).has_value());
  r.join(1, 11, prefill);
  BOOST_TEST(!place(1).has_value());
  BOOST_TEST(!r.find(1).has_value());
  r.join(2, 12, decode);
  BOOST_TEST((place(1) == route{1, 2}));
  r.leave(1);
  BOOST_TEST((place(2) == route{2, 2}));
  r.leave(2);
  BOOST_TEST(!place(3).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_mixed_node_wins_a_tie_with_a_pair, fixture) {
  r.join(1, 11, prefill);
  r.join(2, 12, decode);
  r.join(3, 13, mixed);
  BOOST_TEST((place(1) == route{3, 3}));
  BOOST_TEST((place(2) == route{1, 2}));
  BOOST_TEST((place(3, {13}) == route{1, 2}));
  BOOST_TEST((place(4, {11}) == route{3, 3}));
}

// The numbers of members do not decide, those of nodes do.
BOOST_FIXTURE_TEST_CASE(ties_go_to_the_lowest_node, fixture) {
  r.join(1, 12, mixed);
  r.join(2, 11, mixed);
  BOOST_TEST((place(1) == route{2, 2}));
  BOOST_TEST((place(2) == route{1, 1}));
}

BOOST_FIXTURE_TEST_CASE(a_request_has_one_route, fixture) {
  r.join(1, 11, mixed);
  r.join(2, 12, mixed);
  place(1);
  BOOST_TEST((place(1) == route{1, 1}));
  BOOST_TEST((place(2) == route{2, 2}));
  r.release(1);
  r.release(1);
  BOOST_TEST(!r.find(1).has_value());
  BOOST_TEST((place(3) == route{1, 1}));
}

BOOST_FIXTURE_TEST_CASE(moves_load_the_other_node, fixture) {
  r.join(1, 11, mixed);
  r.join(2, 12, mixed);
  place(1);
  r.move(1, 2);
  BOOST_TEST((r.find(1) == route{2, 2}));
  BOOST_TEST((place(2) == route{1, 1}));
  r.move(1, 99); // nobody
  r.move(99, 1); // nothing
  BOOST_TEST((r.find(1) == route{2, 2}));
  BOOST_TEST(!r.find(99).has_value());
}

// What ran on a former life of a node does not lighten the next.
BOOST_FIXTURE_TEST_CASE(a_node_that_joins_again_starts_afresh, fixture) {
  r.join(1, 11, mixed);
  place(1);
  r.leave(1);
  r.join(2, 11, mixed);
  r.join(3, 12, mixed);
  BOOST_TEST((place(2) == route{2, 2}));
  r.release(1);
  BOOST_TEST((place(3) == route{3, 3}));
  BOOST_TEST((r.find(2) == route{2, 2}));
}

BOOST_FIXTURE_TEST_CASE(what_strangers_tell_is_lost, fixture) {
  r.told(7, {});
  r.join(1, 11, mixed);
  BOOST_TEST((place(1) == route{1, 1}));
}

BOOST_AUTO_TEST_SUITE_END()
