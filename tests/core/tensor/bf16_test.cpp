#include "core/tensor/bf16.hpp"

#include <array>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/base/random.hpp"
#include "core/tensor/half.hpp"
#include "core/tensor/matmul.hpp"
#include "core/tensor/quant.hpp"
#include "tests/support/core/floats.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

struct weights {
  weights(uint32_t rows, uint32_t cols, uint64_t seed) {
    auto values = random_floats(seed, size_t{rows} * cols);
    for (auto v : values)
      bits.push_back(f32_to_bf16(v));
    pack(rows, cols);
  }

  void pack(uint32_t rows, uint32_t cols) {
    view = {dtype::bf16, rows, cols,
            reinterpret_cast<const std::byte*>(bits.data())};
    packed = packed_matrix{view};
    view.packed = &packed;
  }

  float weight(uint32_t row, uint32_t i) const {
    return i < view.cols ? bf16_to_f32(bits[row * view.cols + i]) : 0.f;
  }

  std::vector<uint16_t> bits;
  matrix_view view;
  packed_matrix packed;
};

// The plain twin: one value at a time, in the words of bf16_impl.hpp.
float flushed(float x) {
  return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.f, x) : x;
}

float rounded(float x) {
  return bf16_to_f32(f32_to_bf16(flushed(x)));
}

float plain_product(const weights& w, uint32_t row, const float* x,
                    uint32_t parts, float y) {
  auto k = w.view.cols;
  for (auto i = 0u; i < k; i += 2) {
    float left[] = {x[i], i + 1 < k ? x[i + 1] : 0.f};
    for (auto part = 0u; part < parts; ++part)
      for (auto j : {1u, 0u}) {
        auto b = rounded(left[j]);
        left[j] -= b;
        y = flushed(
            std::fma(flushed(b), flushed(w.weight(row, i + j)), flushed(y)));
      }
  }
  return y;
}

std::vector<const bf16_kernels*> all_kernels() {
  auto all = std::vector<const bf16_kernels*>{};
  for (auto set :
       {bf16_instruction_set::portable, bf16_instruction_set::avx512_bf16})
    if (auto* k = bf16_kernels_for(set))
      all.push_back(k);
  return all;
}

constexpr auto widths = {activation_type::i8, activation_type::i16};

uint32_t parts_of(activation_type t) {
  return t == activation_type::i16 ? 2 : 1;
}

// y = x w^T + bias + y of the first m rows.
floats product(const bf16_kernels& kernels, const weights& w, activation_type t,
               const floats& x, uint32_t m, const float* bias, floats y) {
  auto b = bf16_buffer{};
  b.assign(t, m, w.view.cols);
  auto rows = b.rows(m, w.view.cols);
  for (auto i = 0u; i < m; ++i)
    kernels.round(x.data(), i, rows);
  auto block = bf16_block{};
  block.panels = w.packed.panel(0);
  block.x = &rows;
  block.bias = bias;
  block.y = y.data();
  block.y_stride = w.view.rows;
  block.m = m;
  block.n = w.view.rows;
  block.add = true;
  kernels.multiply(block);
  return y;
}

compute with_room(unsigned threads, activation_type t, uint32_t m, uint32_t k) {
  return compute{threads, best_kernels(), matmul_scratch_floats(k), t, m, k};
}

} // namespace

BOOST_AUTO_TEST_SUITE(tensor_bf16)

BOOST_AUTO_TEST_CASE(pairs_of_inputs_lie_side_by_side) {
  BOOST_TEST(packed_matrix::supports(dtype::bf16));
  for (auto n : {31u, 64u, 70u})
    for (auto k : {1u, 2u, 33u}) {
      auto w = weights{n, k, 1};
      auto pairs = (k + 1) / 2;
      BOOST_REQUIRE(w.packed.panel_bytes() == pairs * 128u);
      BOOST_TEST(w.packed.bytes() == (n + 31) / 32 * pairs * 128u);
      for (auto o = 0u; o < w.packed.panels() * 32; ++o)
        for (auto i = 0u; i < 2 * pairs; ++i) {
          auto want = o < n && i < k ? w.bits[o * k + i] : uint16_t{0};
          auto got = uint16_t{0};
          auto at = (i / 2 * 32 + o % 32) * 2 + i % 2;
          std::memcpy(&got, w.packed.panel(o / 32) + size_t{2} * at, 2);
          BOOST_TEST(got == want);
        }
    }
}

