// Models of BF16 weights, where this processor multiplies bf16.

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "core/tensor/bf16.hpp"
#include "tests/core/engine/engine_fixture.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

std::shared_ptr<const model> bf16_model() {
  auto p = hparams{};
  p.vocab = 61;
  p.context = 128;
  p.hidden = 96;
  p.layers = 2;
  p.heads = 4;
  p.kv_heads = 2;
  p.head_dim = p.rope_dim = 24;
  p.ffn = 131;
  auto o = random_model_options{};
  o.type = dtype::bf16;
  o.biases = true;
  return random_model::make(p, o);
}

// Of the difference, beside `want`: root mean squares.
double relative(const floats& got, const floats& want) {
  auto difference = 0.0;
  auto sum = 0.0;
  for (auto i = size_t{0}; i < want.size(); ++i) {
    auto d = double{got[i]} - double{want[i]};
    difference += d * d;
    sum += double{want[i]} * double{want[i]};
  }
  return std::sqrt(difference / sum);
}

} // namespace

BOOST_AUTO_TEST_SUITE(engine_bf16)

BOOST_AUTO_TEST_CASE(rounded_activations_are_close_to_float32) {
  auto m = bf16_model();
  auto ids = text(3, 40);
  auto logits = [&](activation_type a) {
    auto e = engine{m, {1, 64, nullptr, a}};
    return alone(e, kv_dtype::f32, ids);
  };
  auto want = logits(activation_type::f32);
  auto of_i8 = relative(logits(activation_type::i8), want);
  auto of_i16 = relative(logits(activation_type::i16), want);
  BOOST_TEST_MESSAGE("i8 " << of_i8 << ", i16 " << of_i16);
  BOOST_TEST(of_i8 < 2e-2);
  BOOST_TEST(of_i16 < 2e-3);
  // Rounded where the processor multiplies bf16, and only there.
  BOOST_TEST((of_i8 > 1e-4) == multiplies_bf16());
  BOOST_TEST((of_i16 > 0) == multiplies_bf16());
}

BOOST_AUTO_TEST_CASE(chunks_threads_and_kernels_do_not_matter) {
  auto m = bf16_model();
  auto ids = text(4, 43);
  for (auto a : all_activations) {
    auto plain = kernels_for(instruction_set::portable);
    auto reference = engine{m, {1, 64, plain, a}};
    auto want = alone(reference, kv_dtype::f16, ids);
    for (auto threads : {1u, 2u, 3u})
      for (auto chunk : {1u, 5u, 17u, 64u}) {
        auto e = engine{m, {threads, 64, nullptr, a}};
        BOOST_TEST(same_bits(alone(e, kv_dtype::f16, ids, chunk), want),
                   threads << " threads, chunk " << chunk);
      }
    for (auto set : {instruction_set::avx2, instruction_set::avx512})
      if (auto* k = kernels_for(set)) {
        auto e = engine{m, {1, 64, k, a}};
        BOOST_TEST(same_bits(alone(e, kv_dtype::f16, ids, 19), want), k->name);
      }
  }
}

BOOST_AUTO_TEST_SUITE_END()
