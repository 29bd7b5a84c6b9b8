#include "core/serving/route.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "core/base/random.hpp"

using namespace troupe;

namespace {

using worker = route_table::worker;
using ticket = route_table::ticket;

struct fixture {
  route_table t;
  std::vector<worker> workers;
  uint64_t draws = 0;

  void join(int n, uint32_t capacity) {
    for (auto i = 0; i < n; ++i)
      workers.push_back(t.join(capacity));
  }
  std::optional<ticket> choose(const route_request& r = {100, 100}) {
    return t.choose(r, random_bits(1, draws++));
  }
  // The worker of many requests, if it is always the same one; each ends at
  // once.
  worker always(const route_request& r) {
    auto all = std::set<worker>{};
    for (auto i = 0; i < 50; ++i) {
      auto x = choose(r);
      all.insert(x ? x->at : 0);
      if (x)
        t.complete(*x);
    }
    return all.size() == 1 ? *all.begin() : 0;
  }
  // So many tokens to do.
  ticket load(worker w, uint32_t tokens) {
    for (auto other : workers)
      t.drain(other, other != w);
    auto x = *choose({tokens, 0});
    for (auto other : workers)
      t.drain(other, false);
    return x;
  }
};

std::vector<uint64_t> blocks(size_t n, token_id first = 0) {
  auto tokens = std::vector<token_id>(n * 16, first);
  return prefix_chain("tenant", tokens, 16);
}

} // namespace

BOOST_AUTO_TEST_SUITE(route_suite)

// -- capacity -----------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(nobody_is_chosen_of_none, fixture) {
  BOOST_TEST(!choose().has_value());
  join(1, 0);
  BOOST_TEST(!choose().has_value());
}

BOOST_FIXTURE_TEST_CASE(capacity_is_kept_and_all_of_it_is_used, fixture) {
  join(5, 3);
  auto chain = blocks(4);
  t.cached(workers[2], chain);
  auto tickets = std::vector<ticket>{};
  for (auto i = 0; i < 15; ++i) // also where its prefix and its session are
    tickets.push_back(*choose({64, 10, chain, 9}));
  BOOST_TEST(!choose({64, 10, chain, 9}).has_value());
  BOOST_TEST(t.room() == 0u);
  for (auto w : workers)
    BOOST_TEST(t.requests(w) == 3u);
  t.complete(tickets[7]);
  BOOST_TEST(choose()->at == tickets[7].at);
  BOOST_TEST(!choose().has_value());
}

BOOST_FIXTURE_TEST_CASE(a_request_ends_once, fixture) {
  join(1, 2);
  auto a = *choose();
  auto b = *choose();
  BOOST_TEST(t.complete(a));
  BOOST_TEST(!t.complete(a));
  BOOST_TEST(t.requests(workers[0]) == 1u);
  auto c = *choose(); // in the place of `a`
  BOOST_TEST(!t.complete(a));
  BOOST_TEST(t.requests(workers[0]) == 2u);
  BOOST_TEST(!t.complete({}));
  BOOST_TEST(!t.complete({~uint64_t{0}, workers[0], 0}));
  BOOST_TEST(t.complete(b));
  BOOST_TEST(t.complete(c));
  BOOST_TEST(t.room() == 2u);
}

BOOST_FIXTURE_TEST_CASE(drained_workers_get_nothing_more, fixture) {
  join(2, 4);
  auto chain = blocks(4);
  t.cached(workers[0], chain);
  auto a = *choose({64, 0, chain, 5});
  BOOST_TEST(a.at == workers[0]);
  t.drain(workers[0]);
  t.drain(workers[0]);
  BOOST_TEST(always({64, 0, chain, 5}) == workers[1]);
  BOOST_TEST(t.requests(workers[0]) == 1u);
  BOOST_TEST(t.complete(a));
  BOOST_TEST(t.requests(workers[0]) == 0u);
  BOOST_TEST(t.room() == 4u);
  t.drain(workers[0], false);
  BOOST_TEST(t.room() == 8u);
}

