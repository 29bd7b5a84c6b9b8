#include "core/tensor/int8.hpp"

#include <algorithm>
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

// Weights of all encodings that a file can hold, -128 of a q8_0 among them.
struct weights {
  weights(dtype t, uint32_t rows, uint32_t cols, uint64_t seed) {
    view = {t, rows, cols, nullptr};
    bytes.resize(rows * view.row_bytes());
    for (auto i = size_t{0}; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::byte>(random_bits(seed, i));
    auto block = block_bytes(t);
    for (auto i = size_t{0}; i < bytes.size(); i += block) {
      auto scale = f32_to_f16(
          0.01f * static_cast<float>(2 * random_unit(seed + 1, i) - 1));
      std::memcpy(bytes.data() + i, &scale, 2);
    }
    view.data = bytes.data();
    packed = packed_matrix{view};
    view.packed = &packed;
  }

  int weight(uint32_t row, uint32_t i) const {
    auto* block = view.row(row) + i / 32 * block_bytes(view.type);
    auto j = i % 32;
    if (view.type == dtype::q8_0)
      return static_cast<int8_t>(block[2 + j]);
    auto both = std::to_integer<int>(block[2 + j % 16]);
    return (j < 16 ? both & 15 : both >> 4) - 8;
  }

  float scale(uint32_t row, uint32_t i) const {
    uint16_t h;
    std::memcpy(&h, view.row(row) + i / 32 * block_bytes(view.type), 2);
    return f16_to_f32(h);
  }

  matrix_view view;
  std::vector<std::byte> bytes;
  packed_matrix packed;
};

// The plain twin: one value at a time, in the words of int8_impl.hpp.
struct plain_group {
  float scale;
  std::array<int, 32> q;
};

plain_group plain_quantise(const float* x, bool wide) {
  auto g = plain_group{};
  auto largest = 0.f;
  for (auto i = 0; i < 32; ++i) {
    if (!std::isfinite(x[i]))
      return {std::numeric_limits<float>::quiet_NaN(), {}};
    largest = std::max(largest, std::fabs(x[i]));
  }
  if (largest <= 1e-30f)
    return g;
  auto top = wide ? 32512.f : 127.f;
  g.scale = largest / top;
  auto inverse = top / largest;
  for (auto i = 0; i < 32; ++i)
    g.q[static_cast<size_t>(i)] =
        static_cast<int>(std::nearbyint(x[i] * inverse));
  return g;
}

float plain_product(const weights& w, uint32_t row, const float* x, bool wide,
                    float y) {
  for (auto k = 0u; k < w.view.cols; k += 32) {
    auto g = plain_quantise(x + k, wide);
    auto sum = int64_t{0};
    for (auto i = 0u; i < 32; ++i)
      sum += w.weight(row, k + i) * g.q[i];
    y = std::fma(static_cast<float>(sum), w.scale(row, k) * g.scale, y);
  }
  return y;
}

std::vector<const int8_kernels*> all_kernels() {
  auto all = std::vector<const int8_kernels*>{};
  for (auto set :
       {int8_instruction_set::portable, int8_instruction_set::avx2,
        int8_instruction_set::avx_vnni, int8_instruction_set::avx512_vnni})
    if (auto* k = int8_kernels_for(set))
      all.push_back(k);
  return all;
}

constexpr auto widths = {activation_type::i8, activation_type::i16};

quantised_rows quantise(const int8_kernels& k, const quantised_buffer& b,
                        const floats& x, uint32_t m) {
  auto rows = b.rows(m, static_cast<uint32_t>(x.size()) / m);
  for (auto i = 0u; i < m; ++i)
    k.quantise(x.data(), i, rows);
  return rows;
}

compute with_room(unsigned threads, activation_type t, uint32_t m, uint32_t k) {
  return compute{threads, best_kernels(), matmul_scratch_floats(k), t, m, k};
}

} // namespace

BOOST_AUTO_TEST_SUITE(tensor_int8)

BOOST_AUTO_TEST_CASE(a_packed_matrix_takes_the_room_of_the_original) {
  for (auto t : {dtype::q8_0, dtype::q4_0}) {
    auto w = weights{t, 96, 128, 1};
    BOOST_TEST(w.packed.bytes() == w.bytes.size());
    BOOST_TEST(w.packed.panels() == 3u);
    BOOST_TEST(weights(t, 97, 32, 1).packed.panels() == 4u);
  }
  BOOST_TEST(!packed_matrix::supports(dtype::f32));
  BOOST_TEST(!packed_matrix::supports(dtype::f16));
}