BOOST_AUTO_TEST_CASE(rows_are_rounded_to_nearest_even) {
  constexpr auto k = 37u;
  constexpr auto m = 8u; // a tile and a rest
  auto x = random_floats(1, m * k);
  x[3] = std::numeric_limits<float>::quiet_NaN();
  x[4] = std::numeric_limits<float>::infinity();
  x[5] = 1e-40f;
  x[6] = -0.f;
  x[7] = 1.f + 0x1p-8f;     // a tie, down
  x[8] = 1.f + 3 * 0x1p-8f; // a tie, up
  for (auto t : widths) {
    auto b = bf16_buffer{};
    b.assign(t, m, k);
    auto rows = b.rows(m, k);
    for (auto* kernels : all_kernels()) {
      for (auto r = 0u; r < m; ++r)
        kernels->round(x.data(), r, rows);
      for (auto r = 0u; r < m; ++r)
        for (auto i = 0u; i < k + 1; ++i) {
          auto left = i < k ? x[r * k + i] : 0.f;
          for (auto part = 0u; part < rows.parts; ++part) {
            auto tile = r / 6, place = r % 6;
            auto pair = rows.data[((tile * 19 + i / 2) * 6 + place) * rows.parts
                                  + part];
            auto got = bf16_to_f32(
                static_cast<uint16_t>(i % 2 == 0 ? pair & 0xffff : pair >> 16));
            auto want = rounded(left);
            left -= want;
            if (std::isnan(want))
              BOOST_TEST(std::isnan(got), kernels->name);
            else
              BOOST_TEST(same_bits(floats{got}, floats{want}),
                         kernels->name << " " << r << ", " << i << " " << got
                                       << " for " << want);
          }
        }
    }
  }
}

BOOST_AUTO_TEST_CASE(products_agree_with_the_plain_twin_bit_for_bit) {
  constexpr auto most = 13u;
  for (auto t : widths)
    for (auto k : {1u, 2u, 31u, 96u, 261u, 515u})
      for (auto n : {1u, 32u, 45u, 64u, 95u}) {
        auto w = weights{n, k, k + n};
        auto x = random_floats(n, size_t{most} * k);
        auto bias = random_floats(3, n);
        auto before = random_floats(4, size_t{most} * n);
        auto want = before;
        for (auto r = 0u; r < most; ++r)
          for (auto i = 0u; i < n; ++i)
            want[r * n + i] =
                plain_product(w, i, x.data() + size_t{r} * k, parts_of(t),
                              before[r * n + i] + bias[i]);
        for (auto* kernels : all_kernels())
          for (auto m = 1u; m <= most; ++m) {
            auto y = product(*kernels, w, t, x, m, bias.data(),
                             {before.begin(), before.begin() + m * n});
            auto first = floats{want.begin(), want.begin() + m * n};
            BOOST_TEST(same_bits(y, first),
                       kernels->name << " " << m << "x" << n << "x" << k);
          }
      }
}

// Numbers of all sizes: sums that overflow, cancel, or fall below the least
// normal number.
BOOST_AUTO_TEST_CASE(numbers_of_all_sizes_agree_with_the_plain_twin) {
  constexpr auto n = 64u, k = 34u, m = 7u;
  for (auto low : {1u, 45u, 120u}) {
    auto w = weights{n, k, 1};
    auto any = [low](uint64_t seed, size_t i, unsigned bits_below) {
      auto r = static_cast<uint32_t>(random_bits(seed, i));
      auto exponent = low + (r >> 8) % 22;
      return (r & 1) << 31 | exponent << 23 | (r >> 13 & 0x7f) << 16
             | (r & ((1u << bits_below) - 1));
    };
    for (auto i = size_t{0}; i < w.bits.size(); ++i)
      w.bits[i] = static_cast<uint16_t>(any(2, i, 0) >> 16);
    w.pack(n, k);
    auto x = floats(m * k);
    for (auto i = size_t{0}; i < x.size(); ++i) {
      auto bits = any(3, i, 16);
      std::memcpy(&x[i], &bits, 4);
    }
    for (auto t : widths)
      for (auto* kernels : all_kernels()) {
        auto y = product(*kernels, w, t, x, m, nullptr, floats(m * n, 1e-39f));
        for (auto i = 0u; i < m * n; ++i) {
          auto want = plain_product(w, i % n, x.data() + i / n * k, parts_of(t),
                                    1e-39f);
          BOOST_TEST(same_bits(floats{y[i]}, floats{want}),
                     kernels->name << " from " << low << ": " << y[i] << " for "
                                   << want);
        }
      }
  }
}