BOOST_FIXTURE_TEST_CASE(a_worker_that_comes_back_is_another, fixture) {
  join(1, 1);
  auto a = *choose({64, 0, {}, 5});
  t.leave(workers[0]);
  t.leave(workers[0]);
  BOOST_TEST(!choose().has_value());
  auto again = t.join(1);
  BOOST_TEST(again != workers[0]);
  BOOST_TEST(t.requests(again) == 0u);
  BOOST_TEST(!t.complete(a));
  BOOST_TEST(t.requests(again) == 0u);
  BOOST_TEST(choose({64, 0, {}, 5})->at == again);
  t.drain(workers[0]);
  t.resize(workers[0], 7);
  BOOST_TEST(t.room() == 0u);
  BOOST_TEST(t.requests(workers[0]) == 0u);
}

BOOST_FIXTURE_TEST_CASE(capacity_may_change, fixture) {
  join(1, 3);
  auto a = *choose();
  choose();
  t.resize(workers[0], 1);
  BOOST_TEST(!choose().has_value());
  t.complete(a);
  BOOST_TEST(!choose().has_value());
  t.resize(workers[0], 2);
  BOOST_TEST(choose().has_value());
}

// Against books kept by hand, through all that can happen.
BOOST_FIXTURE_TEST_CASE(books_are_right_whatever_happens, fixture) {
  struct entry {
    uint32_t capacity = 0;
    uint32_t requests = 0;
    bool drained = false;
  };
  auto books = std::map<worker, entry>{};
  auto open = std::vector<ticket>{};
  auto draw = uint64_t{0};
  auto random = [&](size_t n) { return random_bits(5, draw++) % n; };
  for (auto step = 0; step < 50'000; ++step) {
    auto some = books.begin();
    if (!books.empty())
      std::advance(some, random(books.size()));
    switch (random(20)) {
    case 0:
      if (books.size() < 12) {
        auto capacity = static_cast<uint32_t>(random(6));
        books[t.join(capacity)] = {capacity};
      }
      break;
    case 1:
      if (books.size() > 6) {
        t.leave(some->first);
        books.erase(some);
      }
      break;
    case 2:
      if (!books.empty()) {
        some->second.drained = random(2) == 0;
        t.drain(some->first, some->second.drained);
      }
      break;
    case 3:
      if (!books.empty()) {
        some->second.capacity = static_cast<uint32_t>(random(6));
        t.resize(some->first, some->second.capacity);
      }
      break;
    case 4:
      if (!books.empty())
        t.cached(some->first,
                 blocks(1 + random(6), static_cast<int>(random(3))));
      break;
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
    case 10:
      if (!open.empty()) {
        auto i = open.begin() + static_cast<int64_t>(random(open.size()));
        if (random(2) == 0)
          t.prefilled(*i);
        auto b = books.find(i->at);
        BOOST_REQUIRE(t.complete(*i) == (b != books.end()));
        if (b != books.end())
          --b->second.requests;
        if (random(2) == 0) // once more
          BOOST_REQUIRE(!t.complete(*i));
        open.erase(i);
      }
      break;
    default: {
      auto chain = blocks(random(6), static_cast<int>(random(3)));
      auto r = route_request{static_cast<uint32_t>(random(200)), 50, chain,
                             random(5)};
      auto x = choose(r);
      auto room = std::ranges::any_of(books, [](auto& b) {
        return !b.second.drained && b.second.requests < b.second.capacity;
      });
      BOOST_REQUIRE(x.has_value() == room);
      if (!x)
        break;
      auto& b = books.at(x->at);
      BOOST_REQUIRE(!b.drained);
      BOOST_REQUIRE(b.requests < b.capacity);
      BOOST_REQUIRE(x->cached <= r.prompt);
      ++b.requests;
      open.push_back(*x);
    }
    }
    auto room = uint64_t{0};
    for (auto& [w, b] : books) {
      BOOST_REQUIRE(t.requests(w) == b.requests);
      if (!b.drained)
        room += b.capacity - std::min(b.capacity, b.requests);
    }
    BOOST_REQUIRE(t.room() == room);
  }
  // Loads add up to nothing when all has ended: an idle table is indifferent.
  for (auto& x : open)
    t.complete(x);
  for (auto& [w, b] : books) {
    t.resize(w, 10);
    t.drain(w, false);
  }
  auto got = std::map<worker, int>{};
  for (size_t i = 0; i < 10 * books.size(); ++i)
    ++got[choose({10, 0})->at];
  for (auto& [w, b] : books)
    BOOST_TEST(got[w] == 10);
}

