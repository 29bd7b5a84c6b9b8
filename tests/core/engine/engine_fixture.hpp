#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/engine/engine.hpp"
#include "tests/core/engine/random_model.hpp"
#include "tests/core/engine/reference.hpp"
#include "tests/support/core/floats.hpp"

namespace troupe::test {

using testing::floats;
using testing::same_bits;

inline std::vector<token_id> text(uint64_t seed, uint32_t n,
                                  uint32_t vocab = 61) {
  auto ids = std::vector<token_id>(n);
  for (auto i = 0u; i < n; ++i)
    ids[i] = static_cast<token_id>(random_bits(seed, i) % vocab);
  return ids;
}

struct sequence {
  sequence(const engine& e, kv_dtype t, uint32_t tokens)
      : pool(make_block_arena(e.layout(t)), kv_layout::blocks_for(tokens)) {
    BOOST_REQUIRE(table.grow(pool, tokens));
  }
  block_pool pool;
  page_table table;
};

inline constexpr auto all_activations = {
    activation_type::f32, activation_type::i16, activation_type::i8};

inline floats step(engine& e, std::span<const batch_row> rows) {
  auto r = e.forward(rows);
  BOOST_REQUIRE_MESSAGE(r.ok(), to_string(r ? error{} : r.failure()));
  return {r->begin(), r->end()};
}

inline constexpr auto all_kv_types = {kv_dtype::f32, kv_dtype::f16,
                                      kv_dtype::i8};

// The logits of each token of `ids`, computed alone in chunks.
inline floats alone(engine& e, kv_dtype t, std::span<const token_id> ids,
                    uint32_t chunk = 1000) {
  auto s = sequence{e, t, static_cast<uint32_t>(ids.size())};
  auto all = floats{};
  for (auto i = size_t{0}; i < ids.size(); i += chunk) {
    auto n = std::min(size_t{chunk}, ids.size() - i);
    auto row = batch_row{&s.table, ids.subspan(i, n), true, true};
    auto some = step(e, {&row, 1});
    all.insert(all.end(), some.begin(), some.end());
  }
  BOOST_TEST(s.table.length() == ids.size());
  return all;
}

inline double worst(std::span<const float> got,
                    const std::vector<doubles>& want) {
  auto largest = 0.0;
  auto i = size_t{0};
  for (auto& row : want)
    for (auto x : row) {
      // Written so that a NaN counts as a difference.
      auto error = std::abs(got[i++] - x);
      if (!(error <= largest))
        largest = error;
    }
  BOOST_TEST(i == got.size());
  return largest;
}

// Errors of float32 grow with the square root of the terms of a sum: 2^-24 *
// sqrt(100) over some ten operations in sequence, on values of about 1, is
// below 1e-5; ten times that is allowed. A float16 key or value may fall on
// the other side of a tie than the reference's, which is 2^-11 of it.
//
// Rounding to 16 bits is an error of up to 2^-16 of a group's largest value,
// some 4 here, in each input of some fifteen products in sequence; 8 bits are
// 256 times as coarse.
inline double tolerance(kv_dtype kv, activation_type activations) {
  auto of_kv = kv == kv_dtype::f32 ? 1e-4 : 2e-3;
  switch (activations) {
  case activation_type::f32:
    return of_kv;
  case activation_type::i16:
    return std::max(of_kv, 2e-3);
  case activation_type::i8:
    return 0.5;
  }
  return 0;
}

inline void check_against_reference(
    const model& m, std::shared_ptr<const model> p,
    double f32_allowed = tolerance(kv_dtype::f32, activation_type::f32),
    double f16_allowed = tolerance(kv_dtype::f16, activation_type::f32),
    activation_type activations = activation_type::f32) {
  auto e = engine{p, {1, 64, nullptr, activations}};
  auto ids = text(3, 37, m.params.vocab);
  for (auto kv : {kv_dtype::f32, kv_dtype::f16}) {
    auto want = reference_logits(m, kv, ids);
    auto error = worst(alone(e, kv, ids), want);
    BOOST_TEST_INFO("kv " << static_cast<int>(kv));
    BOOST_TEST(error < (kv == kv_dtype::f32 ? f32_allowed : f16_allowed));
    if (activations == activation_type::i8) // it is not quietly something else
      BOOST_TEST(error > tolerance(kv, activation_type::i16));
  }
}

inline void check_against_reference(const hparams& p,
                                    const random_model_options& o) {
  auto m = random_model::make(p, o);
  check_against_reference(*m, m);
}

} // namespace troupe::test
