#include "core/attention/attend.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "core/base/random.hpp"
#include "core/tensor/half.hpp"
#include "tests/support/core/floats.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr kv_dtype all_types[] = {kv_dtype::f32, kv_dtype::f16, kv_dtype::i8};

std::vector<const attend_kernels*> all_kernels() {
  auto found = std::vector<const attend_kernels*>{};
  for (auto set : {instruction_set::portable, instruction_set::avx2,
                   instruction_set::avx512})
    if (auto* k = kernels_for(set))
      found.push_back(&attend_kernels_like(*k));
  return found;
}

// Numbers as they are stored, and what they mean without factors.
struct numbers {
  numbers(kv_dtype t, floats x) : type(t), values(std::move(x)) {
    for (auto& v : values) {
      if (t == kv_dtype::f16)
        v = f16_to_f32(f32_to_f16(v));
      if (t == kv_dtype::i8)
        v = std::nearbyint(v * 40);
    }
    for (auto i = size_t{0}; i < values.size(); ++i)
      set(i, values[i]);
  }
  void set(size_t i, float v) {
    bytes.resize(std::max(bytes.size(), (i + 1) * value_bytes(type)));
    auto* to = bytes.data() + i * value_bytes(type);
    auto half = f32_to_f16(v);
    auto byte = static_cast<int8_t>(std::isnan(v) ? 99 : v);
    std::memcpy(to,
                type == kv_dtype::f32   ? static_cast<const void*>(&v)
                : type == kv_dtype::f16 ? static_cast<const void*>(&half)
                                        : static_cast<const void*>(&byte),
                value_bytes(type));
  }
  kv_dtype type;
  floats values;
  std::vector<std::byte> bytes;
};

// Two spans of tokens, and queries that see different parts of them.
struct attention_case {
  static constexpr auto spans = 2u;
  static constexpr auto tokens = spans * span_tokens;

  attention_case(kv_dtype t, uint32_t queries, uint32_t dim, uint32_t v_dim)
      : queries(queries), dim(dim), v_dim(v_dim),
        stride((v_dim + 15) / 16 * 16), q(random_floats(1, queries * dim)),
        keys(t, random_floats(2, tokens * dim, 3.f)),
        values(t, random_floats(3, tokens * stride)), factors(2 * tokens, 1) {
    if (t == kv_dtype::i8)
      for (auto& f : factors)
        f = 0.02f
            + 0.01f
                  * static_cast<float>(random_bits(5, &f - factors.data()) % 3);
    for (auto i = 0u; i < queries; ++i) {
      auto end = std::min(1 + static_cast<uint32_t>(random_bits(4, i) % 180),
                          uint32_t{tokens}); // many see it all
      auto begin =
          i % 3 == 0 ? static_cast<uint32_t>(random_bits(6, i) % end) : 0;
      seen.push_back({begin, end});
    }
  }

  float key(uint32_t t, uint32_t d) const {
    return keys.values[t / 16 * 16 * dim + d * 16 + t % 16] * factors[t];
  }
  float value(uint32_t t, uint32_t d) const {
    return values.values[t * stride + d] * factors[tokens + t];
  }

  // [n, stride] sums and [n, 16] weights of queries [first, first + n).
  floats run(const attend_kernels& k, uint32_t first, uint32_t n) const {
    auto sum = floats(n * stride);
    auto largest = floats(n, std::numeric_limits<float>::lowest());
    auto weight = floats(n * 16);
    auto s = attention_state{};
    s.queries = n;
    s.k_dim = dim;
    s.v_width = static_cast<uint32_t>(stride);
    s.v_stride = stride;
    s.softcap = softcap;
    s.q = q.data() + first * dim;
    s.sum = sum.data();
    s.largest = largest.data();
    s.weight = weight.data();
    auto size = size_t{value_bytes(keys.type)};
    for (auto at = 0u; at < tokens; at += span_tokens) {
      auto span = kv_span{};
      span.type = keys.type;
      for (auto b = 0u; b < span_blocks; ++b) {
        auto token = at + b * 16;
        span.keys[b] = keys.bytes.data() + token * dim * size;
        span.values[b] = values.bytes.data() + token * stride * size;
        span.next_keys[b] = span.keys[b];
        span.next_values[b] = span.values[b];
        if (keys.type == kv_dtype::i8) {
          span.key_scales[b] = factors.data() + token;
          span.value_scales[b] = factors.data() + tokens + token;
        }
      }
      auto here = std::vector<token_range>{};
      for (auto i = first; i < first + n; ++i)
        here.push_back({std::clamp(seen[i].begin, at, at + span_tokens) - at,
                        std::clamp(seen[i].end, at, at + span_tokens) - at});
      k.attend(s, span, here.data());
    }
    sum.insert(sum.end(), weight.begin(), weight.end());
    return sum;
  }

  uint32_t queries, dim, v_dim;
  size_t stride;
  floats q;
  numbers keys, values;
  floats factors;
  float softcap = 0;
  std::vector<token_range> seen;
};