BOOST_AUTO_TEST_CASE(sixteen_bits_are_as_good_as_float32) {
  constexpr auto n = 40u, k = 1000u;
  auto w = weights{n, k, 8};
  auto x = random_floats(9, k);
  for (auto t : widths) {
    auto c = with_room(1, t, 1, k);
    auto y = floats(n);
    matmul(c, x.data(), 1, std::array{linear{w.view, nullptr, y.data()}});
    auto worst = 0.0;
    for (auto i = 0u; i < n; ++i) {
      auto want = 0.0;
      for (auto j = 0u; j < k; ++j)
        want += double{w.weight(i, j)} * double{x[j]};
      worst = std::max(worst, std::fabs(want - double{y[i]}));
    }
    // Rounding is off by up to 2^-9 of values of about a half, and by 2^-18,
    // in a random sum of a thousand; beside it float32's own, 2^-24 of sums of
    // about ten each time.
    BOOST_TEST(worst < (t == activation_type::i16 ? 1e-4 : 0.1));
    if (t == activation_type::i8) // it is not quietly something else
      BOOST_TEST(worst > 1e-3);
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_finite_spoils_its_row_alone) {
  auto w = weights{40, 63, 2};
  for (auto bad : {std::numeric_limits<float>::infinity(),
                   -std::numeric_limits<float>::infinity(),
                   std::numeric_limits<float>::quiet_NaN()}) {
    auto x = random_floats(5, 3 * 63);
    auto clean = x;
    x[63 + 40] = bad;
    for (auto t : widths) {
      auto c = with_room(1, t, 3, 63);
      auto y = floats(120), z = floats(120);
      matmul(c, x.data(), 3, std::array{linear{w.view, nullptr, y.data()}});
      matmul(c, clean.data(), 3, std::array{linear{w.view, nullptr, z.data()}});
      for (auto i = 0u; i < 120; ++i)
        if (i / 40 == 1)
          BOOST_TEST(!std::isfinite(y[i]));
        else
          BOOST_TEST(y[i] == z[i]);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_row_is_the_same_alone_and_among_others) {
  auto k = 543u;
  auto n = 333u;
  for (auto t : widths) {
    auto w = weights{n, k, 9};
    auto x = random_floats(6, 40 * k);
    auto one = with_room(1, t, 1, k);
    auto want = floats(40 * n);
    for (auto i = 0u; i < 40; ++i)
      matmul(one, x.data() + i * k, 1,
             std::array{linear{w.view, nullptr, want.data() + i * n}});
    for (auto threads : {1u, 2u, 3u}) {
      auto c = with_room(threads, t, 33, k);
      for (auto m : {2u, 3u, 5u, 7u, 12u, 13u, 33u})
        for (auto first : {0u, 1u, 7u}) {
          auto y = floats(m * n);
          matmul(c, x.data() + first * k, m,
                 std::array{linear{w.view, nullptr, y.data()}});
          auto expected =
              floats{want.begin() + first * n, want.begin() + (first + m) * n};
          BOOST_TEST(same_bits(y, expected), m << " from " << first);
        }
    }
  }
}

BOOST_AUTO_TEST_CASE(maps_of_all_kinds_in_one_call) {
  constexpr auto k = 96u;
  auto a = weights{70, k, 1};
  auto plain = a.view;
  plain.packed = nullptr;
  auto values = random_floats(2, 33 * k);
  auto q = matrix_view{dtype::q8_0, 33, k, nullptr};
  auto bytes = std::vector<std::byte>(33 * q.row_bytes());
  q.data = bytes.data();
  for (auto r = 0u; r < 33; ++r)
    quantize_row(dtype::q8_0, values.data() + r * k, k,
                 bytes.data() + r * q.row_bytes());
  auto packed = packed_matrix{q};
  q.packed = &packed;
  auto x = random_floats(5, 9 * k);
  for (auto m : {1u, 9u}) {
    auto c = with_room(2, activation_type::i16, 9, k);
    auto ya = floats(m * 70), yq = floats(m * 33), yp = floats(m * 70);
    matmul(c, x.data(), m,
           std::array{linear{q, nullptr, yq.data()},
                      linear{plain, nullptr, yp.data()},
                      linear{a.view, nullptr, ya.data()}});
    for (auto& [map, y] :
         {std::pair{q, yq}, std::pair{plain, yp}, std::pair{a.view, ya}}) {
      auto one = floats(y.size());
      matmul(c, x.data(), m, std::array{linear{map, nullptr, one.data()}});
      BOOST_TEST(same_bits(y, one));
    }
    for (auto i = 0u; i < ya.size(); ++i)
      BOOST_TEST(std::abs(ya[i] - yp[i]) < 1e-4);
  }
}

BOOST_AUTO_TEST_SUITE_END()
