#include "core/parallel/tensor_shard.hpp"

#include <boost/test/unit_test.hpp>

#include "core/engine/packed_weights.hpp"
#include "tests/core/engine/random_model.hpp"
#include "tests/support/core/floats.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::test;
using testing::floats;
using testing::same_bits;

BOOST_AUTO_TEST_SUITE(parallel_tensor_shard)

BOOST_AUTO_TEST_CASE(a_rank_holds_its_part_of_the_weights) {
  for (auto t : {dtype::f32, dtype::q8_0}) {
    auto o = testing::tiny_model_options{};
    o.type = t;
    o.hidden = 128;
    o.heads = 8;
    o.kv_heads = 4;
    o.head_dim = 32;
    o.ffn = 256;
    auto m = testing::tiny_model(o);
    auto whole = weight_bytes(m->w);
    auto norms = size_t{2 * 2 + 1} * 128 * sizeof(float);
    for (auto n : {2u, 4u}) {
      auto sum = size_t{0};
      for (auto r = 0u; r < n; ++r) {
        auto shard = *load_shard(m, n, r);
        auto bytes = weight_bytes(shard->w);
        sum += bytes;
        BOOST_TEST(bytes == (whole - norms) / n + norms);
        auto pool = thread_pool{1};
        auto packed = packed_weights::of(shard, pool);
        auto all = packed_weights::of(m, pool);
        BOOST_TEST((packed->bytes() > 0) == (t == dtype::q8_0));
        // Panels of 32 outputs are filled up.
        BOOST_TEST(packed->bytes() <= all->bytes() / n + 32 * 34 * 128 / 32);
        if (t == dtype::q8_0)
          continue;
        // Storage of its own, and no more than that.
        auto made = size_t{0};
        for (auto& bytes_made : shard->w.made)
          made += bytes_made->size();
        auto& looked_up = shard->w.embedding;
        BOOST_TEST(made + looked_up.rows * looked_up.row_bytes() + norms
                   == bytes);
      }
      BOOST_TEST(sum == whole + (n - 1) * norms);
    }
  }
}

BOOST_AUTO_TEST_CASE(columns_are_those_of_the_matrix) {
  for (auto t : {dtype::f32, dtype::q8_0, dtype::q4_0}) {
    auto o = random_model_options{};
    o.type = t;
    auto m = random_model::make(small_llama(), o);
    auto& w = m->w.layers[1].down; // [64, 160]
    auto some = columns_of(w, {64, 96});
    for (auto r : {0u, 1u, 63u}) {
      auto whole = floats(160);
      auto cut = floats(96);
      dequantize_row(t, w.row(r), 160, whole.data());
      dequantize_row(t, some.row(r), 96, cut.data());
      BOOST_TEST(same_bits(cut, std::span{whole}.subspan(64)));
    }
    BOOST_TEST(some.row(63) + some.row_bytes() == w.row(63) + w.row_bytes());
    BOOST_TEST(some.span_bytes() <= w.span_bytes());
  }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_split_is_refused_with_a_sentence) {
  auto o = random_model_options{};
  o.type = dtype::q8_0;
  auto p = small_llama();
  auto why = [&](uint32_t ranks, uint32_t rank = 0) {
    auto r = load_shard(random_model::make(p, o), ranks, rank);
    return r ? std::string{} : to_string(r.failure());
  };
  BOOST_TEST(why(4) == "");
  p.heads = p.kv_heads = 12;
  BOOST_TEST(why(6)
             == "invalid_argument: a feed-forward of 160 columns cannot be "
                "split over 6 ranks on blocks of 32 values");
  p.heads = p.kv_heads = 8;
  BOOST_TEST(why(5)
             == "invalid_argument: 8 heads of 16 values, 1 to each KV head, "
                "cannot be split over 5 ranks on blocks of 32 values");
  BOOST_TEST(why(0) == "invalid_argument: rank 0 of 0");
  BOOST_TEST(why(~0u) != "");
  BOOST_TEST(why(2, 2) == "invalid_argument: rank 2 of 2");
  p.vocab = 3;
  BOOST_TEST(why(4)
             == "invalid_argument: a vocabulary of 3 columns cannot be split "
                "over 4 ranks on blocks of 1 values");
}

BOOST_AUTO_TEST_SUITE_END()