double off_from_plain_loops(const attention_case& c, const floats& got) {
  auto worst = 0.0;
  for (auto i = 0u; i < c.queries; ++i) {
    auto r = c.seen[i];
    auto weights = std::vector<double>{};
    auto total = 0.0;
    for (auto t = r.begin; t < r.end; ++t) {
      auto x = 0.0;
      for (auto d = 0u; d < c.dim; ++d)
        x += static_cast<double>(c.q[i * c.dim + d]) * c.key(t, d);
      if (c.softcap > 0)
        x = c.softcap * std::tanh(x / c.softcap);
      weights.push_back(std::exp(x));
      total += weights.back();
    }
    auto weight = 0.0;
    for (auto l = 0u; l < 16; ++l)
      weight += got[c.queries * c.stride + i * 16 + l];
    for (auto d = 0u; d < c.v_dim; ++d) {
      auto sum = 0.0;
      for (auto t = r.begin; t < r.end; ++t)
        sum += weights[t - r.begin] / total * c.value(t, d);
      worst = std::max(worst, std::abs(got[i * c.stride + d] / weight - sum));
    }
  }
  return worst;
}

} // namespace

BOOST_AUTO_TEST_SUITE(attention_attend)

BOOST_AUTO_TEST_CASE(it_agrees_with_plain_loops_and_among_forms) {
  for (auto t : all_types)
    for (auto dim : {1u, 6u, 16u, 20u, 48u, 128u})
      for (auto v_dim : {dim, 80u})
        for (auto softcap : {0.f, 5.f}) {
          auto c = attention_case{t, 23, dim, v_dim};
          c.softcap = softcap;
          auto portable =
              attend_kernels_like(*kernels_for(instruction_set::portable));
          auto want = c.run(portable, 0, c.queries);
          // Scores up to some 50 in float32: exp multiplies their error of
          // 1e-6.
          auto off = off_from_plain_loops(c, want);
          BOOST_TEST(off < 1e-4, dim << " off by " << off);
          for (auto* k : all_kernels())
            BOOST_TEST(same_bits(c.run(*k, 0, c.queries), want), dim);
        }
}

BOOST_AUTO_TEST_CASE(a_query_is_computed_alike_in_any_company) {
  for (auto* k : all_kernels()) {
    auto c = attention_case{kv_dtype::f16, 23, 40, 40};
    auto all = c.run(*k, 0, c.queries);
    for (auto n : {1u, 2u, 3u, 5u})
      for (auto first = 0u; first + n <= c.queries; ++first) {
        auto some = c.run(*k, first, n);
        auto* weights = all.data() + c.queries * c.stride;
        BOOST_TEST(same_bits({some.data(), n * c.stride},
                             {all.data() + first * c.stride, n * c.stride}));
        BOOST_TEST(same_bits({some.data() + n * c.stride, n * 16},
                             {weights + first * 16, n * 16}));
      }
  }
}

BOOST_AUTO_TEST_CASE(what_a_query_does_not_see_may_be_anything) {
  auto nan = std::numeric_limits<float>::quiet_NaN();
  for (auto* k : all_kernels())
    for (auto type : all_types)
      for (auto [begin, end] : {std::pair{0u, 1u},
                                {0u, 16u},
                                {0u, 63u},
                                {0u, 64u},
                                {0u, 100u},
                                {5u, 90u},
                                {70u, 71u}}) {
        auto c = attention_case{type, 5, 24, 24};
        c.seen.assign(5, {begin, end});
        auto want = c.run(*k, 0, 5);
        for (auto t = 0u; t < c.tokens; ++t) {
          if (t >= begin && t < end)
            continue;
          if (type == kv_dtype::i8)
            c.factors[t] = c.factors[c.tokens + t] = nan;
          for (auto d = 0u; d < 24; ++d) {
            c.keys.set(t / 16 * 16 * 24 + d * 16 + t % 16, nan);
            c.values.set(t * c.stride + d, nan);
          }
        }
        BOOST_TEST(same_bits(c.run(*k, 0, 5), want), begin << " " << end);
      }
}

BOOST_AUTO_TEST_CASE(expand_gives_what_is_stored) {
  for (auto* k : all_kernels())
    for (auto t : all_types) {
      auto x = numbers{t, random_floats(1, 112, 3.f)};
      auto out = floats(112);
      k->expand(t, x.bytes.data(), 112, out.data());
      BOOST_TEST(same_bits(out, x.values));
    }
}

BOOST_AUTO_TEST_CASE(transpose_transposes) {
  for (auto* k : all_kernels())
    for (auto dim : {1u, 7u, 8u, 9u, 16u, 20u, 64u}) {
      auto stride = size_t{dim} + 3;
      auto in = random_floats(dim, 16 * stride);
      auto out = floats(16 * dim);
      k->transpose(in.data(), stride, dim, out.data());
      auto wrong = 0;
      for (auto t = 0u; t < 16; ++t)
        for (auto d = 0u; d < dim; ++d)
          wrong += out[d * 16 + t] != in[t * stride + d];
      BOOST_TEST(wrong == 0, dim);
    }
}

BOOST_AUTO_TEST_SUITE_END()