// -- load ---------------------------------------------------------------------

// Two choices leave a gap of a few requests where one leaves many.
BOOST_FIXTURE_TEST_CASE(two_choices_balance, fixture) {
  join(500, 1000);
  auto most_of_one = std::vector<int>(500);
  for (auto i = 0u; i < 5000; ++i) {
    choose({100, 100});
    ++most_of_one[random_bits(2, i) % 500];
  }
  auto most = 0u;
  for (auto w : workers)
    most = std::max(most, t.requests(w));
  BOOST_TEST(most <= 14u);
  BOOST_TEST(std::ranges::max(most_of_one) >= 18);
}

BOOST_FIXTURE_TEST_CASE(the_one_with_fewer_tokens_to_do, fixture) {
  join(2, 100);
  auto a = load(workers[0], 1000);
  BOOST_TEST(always({10, 0}) == workers[1]);
  load(workers[1], 500);
  BOOST_TEST(always({10, 0}) == workers[1]);
  t.prefilled(a);
  BOOST_TEST(always({10, 0}) == workers[0]);
  t.prefilled(a);
  t.complete(a);
  BOOST_TEST(always({10, 0}) == workers[0]);
}

BOOST_FIXTURE_TEST_CASE(larger_workers_get_more, fixture) {
  join(1, 300);
  join(1, 100);
  for (auto i = 0; i < 200; ++i)
    choose({10, 10});
  BOOST_TEST(t.requests(workers[0]) == 150u);
  BOOST_TEST(t.requests(workers[1]) == 50u);
}

BOOST_FIXTURE_TEST_CASE(absurd_numbers_do_not_overflow, fixture) {
  auto most = ~uint32_t{0};
  join(2, most);
  for (auto i = 0; i < 1000; ++i)
    BOOST_TEST(choose({most, most, {}, 5})->at != 0u);
  BOOST_TEST(t.requests(workers[0]) + t.requests(workers[1]) == 1000u);
  BOOST_TEST(t.requests(workers[0]) == 500u);
}

BOOST_FIXTURE_TEST_CASE(the_same_draws_choose_the_same, fixture) {
  fixture other;
  join(10, 100);
  other.join(10, 100);
  for (auto i = 0; i < 500; ++i)
    BOOST_TEST(choose()->at == other.choose()->at);
}

// -- prefixes -----------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(where_most_of_its_prefix_is, fixture) {
  join(20, 100);
  auto chain = blocks(10);
  t.cached(workers[3], std::span{chain}.first(4));
  t.cached(workers[7], std::span{chain}.first(9));
  BOOST_TEST(always({170, 10, chain}) == workers[7]);
  BOOST_TEST(choose({170, 10, chain})->cached == 144u);
  BOOST_TEST(always({70, 10, std::span{chain}.first(4)}) != 0u);
  BOOST_TEST(always({170, 10, blocks(10, 1)}) == 0u); // anywhere
  BOOST_TEST(choose({100, 10, chain})->cached == 100u);
}

BOOST_FIXTURE_TEST_CASE(unless_load_says_otherwise, fixture) {
  join(2, 100);
  auto chain = blocks(10);
  t.cached(workers[0], chain);
  load(workers[0], 159); // a token less than the prefix saves
  BOOST_TEST(always({200, 0, chain}) == workers[0]);
  load(workers[0], 2);
  BOOST_TEST(always({200, 0, chain}) == workers[1]);
}

