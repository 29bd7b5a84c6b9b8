#include "core/parallel/shared_ranks.hpp"

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <numeric>
#include <thread>

#include "tests/core/engine/random_model.hpp"
#include "tests/core/parallel/rank_threads.hpp"
#include "tests/support/core/floats.hpp"

using namespace troupe;
using namespace troupe::test;
using testing::floats;
using testing::same_bits;

namespace {

/// Lets rank after rank come in `order`: each starts only when the one before
/// it has at least begun; the operation needs all, so it cannot end earlier.
floats reduce_in_order(std::vector<floats> brought,
                       const std::vector<uint32_t>& order) {
  auto n = static_cast<uint32_t>(brought.size());
  auto group = shared_ranks{n};
  auto turn = std::atomic<uint32_t>{0};
  {
    auto threads = std::vector<std::jthread>{};
    for (auto r = uint32_t{0}; r < n; ++r)
      threads.emplace_back([&, r, mine = group.join(r)] {
        while (order[turn] != r)
          std::this_thread::yield();
        if (turn + 1 < n)
          ++turn;
        // Not under Boost's checks, which are for one thread.
        if (!mine->all_reduce(brought[r]).ok())
          brought[r].clear();
      });
  }
  for (auto& got : brought)
    BOOST_TEST(same_bits(got, brought[0]));
  return brought[0];
}

} // namespace

BOOST_AUTO_TEST_SUITE(parallel_shared_ranks)

BOOST_AUTO_TEST_CASE(sums_are_added_from_rank_0_on_whoever_comes_first) {
  for (auto size : {size_t{0}, size_t{1}, size_t{7}, size_t{1000}}) {
    auto brought = std::vector<floats>{};
    for (auto r = 0u; r < 4; ++r)
      brought.push_back(random_values(r + 1, size, r == 1 ? 1e6f : 1.f));
    auto want = brought[0];
    for (auto r = 1u; r < 4; ++r)
      for (auto i = size_t{0}; i < size; ++i)
        want[i] += brought[r][i];
    auto order = std::vector<uint32_t>{0, 1, 2, 3};
    do
      BOOST_TEST(same_bits(reduce_in_order(brought, order), want));
    while (std::next_permutation(order.begin(), order.end()));
    if (size == 1000) { // another order is something else
      auto other = floats(size);
      for (auto r : {3u, 2u, 1u, 0u})
        for (auto i = size_t{0}; i < size; ++i)
          other[i] += brought[r][i];
      BOOST_TEST(!same_bits(other, want));
    }
  }
}

BOOST_AUTO_TEST_CASE(parts_of_unequal_sizes_are_gathered) {
  auto counts = std::vector<size_t>{3, 0, 5, 1};
  auto got = std::vector<floats>(4, floats(9));
  auto bytes = std::vector<uint64_t>(4);
  on_ranks(4, [&](collective& ranks) {
    auto r = ranks.rank();
    auto mine = floats(counts[r], static_cast<float>(r));
    if (!ranks.all_gather(mine, counts, got[r]))
      got[r].clear();
    bytes[r] = ranks.bytes_sent();
  });
  for (auto& all : got)
    BOOST_TEST((all == floats{0, 0, 0, 2, 2, 2, 2, 2, 3}));
  // Round the ring: all but what belongs to the next.
  BOOST_TEST((bytes == std::vector<uint64_t>{36, 16, 32, 24}));
}

BOOST_AUTO_TEST_CASE(everybody_gets_a_part_of_its_own_from_everybody) {
  // Rank s sends s + 2 r values to rank r: (s, r) as a number.
  auto got = std::vector<floats>(3);
  on_ranks(3, [&](collective& ranks) {
    auto me = ranks.rank();
    auto mine = floats{};
    auto to = std::vector<size_t>{};
    auto from = std::vector<size_t>{};
    for (auto r = 0u; r < 3; ++r) {
      to.push_back(me + 2 * r);
      from.push_back(r + 2 * me);
      mine.insert(mine.end(), to.back(), static_cast<float>(10 * me + r));
    }
    got[me].resize(std::accumulate(from.begin(), from.end(), size_t{0}));
    if (!ranks.all_to_all(mine, to, got[me], from))
      got[me].clear();
  });
  BOOST_TEST((got[0] == floats{10, 20, 20}));
  BOOST_TEST((got[1] == floats{1, 1, 11, 11, 11, 21, 21, 21, 21}));
  BOOST_TEST(
      (got[2]
       == floats{2, 2, 2, 2, 12, 12, 12, 12, 12, 22, 22, 22, 22, 22, 22}));
}

