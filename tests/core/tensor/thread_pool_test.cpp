#include "core/tensor/thread_pool.hpp"

#include <boost/test/unit_test.hpp>
#include <numeric>
#include <vector>

using namespace troupe;

BOOST_AUTO_TEST_SUITE(thread_pool_run)

BOOST_AUTO_TEST_CASE(each_task_runs_exactly_once) {
  for (auto threads : {1u, 2u, 3u, 8u}) {
    auto pool = thread_pool{threads};
    BOOST_TEST(pool.size() == threads);
    for (auto tasks : {0u, 1u, 2u, 3u, 17u, 1000u}) {
      // Plain integers: two runs of a task, or one after the return, race.
      auto runs = std::vector<int>(tasks);
      auto bad_worker = std::vector<int>(tasks);
      pool.run(tasks, [&](uint32_t task, unsigned worker) {
        ++runs[task];
        bad_worker[task] = worker >= pool.size();
      });
      BOOST_TEST(runs == std::vector<int>(tasks, 1));
      BOOST_TEST(bad_worker == std::vector<int>(tasks, 0));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_region_sees_what_the_one_before_wrote) {
  auto pool = thread_pool{3};
  auto xs = std::vector<uint64_t>(64);
  std::iota(xs.begin(), xs.end(), 0);
  auto ys = xs;
  for (auto round = 0; round < 2000; ++round) {
    pool.run(64,
             [&](uint32_t i, unsigned) { ys[i] = xs[i] + xs[(i + 1) % 64]; });
    pool.run(64, [&](uint32_t i, unsigned) { xs[i] = ys[(i + 7) % 64] * 3; });
  }
  auto as = std::vector<uint64_t>(64);
  std::iota(as.begin(), as.end(), 0);
  auto bs = as;
  for (auto round = 0; round < 2000; ++round) {
    for (auto i = 0; i < 64; ++i)
      bs[i] = as[i] + as[(i + 1) % 64];
    for (auto i = 0; i < 64; ++i)
      as[i] = bs[(i + 7) % 64] * 3;
  }
  BOOST_TEST(xs == as);
}

BOOST_AUTO_TEST_CASE(a_worker_has_its_scratch_to_itself) {
  auto pool = thread_pool{4};
  auto busy = std::vector<int>(pool.size());
  auto clashes = std::vector<int>(500);
  pool.run(500, [&](uint32_t task, unsigned worker) {
    clashes[task] = busy[worker]++ != 0;
    --busy[worker];
  });
  BOOST_TEST(clashes == std::vector<int>(500));
}

BOOST_AUTO_TEST_CASE(pools_come_and_go) {
  for (auto i = 0; i < 50; ++i) {
    auto pool = thread_pool{2};
    if (i % 2 == 0)
      pool.run(3, [](uint32_t, unsigned) {});
  }
  BOOST_TEST(thread_pool{0}.size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