BOOST_AUTO_TEST_CASE(quantising_agrees_with_the_plain_twin) {
  constexpr auto groups = 9u; // some forms take four at once
  auto x = random_floats(1, 2 * groups * 32);
  for (auto r = 0u; r < 2; ++r) {
    auto* row = x.data() + r * groups * 32;
    for (auto i = 0u; i < 32; ++i) {
      row[32 + i] = 0;
      row[64 + i] *= 1e-31f;                             // counts as zeros
      row[96 + i] *= 3e38f;                              // no overflow
      row[128 + i] = 1.f - 0.5f * static_cast<float>(i); // ties
      row[256 + i] = row[128 + i];
    }
    row[128] = row[256] = 127;
    row[160 + 17] = r == 0 ? std::numeric_limits<float>::infinity()
                           : std::numeric_limits<float>::quiet_NaN();
  }
  for (auto t : widths) {
    auto wide = t == activation_type::i16;
    auto b = quantised_buffer{};
    b.assign(t, 2, groups * 32);
    for (auto* k : all_kernels()) {
      auto rows = quantise(*k, b, x, 2);
      for (auto r = 0u; r < 2; ++r)
        for (auto g = 0u; g < groups; ++g) {
          auto want = plain_quantise(x.data() + (r * groups + g) * 32, wide);
          auto& got =
              *reinterpret_cast<const wide_quantised_group*>(rows.group(r, g));
          if (g == 5)
            BOOST_TEST(std::isnan(got.scale), k->name);
          else
            BOOST_TEST(same_bits(floats{got.scale}, floats{want.scale}),
                       k->name);
          auto sum = 0;
          auto first = 0;
          for (auto i = 0u; i < 32; ++i) {
            auto q = got.low[i] + (wide ? 256 * got.high[i] : 0);
            BOOST_TEST(q == want.q[i], k->name);
            sum += q;
            first += i < 16 ? q : 0;
          }
          BOOST_TEST(got.first == -32 * first);
          BOOST_TEST(got.start[0] == -128 * sum);
          BOOST_TEST(got.start[1] == -8 * sum);
        }
    }
  }
}

BOOST_AUTO_TEST_CASE(products_agree_with_the_plain_twin_bit_for_bit) {
  for (auto t : {dtype::q8_0, dtype::q4_0})
    for (auto width : widths)
      for (auto k : {32u, 96u, 1120u})
        for (auto n : {1u, 32u, 45u, 64u, 95u}) {
          auto wide = width == activation_type::i16;
          auto w = weights{t, n, k, k + n};
          auto x = random_floats(n, size_t{17} * k);
          auto bias = random_floats(3, n);
          auto before = random_floats(4, size_t{17} * n);
          auto want = before;
          for (auto r = 0u; r < 17; ++r)
            for (auto i = 0u; i < n; ++i)
              want[r * n + i] =
                  plain_product(w, i, x.data() + size_t{r} * k, wide,
                                before[r * n + i] + bias[i]);
          auto b = quantised_buffer{};
          b.assign(width, 17, k);
          for (auto* kernels : all_kernels())
            for (auto m = 1u; m <= 17; ++m) {
              auto some = floats{x.begin(), x.begin() + m * k};
              auto rows = quantise(*kernels, b, some, m);
              auto y = floats{before.begin(), before.begin() + m * n};
              auto block = int8_block{};
              block.type = t;
              block.panels = w.packed.panel(0);
              block.x = &rows;
              block.bias = bias.data();
              block.y = y.data();
              block.y_stride = n;
              block.m = m;
              block.n = n;
              block.add = true;
              kernels->multiply(block);
              auto first = floats{want.begin(), want.begin() + m * n};
              BOOST_TEST(same_bits(y, first), kernels->name
                                                  << " " << to_string(t) << " "
                                                  << m << "x" << n << "x" << k);
            }
        }
}

