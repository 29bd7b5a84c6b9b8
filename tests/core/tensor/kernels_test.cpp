#include "core/tensor/kernels.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "core/base/random.hpp"
#include "core/tensor/half.hpp"
#include "core/tensor/quant.hpp"
#include "tests/support/core/floats.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr dtype block_types[] = {dtype::q4_0, dtype::q4_1, dtype::q5_0,
                                 dtype::q5_1, dtype::q8_0, dtype::q4_k,
                                 dtype::q5_k, dtype::q6_k};

constexpr dtype all_types[] = {dtype::f32,  dtype::f16,  dtype::bf16,
                               dtype::q4_0, dtype::q4_1, dtype::q5_0,
                               dtype::q5_1, dtype::q8_0, dtype::q4_k,
                               dtype::q5_k, dtype::q6_k};

std::vector<const kernels*> all_kernels() {
  auto found = std::vector<const kernels*>{};
  for (auto set : {instruction_set::portable, instruction_set::avx2,
                   instruction_set::avx512})
    if (auto* k = kernels_for(set))
      found.push_back(k);
  return found;
}

// Rows of w encoded one after the other, behind one byte of misalignment, as
// a file may hold them; its end is the allocation's, for AddressSanitizer.
struct encoded {
  encoded(dtype t, const floats& w, uint32_t rows, uint32_t cols) {
    view = {t, rows, cols, nullptr};
    bytes.resize(1 + rows * view.row_bytes());
    view.data = bytes.data() + 1;
    for (auto r = 0u; r < rows; ++r)
      quantize_row(t, w.data() + r * size_t{cols}, cols,
                   bytes.data() + 1 + r * view.row_bytes());
    values.resize(w.size());
    for (auto r = 0u; r < rows; ++r)
      dequantize_row(t, view.row(r), cols, values.data() + r * size_t{cols});
  }
  matrix_view view;
  std::vector<std::byte> bytes;
  floats values;
};

matmul_block block_of(const encoded& w, const floats& x, uint32_t m,
                      floats& y) {
  auto b = matmul_block{};
  b.type = w.view.type;
  b.w = w.view.data;
  b.w_stride = w.view.row_bytes();
  b.x = x.data();
  b.x_stride = w.view.cols;
  b.y = y.data();
  b.y_stride = w.view.rows;
  b.m = m;
  b.n = w.view.rows;
  b.k = w.view.cols;
  return b;
}

} // namespace

BOOST_AUTO_TEST_SUITE(tensor_kernels)

BOOST_AUTO_TEST_CASE(the_best_kernels_are_the_last_that_exist) {
  BOOST_TEST(all_kernels().front()->name == std::string{"portable"});
  BOOST_TEST(best_kernels().name == all_kernels().back()->name);
}

BOOST_AUTO_TEST_CASE(dequantize_is_dequantize_row) {
  for (auto* k : all_kernels())
    for (auto t : all_types)
      for (auto n : {1u, 15u, 31u, 32u, 33u, 64u, 100u, 256u, 768u}) {
        if (n % block_values(t) != 0)
          continue;
        auto w = encoded{t, random_floats(n, n, 3.f), 1, n};
        auto out = floats(n);
        k->dequantize(t, w.view.data, n, out.data());
        BOOST_TEST(same_bits(out, w.values),
                   k->name << " " << to_string(t) << " " << n);
      }
}

BOOST_AUTO_TEST_CASE(each_encoded_value_is_expanded_as_the_plain_form_does) {
  // All 65536 halves, and all bytes under a few scales.
  auto halves = std::vector<uint16_t>(65536);
  for (auto i = size_t{0}; i < halves.size(); ++i)
    halves[i] = static_cast<uint16_t>(i);
  auto* raw = reinterpret_cast<const std::byte*>(halves.data());
  for (auto* k : all_kernels()) {
    for (auto t : {dtype::f16, dtype::bf16}) {
      auto want = floats(65536);
      auto got = floats(65536);
      dequantize_row(t, raw, 65536, want.data());
      k->dequantize(t, raw, 65536, got.data());
      auto wrong = 0;
      for (auto i = size_t{0}; i < got.size(); ++i)
        wrong += std::isnan(want[i])
                     ? !std::isnan(got[i])
                     : std::memcmp(&got[i], &want[i], sizeof(float)) != 0;
      BOOST_TEST(wrong == 0, k->name << " " << to_string(t));
    }
    // Scales lie at the start, those of q6_k at the end; any bytes will do.
    for (auto t : block_types)
      for (auto scale : {0x0000, 0x0001, 0x3c00, 0xbc01, 0x7bff}) {
        auto bytes = std::vector<std::byte>{};
        auto blocks = 16u;
        for (auto b = 0u; b < blocks; ++b)
          for (auto i = 0u; i < block_bytes(t); ++i) {
            auto at = t == dtype::q6_k ? i - 208 : i;
            auto byte = at < 4 ? scale >> at % 2 * 8
                               : static_cast<int>(random_bits(b, i) >> 20);
            bytes.push_back(static_cast<std::byte>(byte));
          }
        auto n = blocks * block_values(t);
        auto want = floats(n);
        auto got = floats(n);
        dequantize_row(t, bytes.data(), n, want.data());
        k->dequantize(t, bytes.data(), n, got.data());
        BOOST_TEST(same_bits(got, want), k->name << " " << to_string(t));
      }
  }
}