BOOST_FIXTURE_TEST_CASE(of_those_that_have_the_prefix_the_less_loaded,
                        fixture) {
  join(50, 100);
  auto chain = blocks(100);
  for (auto i : {4, 8, 15, 16})
    t.cached(workers[i], chain);
  load(workers[4], 50);
  load(workers[8], 50);
  load(workers[16], 50);
  BOOST_TEST(always({1600, 0, chain}) == workers[15]);
  t.cached(workers[23], chain); // the fifth takes the place of the first
  t.leave(workers[8]);
  t.leave(workers[15]);
  t.leave(workers[16]);
  BOOST_TEST(always({1600, 0, chain}) == workers[23]);
  t.leave(workers[23]);
  BOOST_TEST(always({1600, 0, chain}) == 0u);
}

BOOST_AUTO_TEST_CASE(hints_take_no_more_memory_than_given) {
  auto map = recent_map<int>{8};
  for (auto k = uint64_t{1}; k <= 1000; ++k)
    map.at(k) = static_cast<int>(k);
  auto there = 0;
  for (auto k = uint64_t{1}; k <= 1000; ++k)
    if (auto* v = map.find(k)) {
      BOOST_TEST(*v == static_cast<int>(k));
      ++there;
    }
  BOOST_TEST(there == 8);
  auto one = recent_map<int>{4};
  for (auto k = uint64_t{1}; k <= 20; ++k) {
    one.at(k) = 1;
    one.find(1); // is used, and so stays
  }
  BOOST_TEST(one.find(1) != nullptr);
  BOOST_TEST(one.find(2) == nullptr);
  BOOST_TEST(one.find(20) != nullptr);
  BOOST_TEST(recent_map<int>{0}.find(1) == nullptr);
}

BOOST_AUTO_TEST_CASE(a_table_without_hints) {
  auto t = route_table{{0, 0}};
  auto w = t.join(4);
  t.join(4);
  auto chain = blocks(3);
  t.cached(w, chain);
  BOOST_TEST(t.choose({48, 0, chain, 7}, 1)->cached == 0u);
}

BOOST_AUTO_TEST_CASE(chains_tell_prefixes_and_salts_apart) {
  auto tokens = std::vector<token_id>(50);
  std::iota(tokens.begin(), tokens.end(), 0);
  auto a = prefix_chain("a", tokens, 16);
  BOOST_TEST(a.size() == 3u);
  auto other = tokens;
  other[17] = -1;
  auto b = prefix_chain("a", other, 16);
  BOOST_TEST(a[0] == b[0]);
  BOOST_TEST(a[1] != b[1]);
  BOOST_TEST(a[2] != b[2]);
  BOOST_TEST(prefix_chain("b", tokens, 16)[0] != a[0]);
  BOOST_TEST(prefix_chain("a", {}, 16).empty());
  BOOST_TEST(prefix_chain("a", tokens, 0).empty());
}

// -- sessions -----------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_session_stays, fixture) {
  join(10, 100);
  auto w = choose({100, 100, {}, 77})->at;
  BOOST_TEST(always({100, 100, {}, 77}) == w);
  BOOST_TEST(always({100, 100, {}, 78}) != 0u);
  BOOST_TEST(always({100, 100}) == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_session_moves_for_good_when_its_worker_is_loaded,
                        fixture) {
  join(2, 100);
  auto x = *choose({0, 0, {}, 77});
  t.complete(x);
  auto other = x.at == workers[0] ? workers[1] : workers[0];
  auto heavy = load(x.at, route_options{}.session_worth - 1);
  BOOST_TEST(always({10, 0, {}, 77}) == x.at);
  auto more = load(x.at, 2);
  BOOST_TEST(always({10, 0, {}, 77}) == other);
  t.complete(heavy);
  t.complete(more);
  BOOST_TEST(always({10, 0, {}, 77}) == other);
}

BOOST_AUTO_TEST_SUITE_END()
