#include "core/attention/dense.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "core/base/random.hpp"
#include "core/tensor/half.hpp"
#include "tests/support/core/floats.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

// Heads of `dim`, with values of `v_dim`: 0 where they are the first
// `value_dim` of the keys.
struct shape {
  uint32_t heads, kv_heads, dim, v_dim, value_dim = 0;

  uint32_t values() const { return v_dim > 0 ? v_dim : value_dim; }
};

// A sequence of `tokens` whose q, k and v are given, in the second of two
// layers.
struct scene {
  scene(shape s, kv_dtype t, uint32_t tokens, uint64_t seed = 1,
        attention_options options = {})
      : s(s), tokens(tokens), layout{2, s.kv_heads, s.dim, s.v_dim, t},
        options(options),
        q(random_floats(seed, size_t{tokens} * s.heads * s.dim, 2)),
        k(random_floats(seed + 1, size_t{tokens} * s.kv_heads * s.dim, 2)),
        v(random_floats(seed + 2, size_t{tokens} * s.kv_heads * s.v_dim, 2)),
        pool(make_block_arena(layout), kv_layout::blocks_for(tokens)) {
    this->options.value_dim = s.value_dim;
    BOOST_REQUIRE(table.grow(pool, tokens));
  }

  floats run(compute& c, uint32_t chunk) {
    auto out = floats(size_t{tokens} * s.heads * s.values());
    auto a = dense_attention{s.heads, tokens};
    for (auto i = 0u; i < tokens; i += chunk) {
      auto rows = attention_rows{&table, i, std::min(chunk, tokens - i), 0};
      a.plan({&rows, 1}, layout);
      a.write(c, 1, k.data() + size_t{i} * s.kv_heads * s.dim,
              v.data() + size_t{i} * s.kv_heads * s.v_dim);
      a.attend(c, 1, q.data() + size_t{i} * s.heads * s.dim,
               out.data() + size_t{i} * s.heads * s.values(), options);
    }
    return out;
  }

  // Number d of `row`, as it is stored.
  float kept(const float* row, uint32_t dim, uint32_t d) const {
    if (layout.dtype == kv_dtype::f32)
      return row[d];
    if (layout.dtype == kv_dtype::f16)
      return f16_to_f32(f32_to_f16(row[d]));
    auto most = 0.f;
    for (auto i = 0u; i < dim; ++i)
      most = std::max(most, std::abs(row[i]));
    return most / 127 * std::nearbyint(row[d] * (1 / (most / 127)));
  }

  // The cache as it is stored, expanded: what `kept` says.
  floats all_kept(const floats& x, uint32_t dim) const {
    auto out = floats(x.size());
    for (auto i = size_t{0}; i < x.size(); ++i)
      out[i] =
          kept(x.data() + i / dim * dim, dim, static_cast<uint32_t>(i % dim));
    return out;
  }

  floats reference() const {
    auto keys = all_kept(k, s.dim);
    auto values = s.v_dim > 0 ? all_kept(v, s.v_dim) : keys;
    auto v_dim = s.v_dim > 0 ? s.v_dim : s.dim;
    auto scale =
        options.scale != 0 ? options.scale : 1 / std::sqrt(1.0 * s.dim);
    auto width = s.values();
    auto out = floats(size_t{tokens} * s.heads * width);
    for (auto t = 0u; t < tokens; ++t)
      for (auto h = 0u; h < s.heads; ++h) {
        auto* qt = q.data() + (t * s.heads + h) * s.dim;
        auto g = h / (s.heads / s.kv_heads);
        auto sums = std::vector<double>(width);
        auto total = 0.0;
        for (auto u = 0u; u <= t; ++u) {
          if (options.window > 0 && u + options.window <= t)
            continue;
          auto at = u * s.kv_heads + g;
          auto x = 0.0;
          for (auto d = 0u; d < s.dim; ++d)
            x += static_cast<double>(qt[d]) * keys[at * s.dim + d];
          x *= scale;
          if (options.softcap > 0)
            x = options.softcap * std::tanh(x / options.softcap);
          auto weight = std::exp(x);
          total += weight;
          for (auto d = 0u; d < width; ++d)
            sums[d] += weight * values[at * v_dim + d];
        }
        for (auto d = 0u; d < width; ++d)
          out[(t * s.heads + h) * width + d] =
              static_cast<float>(sums[d] / total);
      }
    return out;
  }

  shape s;
  uint32_t tokens;
  kv_layout layout;
  attention_options options;
  floats q, k, v;
  block_pool pool;
  page_table table;
};

size_t scratch(shape s) {
  return dense_attention::scratch_floats(s.heads, s.kv_heads, s.dim,
                                         s.values());
}

constexpr kv_dtype all_types[] = {kv_dtype::f32, kv_dtype::f16, kv_dtype::i8};

constexpr shape shapes[] = {
    {1, 1, 16, 16}, {4, 4, 32, 32},     {8, 4, 32, 32},   {6, 2, 20, 20},
    {5, 1, 2, 2},   {20, 1, 64, 64},    {3, 3, 80, 80},   {6, 3, 24, 40},
    {4, 2, 48, 17}, {37, 1, 40, 0, 32}, {2, 1, 19, 0, 19}};