BOOST_AUTO_TEST_CASE(operations_follow_each_other_without_mixing) {
  auto wrong = std::atomic<uint32_t>{0};
  on_ranks(3, [&](collective& ranks) {
    auto data = floats(5);
    for (auto i = 0u; i < 2000; ++i) {
      data.assign(5, static_cast<float>(ranks.rank() + i));
      if (!ranks.all_reduce(data) || data[4] != static_cast<float>(3 + 3 * i))
        ++wrong;
    }
    if (ranks.operations() != 2000
        || ranks.bytes_sent() != uint64_t{2000} * (2 * 5 * 2 / 3) * 4)
      ++wrong;
  });
  BOOST_TEST(wrong == 0u);
}

BOOST_AUTO_TEST_CASE(a_rank_that_leaves_is_named_to_all_others) {
  for (auto lost = 0u; lost < 4; ++lost) {
    auto errors = std::vector<std::string>(4);
    on_ranks(4, [&](collective& ranks) {
      auto data = floats(3, 1.f);
      auto first = ranks.all_reduce(data);
      if (ranks.rank() == lost)
        return ranks.leave(fail(errc::io_error, "no disk"));
      auto second = ranks.all_reduce(data);
      auto third = ranks.all_gather({}, std::vector<size_t>(4), {});
      if (!first || second || third || ranks.failure() == nullptr)
        return;
      if (second.failure().message == third.failure().message
          && second.failure().code == errc::abandoned)
        errors[ranks.rank()] = second.failure().message;
    });
    for (auto r = 0u; r < 4; ++r)
      if (r != lost)
        BOOST_TEST(errors[r]
                   == "rank " + std::to_string(lost)
                          + " of 4 was lost: no disk");
  }
}

BOOST_AUTO_TEST_CASE(a_rank_that_ends_is_lost_and_so_is_one_that_is_given_up) {
  auto group = shared_ranks{3};
  auto zero = group.join(0);
  { auto one = group.join(1); }
  auto data = floats(3);
  auto r = zero->all_reduce(data);
  BOOST_REQUIRE(!r.ok());
  BOOST_TEST(r.failure().message == "rank 1 of 3 was lost: it ended");

  auto other = shared_ranks{2};
  auto waits = other.join(0);
  auto message = std::string{};
  {
    auto thread = std::jthread{[&] {
      auto floats_of_mine = floats(3);
      if (auto ok = waits->all_reduce(floats_of_mine); !ok)
        message = ok.failure().message;
    }};
    other.lose(1, fail(errc::timeout, "it did not answer"));
  }
  BOOST_TEST(message == "rank 1 of 2 was lost: it did not answer");
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_together_is_an_error_at_all_ranks) {
  auto errors = std::atomic<uint32_t>{0};
  auto run = [&](auto brings) {
    errors = 0;
    on_ranks(3, [&](collective& ranks) {
      auto ok = brings(ranks);
      if (!ok && ok.failure().code == errc::invalid_argument)
        ++errors;
    });
    BOOST_TEST(errors == 3u);
  };
  run([](collective& ranks) { // sizes
    auto data = floats(ranks.rank() == 2 ? 4 : 3);
    return ranks.all_reduce(data);
  });
  run([](collective& ranks) { // kinds
    auto data = floats(3);
    auto counts = std::vector<size_t>{1, 1, 1};
    return ranks.rank() == 1 ? ranks.all_gather({data.data(), 1}, counts, data)
                             : ranks.all_reduce(data);
  });
  run([](collective& ranks) { // who sends and who expects
    auto mine = floats(3);
    auto got = floats(ranks.rank() == 0 ? 4 : 3);
    auto to = std::vector<size_t>{1, 1, 1};
    auto from = std::vector<size_t>{1, ranks.rank() == 0 ? size_t{2} : 1, 1};
    return ranks.all_to_all(mine, to, got, from);
  });
}

BOOST_AUTO_TEST_CASE(a_group_of_one_needs_nobody) {
  auto group = shared_ranks{1};
  auto one = group.join(0);
  auto data = floats{1, 2};
  BOOST_TEST(one->all_reduce(data).ok());
  BOOST_TEST((data == floats{1, 2}));
  BOOST_TEST(one->bytes_sent() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
