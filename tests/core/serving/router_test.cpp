#include "core/serving/router.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <numeric>

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

BOOST_FIXTURE_TEST_CASE(a_prompt_alone_needs_nobody_who_decodes, fixture) {
  auto place_prompt = [&](request_id request, std::vector<node_id> avoid = {}) {
    return r.place(request, {10, 0}, avoid, 1, {}, true);
  };
  BOOST_TEST(!place_prompt(1).has_value());
  r.join(2, 12, decode);
  BOOST_TEST((place_prompt(1) == route{2, 2})); // there is nobody else
  r.join(1, 11, prefill);
  BOOST_TEST((place_prompt(2) == route{1, 1}));
  r.join(3, 13, mixed);
  BOOST_TEST((place_prompt(3) == route{3, 3})); // has nothing to do
  BOOST_TEST((place_prompt(4, {13}) == route{1, 1}));
  BOOST_TEST((place_prompt(5, {11}) == route{3, 3}));
  r.leave(2);
  r.leave(3);
  BOOST_TEST((place_prompt(6) == route{1, 1}));
  // Nobody else's books were touched.
  r.join(4, 14, decode);
  BOOST_TEST((place(7) == route{1, 4}));
  r.release(6);
  BOOST_TEST(!r.find(6).has_value());
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

// -- prefixes -----------------------------------------------------------------

namespace {

// Two mixed nodes of the same speed, one of which may have a prompt's blocks.
struct two_nodes {
  two_nodes() {
    r.join(1, 11, mixed);
    r.join(2, 12, mixed);
    tell(1, 0);
    tell(2, 0);
  }

  void tell(router::member m, uint64_t prompt_tokens) {
    auto l = node_load{};
    l.prompt_tokens = prompt_tokens;
    l.blocks = l.free_blocks = 10'000;
    l.cost = {1e5, 1e4, 0, 1e4, 0};
    r.told(m, l);
  }

  router::member place(request_id request, std::vector<uint64_t> blocks,
                       uint32_t prompt) {
    auto to = r.place(request, {prompt, 10}, {}, 1, {blocks, 16});
    r.release(request);
    tell(1, 0);
    tell(2, 0);
    return to->prefill;
  }

  router r;
};

} // namespace

BOOST_FIXTURE_TEST_CASE(a_request_goes_where_its_prefix_is, two_nodes) {
  BOOST_TEST(place(1, {7, 8, 9}, 60) == 1u); // the lowest
  tell(1, 100);
  BOOST_TEST(place(2, {17, 18, 19}, 60) == 2u);
  for (auto n = 0; n < 3; ++n) {
    BOOST_TEST(place(3, {17, 18, 20}, 60) == 2u);
    BOOST_TEST(place(4, {7, 8, 9, 10}, 70) == 1u);
  }
  BOOST_TEST(place(5, {27}, 60) == 1u);
  // Not the first block: no prefix.
  BOOST_TEST(place(6, {30, 18, 19}, 60) == 1u);
}

BOOST_FIXTURE_TEST_CASE(unless_it_has_more_to_do_than_that_saves, two_nodes) {
  tell(1, 100);
  BOOST_TEST(place(1, {17, 18, 19}, 60) == 2u);
  tell(2, 30); // less than the 48 that it need not compute
  BOOST_TEST(place(2, {17, 18, 19}, 60) == 2u);
  tell(2, 100);
  BOOST_TEST(place(3, {17, 18, 19}, 60) == 1u);
  // Now both have it.
  tell(1, 20);
  BOOST_TEST(place(4, {17, 18, 19}, 60) == 2u);
  tell(2, 20);
  BOOST_TEST(place(5, {17, 18, 19}, 60) == 1u);
}

BOOST_FIXTURE_TEST_CASE(who_left_has_nothing_any_more, two_nodes) {
  tell(1, 100);
  BOOST_TEST(place(1, {17}, 20) == 2u);
  r.leave(2);
  r.join(3, 12, mixed);
  tell(3, 0);
  BOOST_TEST(place(2, {17}, 20) == 1u);
}

// Nodes that only decode keep no prompts, even where they have to compute them.
BOOST_AUTO_TEST_CASE(who_keeps_no_prompts_is_not_remembered) {
  auto r = router{};
  r.join(1, 11, decode);
  r.join(2, 12, decode);
  auto blocks = std::vector<uint64_t>{7, 8, 9};
  auto place = [&](request_id n) {
    return r.place(n, {60, 10}, {}, 1, {blocks, 16})->prefill;
  };
  BOOST_TEST(place(1) == 1u);
  BOOST_TEST(place(2) == 2u);
}

BOOST_AUTO_TEST_CASE(versions_have_nodes_of_their_own) {
  auto r = router{};
  r.join(1, 11, mixed, 1);
  r.join(2, 12, mixed, 2);
  r.join(3, 13, mixed, 2);
  BOOST_TEST(r.place(1, {10, 10}, {}, 1)->decode == 1u);
  BOOST_TEST(r.place(2, {10, 10}, {}, 2)->decode == 2u);
  BOOST_TEST(!r.place(3, {10, 10}, {}, 3));
  // KV of one is of no use to the other.
  r.move(2, 1);
  BOOST_TEST(r.find(2)->decode == 2u);
  r.move(2, 3);
  BOOST_TEST(r.find(2)->decode == 3u);
}

// -- many nodes ---------------------------------------------------------------

namespace {

struct many : fixture {
  static constexpr auto nodes = uint32_t{200};
  std::map<node_id, uint32_t> requests;

  many() {
    for (auto i = 1u; i <= nodes; ++i)
      r.join(i, i, mixed);
  }

  node_id put(request_id request, std::vector<node_id> avoid = {}) {
    auto where = place(request, std::move(avoid));
    BOOST_REQUIRE(where);
    auto node = static_cast<node_id>(where->decode);
    ++requests[node];
    return node;
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(two_choices_balance_many_nodes, many) {
  for (auto i = 1u; i <= 50 * nodes; ++i)
    put(i);
  BOOST_TEST(requests.size() == nodes);
  for (auto& [node, n] : requests) {
    BOOST_TEST(n >= 44u);
    BOOST_TEST(n <= 54u);
  }
}

BOOST_FIXTURE_TEST_CASE(the_same_request_is_drawn_for_alike, many) {
  auto other = many{};
  for (auto i = 1u; i <= 500; ++i)
    BOOST_TEST(put(i) == other.put(i));
}

BOOST_FIXTURE_TEST_CASE(of_many_those_with_room_are_found, many) {
  auto full = node_load{};
  full.blocks = 100;
  for (auto i = 1u; i <= nodes; ++i)
    if (i != 77)
      r.told(i, full);
  for (auto i = 1u; i <= 20; ++i)
    BOOST_TEST(put(i) == 77u);
}

BOOST_FIXTURE_TEST_CASE(of_many_those_not_avoided_are_found, many) {
  auto all = std::vector<node_id>{};
  for (auto i = 1u; i <= nodes; ++i)
    if (i != 33)
      all.push_back(i);
  BOOST_TEST(put(1, all) == 33u);
  all.push_back(33);
  put(2, all); // there is no other
}

BOOST_FIXTURE_TEST_CASE(of_many_those_with_the_prefix_are_compared, many) {
  auto blocks = std::vector<uint64_t>(60);
  std::iota(blocks.begin(), blocks.end(), 1000);
  auto put_prompt = [&](request_id request) {
    auto where = r.place(request, {1000, 10}, {}, 1, {blocks, 16});
    return where->decode;
  };
  auto first = put_prompt(1);
  r.release(1);
  for (auto i = 2u; i <= 30; ++i) {
    BOOST_TEST(put_prompt(i) == first);
    r.release(i);
  }
}

BOOST_FIXTURE_TEST_CASE(many_that_leave_get_nothing_more, many) {
  for (auto i = 1u; i <= nodes; ++i)
    if (i % 7 != 0)
      r.leave(i);
  for (auto i = 1u; i <= 200; ++i)
    BOOST_TEST(put(i) % 7 == 0u);
  BOOST_TEST(requests.size() == nodes / 7);
}

BOOST_AUTO_TEST_SUITE_END()