void check_against_plain_loops(shape s, kv_dtype t, uint32_t tokens,
                               attention_options options = {}) {
  auto c = compute{1, best_kernels(), scratch(s)};
  auto x = scene{s, t, tokens, 1, options};
  auto got = x.run(c, tokens);
  auto want = x.reference();
  BOOST_REQUIRE(got.size() == want.size());
  auto worst = 0.f;
  for (auto i = size_t{0}; i < got.size(); ++i)
    if (!(std::abs(got[i] - want[i]) <= worst))
      worst = std::abs(got[i] - want[i]);
  // Scores up to 40 err by some 2^-24 of themselves, exp passes it on.
  BOOST_TEST(worst < 2e-5f, s.heads << "/" << s.kv_heads << "x" << s.dim << ", "
                                    << tokens << ": " << worst);
}

} // namespace

BOOST_AUTO_TEST_SUITE(attention_dense)

BOOST_AUTO_TEST_CASE(it_agrees_with_plain_loops) {
  for (auto s : shapes)
    for (auto t : all_types)
      for (auto tokens : {1u, 15u, 16u, 17u, 50u, 150u})
        check_against_plain_loops(s, t, tokens);
}

BOOST_AUTO_TEST_CASE(a_window_a_cap_and_a_scale_agree_with_plain_loops) {
  for (auto s : shapes)
    for (auto window : {1u, 2u, 15u, 16u, 17u, 64u, 70u, 1000u})
      check_against_plain_loops(s, kv_dtype::f16, 150, {0, window, 0, 0});
  for (auto s : shapes)
    for (auto cap : {0.5f, 3.f, 50.f}) {
      check_against_plain_loops(s, kv_dtype::f16, 21, {0.3f, 0, cap, 0});
      check_against_plain_loops(s, kv_dtype::f16, 70, {0.1f, 33, cap, 0});
    }
}

BOOST_AUTO_TEST_CASE(chunks_threads_and_kernels_do_not_matter) {
  for (auto s : shapes)
    for (auto t : all_types)
      for (auto options :
           {attention_options{}, attention_options{0, 19, 2, 0}}) {
        auto one = compute{1, best_kernels(), scratch(s)};
        auto plain =
            compute{1, *kernels_for(instruction_set::portable), scratch(s)};
        auto three = compute{3, best_kernels(), scratch(s)};
        auto again = [&] { return scene{s, t, 83, 1, options}; };
        auto want = again().run(one, 83);
        for (auto chunk : {1u, 7u, 16u, 20u}) {
          BOOST_TEST(same_bits(again().run(one, chunk), want),
                     s.heads << " in chunks of " << chunk);
          BOOST_TEST(same_bits(again().run(three, chunk), want),
                     s.heads << " in chunks of " << chunk);
        }
        BOOST_TEST(same_bits(again().run(plain, 83), want));
        BOOST_TEST(same_bits(again().run(plain, 1), want));
      }
}

BOOST_AUTO_TEST_CASE(sequences_of_a_step_do_not_see_each_other) {
  auto s = shape{8, 4, 32, 32};
  auto c = compute{2, best_kernels(), scratch(s)};
  auto lengths = {3u, 40u, 1u, 17u};
  auto scenes = std::vector<std::unique_ptr<scene>>{};
  auto rows = std::vector<attention_rows>{};
  floats q, k, v, want;
  auto row = 0u;
  for (auto n : lengths) {
    scenes.push_back(std::make_unique<scene>(s, kv_dtype::f16, n, n));
    auto& x = *scenes.back();
    rows.push_back({&x.table, 0, n, row});
    row += n;
    q.insert(q.end(), x.q.begin(), x.q.end());
    k.insert(k.end(), x.k.begin(), x.k.end());
    v.insert(v.end(), x.v.begin(), x.v.end());
    auto alone = scene{s, kv_dtype::f16, n, n}.run(c, n);
    want.insert(want.end(), alone.begin(), alone.end());
  }
  auto a = dense_attention{s.heads, row};
  a.plan(rows, scenes[0]->layout);
  a.write(c, 1, k.data(), v.data());
  auto got = floats(q.size());
  a.attend(c, 1, q.data(), got.data());
  BOOST_TEST((got == want));
}

BOOST_AUTO_TEST_CASE(very_large_scores_stay_finite) {
  auto s = shape{2, 1, 16, 16};
  auto c = compute{1, best_kernels(), scratch(s)};
  auto x = scene{s, kv_dtype::f32, 40};
  for (auto& q : x.q)
    q *= 1e4f;
  auto got = x.run(c, 40);
  // A weighted mean of values of at most 2: exp alone would overflow.
  auto bad = 0;
  for (auto y : got)
    bad += !(std::abs(y) <= 2.f);
  BOOST_TEST(bad == 0);
}

BOOST_AUTO_TEST_SUITE_END()