BOOST_AUTO_TEST_CASE(a_product_agrees_with_plain_loops) {
  for (auto* fast : all_kernels())
    for (auto t : all_types)
      for (auto k : {1u, 7u, 16u, 31u, 32u, 33u, 64u, 96u, 145u, 256u}) {
        if (k % block_values(t) != 0)
          continue;
        for (auto m : {1u, 2u, 3u, 4u, 5u, 7u, 9u})
          for (auto n : {1u, 2u, 3u, 4u, 5u, 11u}) {
            auto w = encoded{t, random_floats(k, n * k), n, k};
            auto x = random_floats(m, m * k);
            auto bias = random_floats(99, n);
            auto before = random_floats(98, m * n);
            auto y = before;
            auto b = block_of(w, x, m, y);
            b.bias = bias.data();
            b.add = true;
            fast->multiply(b);
            auto worst = 0.0;
            for (auto i = 0u; i < m; ++i)
              for (auto j = 0u; j < n; ++j) {
                auto sum = static_cast<double>(bias[j]) + before[i * n + j];
                auto size = static_cast<double>(std::abs(bias[j]))
                            + std::abs(before[i * n + j]);
                for (auto l = 0u; l < k; ++l) {
                  auto term =
                      static_cast<double>(x[i * k + l]) * w.values[j * k + l];
                  sum += term;
                  size += std::abs(term);
                }
                // k / 16 additions a lane, 4 levels of the tree, 2 at the end;
                // each errs by 2^-24 of at most the sum of magnitudes.
                auto allowed = (k / 16.0 + 7) * 0x1p-24 * size;
                worst = std::max(worst, std::abs(y[i * n + j] - sum) / allowed);
              }
            BOOST_TEST(worst <= 1.0, fast->name << " " << to_string(t) << " "
                                                << m << "x" << n << "x" << k);
          }
      }
}

BOOST_AUTO_TEST_CASE(a_product_has_the_same_bits_in_every_form_and_tile) {
  for (auto t : all_types)
    for (auto k : {5u, 32u, 48u, 160u, 203u, 512u}) {
      if (k % block_values(t) != 0)
        continue;
      auto n = 13u;
      auto m = 11u;
      auto w = encoded{t, random_floats(k, n * k), n, k};
      auto x = random_floats(m, m * k);
      // One value at a time.
      auto want = floats(m * n);
      auto* portable = kernels_for(instruction_set::portable);
      for (auto i = 0u; i < m; ++i)
        for (auto j = 0u; j < n; ++j) {
          auto b = block_of(w, x, 1, want);
          b.x += i * k;
          b.w = w.view.row(j);
          b.y += i * n + j;
          b.n = 1;
          portable->multiply(b);
        }
      auto expanded = encoded{dtype::f32, w.values, n, k};
      for (auto* fast : all_kernels()) {
        auto y = floats(m * n);
        fast->multiply(block_of(w, x, m, y));
        BOOST_TEST(same_bits(y, want), fast->name << " " << to_string(t));
        for (auto rows = 1u; rows <= 9; ++rows) {
          auto some = floats(m * n);
          auto b = block_of(expanded, x, rows, some);
          fast->multiply(b);
          BOOST_TEST(
              same_bits({some.data(), rows * n}, {want.data(), rows * n}),
              fast->name << " rows " << rows);
        }
      }
    }
}

