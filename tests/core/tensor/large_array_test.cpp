#include "core/tensor/large_array.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

#include "core/base/random.hpp"

using namespace troupe;

namespace {

constexpr auto large_page = size_t{2} << 20;

// An array that is full of its own number.
struct owned {
  owned(size_t n, uint32_t number)
      : size(n), number(number), data(make_large_array<uint32_t>(n)) {
    std::fill_n(data.get(), n, number);
  }
  bool whole() const {
    return std::all_of(data.get(), data.get() + size,
                       [this](uint32_t x) { return x == number; });
  }
  size_t size;
  uint32_t number;
  large_array<uint32_t> data;
};

// Takes and gives back arrays of many sizes; whether none lay in another.
bool churn(uint64_t seed) {
  auto live = std::vector<owned>{};
  auto good = true;
  for (uint32_t i = 0; i < 600; ++i) {
    auto draw = random_bits(seed, i);
    if (live.size() > 30 || (draw % 3 == 0 && !live.empty())) {
      auto at = live.begin() + static_cast<ptrdiff_t>(draw / 3 % live.size());
      good = good && at->whole();
      live.erase(at);
    } else {
      auto size = draw % 16 == 0 ? 700'000 : draw / 16 % 40'000;
      live.emplace_back(size, static_cast<uint32_t>(seed * 1000 + i));
    }
  }
  return good && std::all_of(live.begin(), live.end(), [](auto& a) {
           return a.whole();
         });
}

} // namespace

BOOST_AUTO_TEST_SUITE(large_array_suite)

BOOST_AUTO_TEST_CASE(
    arrays_begin_with_a_cache_line_and_large_ones_with_a_page) {
  for (auto bytes : {size_t{0}, size_t{1}, size_t{64}, size_t{100'000},
                     large_page - 64, large_page, 3 * large_page + 5}) {
    auto a = make_large_array<std::byte>(bytes);
    auto at = reinterpret_cast<uintptr_t>(a.get());
    BOOST_TEST(at % 64 == 0u);
    if (bytes >= large_page)
      BOOST_TEST(at % large_page == 0u);
  }
}

BOOST_AUTO_TEST_CASE(none_lies_in_another) {
  for (uint64_t seed = 1; seed < 6; ++seed)
    BOOST_TEST(churn(seed));
}

BOOST_AUTO_TEST_CASE(threads_take_and_give_back_at_a_time) {
  auto good = std::vector<char>(4);
  auto threads = std::vector<std::thread>{};
  for (size_t i = 0; i < good.size(); ++i)
    threads.emplace_back([&, i] { good[i] = churn(10 + i); });
  for (auto& t : threads)
    t.join();
  for (auto g : good)
    BOOST_TEST(g);
}

BOOST_AUTO_TEST_CASE(one_thread_gives_back_what_another_took) {
  auto arrays = std::vector<owned>{};
  for (uint32_t i = 0; i < 200; ++i)
    arrays.emplace_back(20'000, i);
  auto half = std::vector<owned>{};
  std::move(arrays.begin() + 100, arrays.end(), std::back_inserter(half));
  arrays.erase(arrays.begin() + 100, arrays.end());
  auto good =
      std::all_of(half.begin(), half.end(), [](auto& a) { return a.whole(); });
  std::thread{[half = std::move(half)]() mutable { half.clear(); }}.join();
  BOOST_TEST(good);
  BOOST_TEST(std::all_of(arrays.begin(), arrays.end(),
                         [](auto& a) { return a.whole(); }));
}

BOOST_AUTO_TEST_SUITE_END()
