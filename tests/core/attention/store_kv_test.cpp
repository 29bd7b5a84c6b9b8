#include "core/attention/store_kv.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/tensor/half.hpp"
#include "tests/support/core/floats.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

template <class T>
T at(const std::vector<std::byte>& bytes, size_t i) {
  T x;
  std::memcpy(&x, bytes.data() + i, sizeof(x));
  return x;
}

constexpr auto beyond = std::byte{0xa5};

// Rows 3 and 15 of a head's keys, then of its values.
struct stored {
  explicit stored(kv_layout l, const floats& k, const floats& v)
      : layout(l), keys(l.k_bytes() + 8, beyond),
        values(l.v_bytes() + 8, beyond) {
    std::fill_n(keys.begin(), l.k_bytes(), std::byte{0});
    std::fill_n(values.begin(), l.v_bytes(), std::byte{0});
    for (auto row : {3u, 15u}) {
      store_key(best_kernels(), l, k.data(), row, keys.data());
      if (l.has_values())
        store_value(best_kernels(), l, v.data(), row, values.data());
    }
  }

  float number(const std::vector<std::byte>& in, size_t i,
               size_t factor) const {
    switch (layout.dtype) {
    case kv_dtype::f32:
      return at<float>(in, 4 * i);
    case kv_dtype::f16:
      return f16_to_f32(at<uint16_t>(in, 2 * i));
    case kv_dtype::i8:
      return at<float>(in, factor) * static_cast<float>(at<int8_t>(in, i));
    }
    return 0;
  }
  float key(uint32_t row, uint32_t d) const {
    auto i =
        layout.has_values() ? size_t{d} * 16 + row : row * layout.k_width() + d;
    return number(keys, i, layout.k_factors() + 4 * row);
  }
  float value(uint32_t row, uint32_t d) const {
    return number(values, row * layout.v_width() + d,
                  layout.v_factors() + 4 * row);
  }

  kv_layout layout;
  std::vector<std::byte> keys, values;
};

} // namespace

BOOST_AUTO_TEST_SUITE(attention_store_kv)

BOOST_AUTO_TEST_CASE(numbers_lie_where_the_layout_says) {
  for (auto v_dim : {20u, 16u, 7u, 0u})
    for (auto t : {kv_dtype::f32, kv_dtype::f16, kv_dtype::i8}) {
      auto k = random_floats(1, 20, 3.f);
      auto v = random_floats(2, v_dim, 3.f);
      auto s = stored{{1, 1, 20, v_dim, t}, k, v};
      auto allowed = t == kv_dtype::f32   ? 0.f
                     : t == kv_dtype::f16 ? 2e-3f
                                          : 1.2e-2f;
      auto wrong = 0;
      for (auto row = 0u; row < 16; ++row) {
        auto written = row == 3 || row == 15;
        for (auto d = 0u; d < 20; ++d)
          wrong += !(std::abs(s.key(row, d) - (written ? k[d] : 0)) <= allowed);
        for (auto d = 0u; d < v_dim; ++d)
          wrong +=
              !(std::abs(s.value(row, d) - (written ? v[d] : 0)) <= allowed);
        // Padding stays what it is, zero.
        if (v_dim > 0)
          for (auto d = v_dim; d < s.layout.v_width(); ++d)
            wrong += s.value(row, d) != 0;
      }
      for (auto i = 0u; i < 8; ++i)
        wrong += s.keys[s.layout.k_bytes() + i] != beyond
                 || s.values[s.layout.v_bytes() + i] != beyond;
      BOOST_TEST(wrong == 0, v_dim << " " << static_cast<int>(t));
    }
}

BOOST_AUTO_TEST_CASE(i8_rounds_to_the_nearest_and_keeps_the_largest) {
  auto k = floats{-12.7f, 12.7f, 0.f, 0.049f, 0.051f, -0.26f, 6.f, -0.f};
  auto s = stored{{1, 1, 8, 8, kv_dtype::i8}, k, k};
  auto whole = std::vector<int>{-127, 127, 0, 0, 1, -3, 60, 0};
  for (auto d = 0u; d < 8; ++d) {
    BOOST_TEST(at<int8_t>(s.keys, d * 16 + 3) == whole[d]);
    BOOST_TEST(at<int8_t>(s.values, 3 * 16 + d) == whole[d]);
  }
}

BOOST_AUTO_TEST_CASE(what_i8_cannot_scale_stays_apart) {
  constexpr auto inf = std::numeric_limits<float>::infinity();
  constexpr auto nan = std::numeric_limits<float>::quiet_NaN();
  auto value_of = [](float x) {
    auto k = floats{1.f, x, 2.f, 3.f};
    return stored{{1, 1, 4, 4, kv_dtype::i8}, k, k};
  };
  for (auto x : {inf, -inf, nan}) {
    auto s = value_of(x);
    BOOST_TEST(std::isnan(s.key(3, 0)));
    BOOST_TEST(s.key(4, 0) == 0.f);
  }
  for (auto x : {0.f, 1e-45f, 1e-37f}) { // too small for a factor, or nothing
    auto k = floats(4, x);
    auto s = stored{{1, 1, 4, 4, kv_dtype::i8}, k, k};
    BOOST_TEST(std::abs(s.key(3, 0) - x) <= 1e-36f);
  }
  BOOST_TEST(value_of(3e38f).key(3, 1) >= 2.9e38f);
}

BOOST_AUTO_TEST_SUITE_END()