BOOST_AUTO_TEST_CASE(the_largest_values_do_not_overflow) {
  for (auto t : {dtype::q8_0, dtype::q4_0})
    for (auto byte : {0x80, 0x7f, 0x00, 0xff})
      for (auto width : widths)
        for (auto sign : {-1.f, 1.f}) {
          auto w = weights{t, 32, 32, 1};
          auto block = block_bytes(t);
          for (auto i = size_t{0}; i < w.bytes.size(); ++i)
            if (i % block >= 2)
              w.bytes[i] = static_cast<std::byte>(byte);
          w.packed = packed_matrix{w.view};
          auto x = floats(64, sign);
          auto b = quantised_buffer{};
          b.assign(width, 2, 32);
          for (auto* kernels : all_kernels()) {
            auto rows = quantise(*kernels, b, x, 2);
            auto y = floats(64, 7.f);
            auto p = int8_block{};
            p.type = t;
            p.panels = w.packed.panel(0);
            p.x = &rows;
            p.y = y.data();
            p.y_stride = 32;
            p.m = 2;
            p.n = 32;
            kernels->multiply(p);
            for (auto i = 0u; i < 64; ++i)
              BOOST_TEST(y[i]
                         == plain_product(w, i % 32, x.data(),
                                          width == activation_type::i16, 0));
          }
        }
}

BOOST_AUTO_TEST_CASE(what_is_not_finite_spoils_its_row_alone) {
  auto w = weights{dtype::q8_0, 40, 64, 2};
  for (auto bad : {std::numeric_limits<float>::infinity(),
                   -std::numeric_limits<float>::infinity(),
                   std::numeric_limits<float>::quiet_NaN()}) {
    auto x = random_floats(5, 3 * 64);
    auto clean = x;
    x[64 + 40] = bad;
    for (auto width : widths) {
      auto c = with_room(1, width, 3, 64);
      auto y = floats(120), z = floats(120);
      matmul(c, x.data(), 3, std::array{linear{w.view, nullptr, y.data()}});
      matmul(c, clean.data(), 3, std::array{linear{w.view, nullptr, z.data()}});
      for (auto i = 0u; i < 120; ++i)
        if (i / 40 == 1)
          BOOST_TEST(std::isnan(y[i]));
        else
          BOOST_TEST(y[i] == z[i]);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_row_is_the_same_alone_and_among_others) {
  auto k = 544u;
  auto n = 333u;
  for (auto t : {dtype::q8_0, dtype::q4_0})
    for (auto width : widths) {
      auto w = weights{t, n, k, 9};
      auto x = random_floats(6, 40 * k);
      auto one = with_room(1, width, 1, k);
      auto want = floats(40 * n);
      for (auto i = 0u; i < 40; ++i)
        matmul(one, x.data() + i * k, 1,
               std::array{linear{w.view, nullptr, want.data() + i * n}});
      for (auto threads : {1u, 2u, 3u}) {
        auto c = with_room(threads, width, 33, k);
        for (auto m : {2u, 3u, 5u, 7u, 12u, 13u, 33u})
          for (auto first : {0u, 1u, 7u}) {
            auto y = floats(m * n);
            matmul(c, x.data() + first * k, m,
                   std::array{linear{w.view, nullptr, y.data()}});
            auto expected = floats{want.begin() + first * n,
                                   want.begin() + (first + m) * n};
            BOOST_TEST(same_bits(y, expected),
                       to_string(t) << " " << m << " from " << first);
          }
      }
    }
}

BOOST_AUTO_TEST_CASE(packed_and_other_maps_of_one_call) {
  auto k = 96u;
  auto a = weights{dtype::q8_0, 70, k, 1};
  auto b = weights{dtype::q4_0, 33, k, 2};
  auto plain = a.view;
  plain.packed = nullptr;
  auto x = random_floats(5, 9 * k);
  for (auto m : {1u, 9u}) {
    auto c = with_room(2, activation_type::i16, 9, k);
    auto ya = floats(m * 70), yb = floats(m * 33), yp = floats(m * 70);
    matmul(c, x.data(), m,
           std::array{linear{a.view, nullptr, ya.data()},
                      linear{plain, nullptr, yp.data()},
                      linear{b.view, nullptr, yb.data()}});
    auto one = floats(m * 70);
    matmul(c, x.data(), m, std::array{linear{a.view, nullptr, one.data()}});
    BOOST_TEST(same_bits(ya, one));
    matmul(c, x.data(), m, std::array{linear{plain, nullptr, one.data()}});
    BOOST_TEST(same_bits(yp, one));
    one.resize(m * 33);
    matmul(c, x.data(), m, std::array{linear{b.view, nullptr, one.data()}});
    BOOST_TEST(same_bits(yb, one));
    // 16 bits of activations: 96 products of at most 1.28, each off by up to
    // half of 1 / 32512.
    for (auto i = 0u; i < ya.size(); ++i)
      BOOST_TEST(std::abs(ya[i] - yp[i]) < 96 * 1.28f / 65024);
  }
}

BOOST_AUTO_TEST_SUITE_END()
