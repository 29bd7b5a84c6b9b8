#include "core/tensor/matmul.hpp"

#include <Eigen/Dense>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <vector>

#include "core/base/random.hpp"
#include "core/tensor/quant.hpp"
#include "tests/support/core/floats.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

using matrix =
    Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr dtype all_types[] = {dtype::f32,  dtype::f16,  dtype::bf16,
                               dtype::q4_0, dtype::q4_1, dtype::q5_0,
                               dtype::q5_1, dtype::q8_0, dtype::q4_k,
                               dtype::q5_k, dtype::q6_k};

struct weights {
  weights(dtype t, uint32_t rows, uint32_t cols, uint64_t seed) {
    view = {t, rows, cols, nullptr};
    bytes.resize(rows * view.row_bytes());
    view.data = bytes.data();
    values.resize(rows, cols);
    auto w = random_floats(seed, size_t{rows} * cols);
    for (auto r = 0u; r < rows; ++r) {
      auto* to = bytes.data() + r * view.row_bytes();
      quantize_row(t, w.data() + r * size_t{cols}, cols, to);
      dequantize_row(t, to, cols, values.data() + r * size_t{cols});
    }
  }
  matrix_view view;
  std::vector<std::byte> bytes;
  matrix values;
};

} // namespace

BOOST_AUTO_TEST_SUITE(tensor_matmul)

BOOST_AUTO_TEST_CASE(it_agrees_with_eigen) {
  for (auto t : all_types)
    for (auto k : {32u, 288u, 2080u, 768u})
      for (auto n : {1u, 65u, 130u})
        for (auto m : {1u, 4u, 5u, 18u}) {
          if (k % block_values(t) != 0)
            continue;
          auto w = weights{t, n, k, k + n};
          auto x = random_floats(m, size_t{m} * k);
          auto c = compute{2, best_kernels(), matmul_scratch_floats(k)};
          auto y = floats(size_t{m} * n);
          matmul(c, x.data(), m, std::array{linear{w.view, nullptr, y.data()}});
          auto want = (Eigen::Map<const matrix>(x.data(), m, k).cast<double>()
                       * w.values.cast<double>().transpose())
                          .eval();
          auto got = Eigen::Map<const matrix>(y.data(), m, n).cast<double>();
          auto worst = (got - want).cwiseAbs().maxCoeff();
          // 2^-24 of the sum of magnitudes, below k / 4 here, for each of
          // some k / 16 additions, is the bound; rounding errors of either
          // sign stay near its square root.
          BOOST_TEST(worst <= 0x1p-24 * k, to_string(t)
                                               << " " << m << "x" << n << "x"
                                               << k << ": " << worst);
        }
}

BOOST_AUTO_TEST_CASE(maps_of_one_call_do_not_disturb_each_other) {
  auto k = 96u;
  auto a = weights{dtype::q8_0, 70, k, 1};
  auto b = weights{dtype::f32, 200, k, 2};
  auto e = weights{dtype::q4_0, 3, k, 3};
  auto bias = random_floats(4, 200);
  for (auto threads : {1u, 3u})
    for (auto m : {1u, 3u, 9u}) {
      auto c = compute{threads, best_kernels(), matmul_scratch_floats(k)};
      auto x = random_floats(5, m * k);
      auto ya = floats(m * 70), yb = floats(m * 200), ye = floats(m * 3, 1.f);
      matmul(c, x.data(), m,
             std::array{linear{a.view, nullptr, ya.data()},
                        linear{b.view, bias.data(), yb.data()},
                        linear{e.view, nullptr, ye.data(), true}});
      auto one = floats(m * 70);
      matmul(c, x.data(), m, std::array{linear{a.view, nullptr, one.data()}});
      BOOST_TEST(same_bits(ya, one));
      one.assign(m * 200, 0);
      matmul(c, x.data(), m, std::array{linear{b.view, nullptr, one.data()}});
      for (auto i = 0u; i < one.size(); ++i)
        one[i] += bias[i % 200];
      BOOST_TEST(same_bits(yb, one));
      one.assign(m * 3, 0);
      matmul(c, x.data(), m, std::array{linear{e.view, nullptr, one.data()}});
      for (auto& v : one)
        v += 1;
      BOOST_TEST(same_bits(ye, one));
    }
}

BOOST_AUTO_TEST_CASE(a_row_is_the_same_alone_and_among_others) {
  auto n = 77u;
  for (auto t : all_types) {
    auto k = block_values(t) == 256 ? 512u : 320u;
    auto w = weights{t, n, k, 9};
    auto x = random_floats(6, 40 * k);
    auto one = compute{1, best_kernels(), matmul_scratch_floats(k)};
    auto want = floats(40 * n);
    for (auto i = 0u; i < 40; ++i)
      matmul(one, x.data() + i * k, 1,
             std::array{linear{w.view, nullptr, want.data() + i * n}});
    for (auto threads : {1u, 2u, 3u}) {
      auto c = compute{threads, best_kernels(), matmul_scratch_floats(k)};
      for (auto m : {2u, 3u, 4u, 5u, 8u, 13u, 16u, 33u})
        for (auto first : {0u, 1u, 7u}) {
          auto y = floats(m * n);
          matmul(c, x.data() + first * k, m,
                 std::array{linear{w.view, nullptr, y.data()}});
          BOOST_TEST(
              same_bits({y.data(), m * n}, {want.data() + first * n, m * n}),
              to_string(t) << " " << m << " from " << first);
        }
    }
  }
}

BOOST_AUTO_TEST_CASE(scratch_for_wide_matrices_does_for_narrow_ones) {
  for (auto k = 1u; k < 9000; ++k)
    if (matmul_scratch_floats(k) > matmul_scratch_floats(k + 1))
      BOOST_TEST(false, k);
  // The same, where a sanitizer looks on.
  for (auto widest : {2048u, 5632u}) {
    auto c = compute{1, best_kernels(), matmul_scratch_floats(widest)};
    for (auto k : {768u, 992u, 1024u, 2048u}) {
      auto w = weights{dtype::q8_0, 40, k, k};
      auto x = random_floats(1, size_t{8} * k);
      auto y = floats(size_t{8} * 40), one = floats(40);
      matmul(c, x.data(), 8, std::array{linear{w.view, nullptr, y.data()}});
      matmul(c, x.data(), 1, std::array{linear{w.view, nullptr, one.data()}});
      BOOST_TEST(same_bits({y.data(), one.size()}, one));
    }
  }
}

BOOST_AUTO_TEST_CASE(no_rows_are_no_work) {
  auto w = weights{dtype::f32, 3, 8, 1};
  auto c = compute{1, best_kernels(), matmul_scratch_floats(8)};
  auto y = floats{7};
  matmul(c, nullptr, 0, std::array{linear{w.view, nullptr, y.data()}});
  BOOST_TEST(y == floats{7});
}

BOOST_AUTO_TEST_SUITE_END()