BOOST_AUTO_TEST_CASE(swiglu_agrees_with_libm_and_among_forms) {
  for (auto n : {1u, 15u, 16u, 17u, 33u, 768u}) {
    auto gate = random_floats(n, n, 20.f);
    auto up = random_floats(n + 1, n);
    if (n > 600) { // values where the exponential is clamped
      gate[0] = 0.f;
      gate[1] = -0.f;
      gate[2] = 500.f;
      gate[3] = -500.f;
      gate[4] = -87.5f;
      gate[5] = 88.5f;
    }
    auto want = gate;
    kernels_for(instruction_set::portable)->swiglu(want.data(), up.data(), n);
    auto worst = 0.0;
    for (auto i = 0u; i < n; ++i) {
      auto g = static_cast<double>(gate[i]);
      auto exact = g / (1 + std::exp(-g)) * up[i];
      worst = std::max(worst, std::abs(want[i] - exact)
                                  / (1e-35 + 4e-7 * std::abs(exact)));
    }
    BOOST_TEST(worst <= 1.0, n << " off by " << worst);
    for (auto* k : all_kernels()) {
      auto got = gate;
      k->swiglu(got.data(), up.data(), n);
      BOOST_TEST(same_bits(got, want), k->name << " " << n);
    }
  }
}

BOOST_AUTO_TEST_CASE(geglu_and_softcap_agree_with_libm_and_among_forms) {
  auto pi = std::acos(-1.0);
  for (auto n : {1u, 15u, 16u, 17u, 33u, 768u}) {
    auto gate = random_floats(n, n, 6.f);
    auto up = random_floats(n + 1, n);
    if (n > 600) { // values where the exponential is clamped
      gate[0] = 0.f;
      gate[1] = 500.f;
      gate[2] = -500.f;
    }
    auto gated = gate;
    auto capped = gate;
    auto& plain = *kernels_for(instruction_set::portable);
    plain.geglu(gated.data(), up.data(), n);
    plain.softcap(capped.data(), 3.f, n);
    for (auto i = 0u; i < n; ++i) {
      auto g = static_cast<double>(gate[i]);
      auto u = std::sqrt(2 / pi) * (g + 0.044715 * g * g * g);
      BOOST_TEST(std::abs(gated[i] - g / 2 * (1 + std::tanh(u)) * up[i])
                 <= 1e-6 * (1 + std::abs(g)));
      BOOST_TEST(std::abs(capped[i] - 3 * std::tanh(g / 3)) <= 2e-6);
    }
    for (auto* k : all_kernels()) {
      auto x = gate;
      k->geglu(x.data(), up.data(), n);
      BOOST_TEST(same_bits(x, gated), k->name << " " << n);
      x = gate;
      k->softcap(x.data(), 3.f, n);
      BOOST_TEST(same_bits(x, capped), k->name << " " << n);
    }
  }
}

BOOST_AUTO_TEST_CASE(swiglu_passes_a_nan_on) {
  for (auto* k : all_kernels()) {
    auto gate = floats{1, std::numeric_limits<float>::quiet_NaN(), 3};
    auto up = floats{1, 1, 1};
    k->swiglu(gate.data(), up.data(), 3);
    BOOST_TEST((std::isfinite(gate[0]) && std::isnan(gate[1])
                && std::isfinite(gate[2])));
  }
}

BOOST_AUTO_TEST_CASE(to_f16_rounds_as_the_plain_form_does) {
  auto xs = random_floats(1, 1000, 100.f);
  for (auto x : {0.f, -0.f, 65504.f, 65519.f, 65520.f, -1e9f, 0x1p-24f,
                 0x1p-25f, 0x1.8p-25f, 1.00048828125f, 1.00146484375f})
    xs.push_back(x);
  for (auto i = 0; i < 3000; ++i)
    xs.push_back(std::ldexp(xs[static_cast<size_t>(i) % 1000], -i / 100));
  for (auto* k : all_kernels())
    for (auto n : {1u, 15u, 16u, 17u, static_cast<uint32_t>(xs.size())}) {
      auto got = std::vector<uint16_t>(n);
      k->to_f16(xs.data(), n, reinterpret_cast<std::byte*>(got.data()));
      auto wrong = 0;
      for (auto i = 0u; i < n; ++i)
        wrong += got[i] != f32_to_f16(xs[i]);
      BOOST_TEST(wrong == 0, k->name << " " << n);
    }
}

BOOST_AUTO_TEST_SUITE_END()
