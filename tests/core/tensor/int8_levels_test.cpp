#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/base/random.hpp"
#include "core/tensor/half.hpp"
#include "core/tensor/int8.hpp"
#include "core/tensor/matmul.hpp"
#include "core/tensor/quant.hpp"
#include "core/tensor/quant_k.hpp"
#include "tests/support/core/floats.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr dtype types[] = {dtype::q4_1, dtype::q5_0, dtype::q5_1,
                           dtype::q4_k, dtype::q5_k, dtype::q6_k};
constexpr auto widths = {activation_type::i8, activation_type::i16};

float half_at(const std::byte* p) {
  uint16_t h;
  std::memcpy(&h, p, sizeof(h));
  return f16_to_f32(h);
}

// All bits that a file can hold but for the float16 numbers, which are finite
// and of up to 0.01.
struct weights {
  weights(dtype t, uint32_t rows, uint32_t cols, uint64_t seed) {
    view = {t, rows, cols, nullptr};
    bytes.resize(rows * view.row_bytes());
    for (auto i = size_t{0}; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::byte>(random_bits(seed, i));
    auto put_half = [&](size_t at) {
      auto h = f32_to_f16(
          static_cast<float>(0.02 * random_unit(seed + 1, at) - 0.01));
      std::memcpy(bytes.data() + at, &h, sizeof(h));
    };
    auto block = block_bytes(t);
    for (auto at = size_t{0}; at < bytes.size(); at += block) {
      put_half(t == dtype::q6_k ? at + 208 : at);
      if (t != dtype::q6_k && t != dtype::q5_0)
        put_half(at + 2);
    }
    view.data = bytes.data();
    packed = packed_matrix{view};
    view.packed = &packed;
  }

  /// The weights as they are decoded, [rows, cols].
  floats values() const {
    auto all = floats(size_t{view.rows} * view.cols);
    for (auto r = 0u; r < view.rows; ++r)
      dequantize_row(view.type, view.row(r), view.cols,
                     all.data() + size_t{r} * view.cols);
    return all;
  }

  matrix_view view;
  std::vector<std::byte> bytes;
  packed_matrix packed;
};

// 32 weights of a row: w = scale[j / 16] * (level - offset) + minimum.
struct group {
  float scale[2];
  float minimum = 0;
  int offset = 0;
  std::array<int, 32> level;
};

group group_of(const weights& w, uint32_t row, uint32_t g) {
  auto t = w.view.type;
  auto* b = w.view.row(row) + g * 32 / block_values(t) * block_bytes(t);
  auto to = group{};
  if (t == dtype::q6_k) {
    auto k = split_q6_k(b);
    for (auto i = 0u; i < 2; ++i)
      to.scale[i] = f16_to_f32(k.d) * k.scale[g % 8 * 2 + i];
    for (auto i = 0u; i < 32; ++i)
      to.level[i] = k.level[g % 8 * 32 + i];
    to.offset = 32;
  } else if (block_values(t) == 256) {
    auto k = t == dtype::q4_k ? split_q4_k(b) : split_q5_k(b);
    to.scale[0] = to.scale[1] = f16_to_f32(k.d) * k.scale[g % 8];
    to.minimum = -f16_to_f32(k.e) * k.min[g % 8];
    for (auto i = 0u; i < 32; ++i)
      to.level[i] = k.level[g % 8 * 32 + i];
  } else {
    auto* nibbles = b + block_bytes(t) - 16;
    auto fifth = uint32_t{0};
    if (t != dtype::q4_1)
      std::memcpy(&fifth, nibbles - 4, sizeof(fifth));
    to.scale[0] = to.scale[1] = half_at(b);
    if (t == dtype::q5_0)
      to.offset = 16;
    else
      to.minimum = half_at(b + 2);
    for (auto i = 0u; i < 32; ++i) {
      auto both = std::to_integer<int>(nibbles[i % 16]);
      to.level[i] = (i < 16 ? both & 15 : both >> 4)
                    + static_cast<int>(fifth >> i & 1) * 16;
    }
  }
  return to;
}

// The plain twin, in the words of int8_levels_impl.hpp.
float plain_product(const weights& w, uint32_t row, const quantised_rows& x,
                    uint32_t x_row, float y) {
  for (auto g = 0u; g < x.groups; ++g) {
    auto of_w = group_of(w, row, g);
    auto& of_x =
        *reinterpret_cast<const wide_quantised_group*>(x.group(x_row, g));
    int64_t dot[2] = {0, 0};
    auto sum = 0;
    for (auto i = 0u; i < 32; ++i) {
      auto q = of_x.low[i] + (x.wide ? 256 * of_x.high[i] : 0);
      dot[i / 16] += (of_w.level[i] - of_w.offset) * q;
      sum += q;
    }
    auto take = [&](int64_t d, float scale) {
      y = std::fma(static_cast<float>(d), scale * of_x.scale, y);
    };
    if (w.view.type == dtype::q6_k) {
      take(dot[0], of_w.scale[0]);
      take(dot[1], of_w.scale[1]);
    } else {
      take(dot[0] + dot[1], of_w.scale[0]);
    }
    if (of_w.minimum != 0)
      y = std::fma(of_w.minimum, static_cast<float>(sum) * of_x.scale, y);
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

quantised_rows quantise(const int8_kernels& k, const quantised_buffer& b,
                        const float* x, uint32_t m, uint32_t inputs) {
  auto rows = b.rows(m, inputs);
  for (auto i = 0u; i < m; ++i)
    k.quantise(x, i, rows);
  return rows;
}

compute with_room(unsigned threads, activation_type t, uint32_t m, uint32_t k) {
  return compute{threads, best_kernels(), matmul_scratch_floats(k), t, m, k};
}

} // namespace

BOOST_AUTO_TEST_SUITE(tensor_int8_levels)

BOOST_AUTO_TEST_CASE(packed_matrices_take_about_the_room_of_the_original) {
  for (auto t : types) {
    auto w = weights{t, 64, 512, 1};
    auto more = t == dtype::q4_k ? 1.028 : t == dtype::q5_k ? 1.023 : 1.0;
    auto ratio = static_cast<double>(w.packed.bytes())
                 / static_cast<double>(w.bytes.size());
    BOOST_TEST(ratio <= more, to_string(t) << " " << ratio);
    BOOST_TEST(packed_matrix::supports(t));
  }
  BOOST_TEST(!packed_matrix::supports(dtype::f32));
}

BOOST_AUTO_TEST_CASE(products_agree_with_the_plain_twin_bit_for_bit) {
  for (auto t : types)
    for (auto width : widths)
      for (auto blocks : {1u, 3u})
        for (auto n : {1u, 32u, 45u, 95u}) {
          auto k = blocks * block_values(t);
          auto w = weights{t, n, k, k + n};
          auto x = random_floats(n, size_t{17} * k);
          auto bias = random_floats(3, n);
          auto before = random_floats(4, size_t{17} * n);
          auto b = quantised_buffer{};
          b.assign(width, 17, k);
          auto want = before;
          auto rows = quantise(*all_kernels()[0], b, x.data(), 17, k);
          for (auto r = 0u; r < 17; ++r)
            for (auto i = 0u; i < n; ++i)
              want[r * n + i] =
                  plain_product(w, i, rows, r, before[r * n + i] + bias[i]);
          for (auto* kernels : all_kernels())
            for (auto m = 1u; m <= 17; ++m) {
              rows = quantise(*kernels, b, x.data(), m, k);
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
              BOOST_TEST(same_bits(y, {want.data(), m * n}),
                         kernels->name << " " << to_string(t) << " " << m << "x"
                                       << n << "x" << k);
            }
        }
}

BOOST_AUTO_TEST_CASE(products_agree_with_sums_in_double) {
  for (auto t : types)
    for (auto k : {256u, 1280u, 5632u})
      for (auto width : widths) {
        auto n = 67u;
        auto m = 5u;
        auto w = weights{t, n, k, k};
        auto values = w.values();
        auto x = random_floats(2, size_t{m} * k);
        auto c = with_room(2, width, m, k);
        auto y = floats(size_t{m} * n);
        matmul(c, x.data(), m, std::array{linear{w.view, nullptr, y.data()}});
        // A group's x are off by up to half of 1 / 32512 or 1 / 127, as often
        // up as down: a sixth of that, squared, is their variance's root; and
        // sums in float32 are off by some 2^-24 of the terms a group.
        auto step = (width == activation_type::i16 ? 1 / 32512. : 1 / 127.);
        for (auto r = 0u; r < m; ++r)
          for (auto i = 0u; i < n; ++i) {
            auto want = 0.0, squares = 0.0, terms = 0.0;
            for (auto j = 0u; j < k; ++j) {
              auto v = double{values[size_t{i} * k + j]};
              want += v * x[size_t{r} * k + j];
              squares += v * v;
              terms = std::max(terms, std::fabs(v));
            }
            auto off = std::fabs(y[r * n + i] - want);
            auto allowed = 6 * step / std::sqrt(12.) * std::sqrt(squares)
                           + 0x1p-24 * terms * k;
            BOOST_TEST(off <= allowed, to_string(t)
                                           << " " << r << " " << i << ": "
                                           << off << " > " << allowed);
          }
      }
}

BOOST_AUTO_TEST_CASE(the_largest_values_do_not_overflow) {
  for (auto t : types)
    for (auto byte : {0x80, 0x7f, 0x00, 0xff})
      for (auto width : widths)
        for (auto sign : {-1.f, 1.f}) {
          auto k = block_values(t);
          auto w = weights{t, 32, k, 1};
          auto block = block_bytes(t);
          for (auto i = size_t{0}; i < w.bytes.size(); ++i)
            if (t == dtype::q6_k ? i % block < 208 : i % block >= 4)
              w.bytes[i] = static_cast<std::byte>(byte);
          w.packed = packed_matrix{w.view};
          auto x = floats(2 * size_t{k}, sign);
          auto b = quantised_buffer{};
          b.assign(width, 2, k);
          for (auto* kernels : all_kernels()) {
            auto rows = quantise(*kernels, b, x.data(), 2, k);
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
              BOOST_TEST(y[i] == plain_product(w, i % 32, rows, i / 32, 0));
          }
        }
}

BOOST_AUTO_TEST_CASE(a_row_is_the_same_alone_and_among_others) {
  auto k = 768u;
  auto n = 173u;
  for (auto t : types)
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
        for (auto m = 1u; m <= 33; m += m < 17 ? 1 : 16)
          for (auto first : {0u, 1u, 7u}) {
            auto y = floats(m * n);
            matmul(c, x.data() + first * k, m,
                   std::array{linear{w.view, nullptr, y.data()}});
            BOOST_TEST(same_bits(y, {want.data() + first * n, size_t{m} * n}),
                       to_string(t) << " " << m << " from " << first);
          }
      }
    }
}

BOOST_AUTO_TEST_SUITE_END()
