// Each kind of layer against the reference, and bit for bit against itself.

#include <boost/test/unit_test.hpp>
#include <string>

#include "core/tensor/kernels.hpp"
#include "tests/core/engine/engine_fixture.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

struct shape {
  std::string name;
  hparams p;
  random_model_options o;
  double errors = 1; ///< how much larger than those of others
};

shape base(std::string name) {
  auto s = shape{std::move(name), {}, {}, 1};
  s.p.vocab = 61;
  s.p.context = 160;
  s.p.hidden = 64;
  s.p.layers = 3;
  s.p.heads = 4;
  s.p.kv_heads = 2;
  s.p.head_dim = s.p.rope_dim = 16;
  s.p.ffn = 96;
  return s;
}

shape few_experts() {
  auto s = base("experts that are normalised");
  s.p.experts.count = 4;
  s.p.experts.used = 2;
  s.p.experts.ffn = 96;
  s.p.experts.normalise = true;
  return s;
}

shape many_experts() {
  auto s = base("many experts and norms of heads");
  s.o.qk_norm = true;
  s.p.pairing = rope_pairing::halves;
  s.p.experts.count = 16;
  s.p.experts.used = 5;
  s.p.experts.ffn = 32;
  s.p.experts.normalise = true;
  return s;
}

// As DeepSeek-V2-Lite.
shape small_latent() {
  auto s = base("latent attention");
  s.p.kv_heads = 4;
  s.p.head_dim = 40;
  s.p.rope_dim = 8;
  s.p.value_dim = 32;
  s.p.mla.kv_rank = 96;
  s.p.experts.count = 8;
  s.p.experts.used = 3;
  s.p.experts.ffn = 32;
  s.p.experts.shared = 2;
  s.p.experts.leading_dense = 1;
  return s;
}

// As DeepSeek-V2.
shape grouped_experts() {
  auto s = small_latent();
  s.name = "groups of experts, low-rank queries";
  s.p.mla.q_rank = 32;
  s.p.experts.groups = 4;
  s.p.experts.groups_used = 2;
  s.p.experts.scale = 16.f;
  return s;
}

// As DeepSeek-V3.
shape biased_experts() {
  auto s = grouped_experts();
  s.name = "experts chosen by biased sigmoids, sharper scores";
  s.o.router_bias = true;
  s.p.experts.scale = 2.5f;
  s.p.experts.normalise = true;
  s.p.experts.gating = expert_gating::sigmoid;
  s.p.experts.best_group = group_score::largest_two;
  s.p.attention_scale = 0.3f;
  s.p.rope_magnitude = 1.2f;
  s.errors = 2; // scores are twice as large, which experts see
  return s;
}

shape window() {
  auto s = base("a window in all layers");
  s.p.windows = {7, 7, 7};
  return s;
}

shape other_values() {
  auto s = base("values of another size");
  s.p.value_dim = 24;
  s.p.windows = {0, 20, 0};
  return s;
}

// As Gemma 2.
shape capped_scores() {
  auto s = base("soft caps, norms after, every other layer local");
  s.o.post_norms = true;
  s.p.pairing = rope_pairing::halves;
  s.p.gate = gate_function::gelu_tanh;
  s.p.embedding_scale = 8.f;
  s.p.attention_softcap = 5.f;
  s.p.logit_softcap = 3.f;
  s.p.attention_scale = 0.4f;
  s.p.windows = {12, 0, 12};
  return s;
}

// As Gemma 3.
shape two_bases() {
  auto s = base("other positions in local layers");
  s.o.post_norms = true;
  s.o.qk_norm = true;
  s.p.pairing = rope_pairing::halves;
  s.p.gate = gate_function::gelu_tanh;
  s.p.embedding_scale = 8.f;
  s.p.rope_base = 1e6f;
  s.p.rope_scale = 0.125f;
  s.p.local_rope_base = 10000.f;
  s.p.windows = {16, 16, 0};
  return s;
}

std::vector<shape> all_shapes() {
  return {few_experts(),     many_experts(),   small_latent(),
          grouped_experts(), biased_experts(), window(),
          other_values(),    capped_scores(),  two_bases()};
}

// Decodes and prefills other texts in the same steps.
floats in_company(engine& e, kv_dtype kv, std::span<const token_id> ids) {
  auto vocab = size_t{e.weights().params.vocab};
  auto mine = sequence{e, kv, 160};
  auto decoding = sequence{e, kv, 160};
  auto prefilling = sequence{e, kv, 160};
  auto others = text(21, 160);
  auto all = floats{};
  for (auto i = size_t{0}; i < ids.size(); i += 5) {
    auto n = std::min(size_t{5}, ids.size() - i);
    auto rows = std::vector<batch_row>{
        {&decoding.table, std::span{others}.subspan(i / 5, 1)},
        {&mine.table, ids.subspan(i, n), true, true},
        {&prefilling.table, std::span{others}.subspan(i, 3), false}};
    auto some = step(e, rows);
    BOOST_REQUIRE(some.size() == (1 + n) * vocab);
    all.insert(all.end(), some.begin() + static_cast<ptrdiff_t>(vocab),
               some.end());
  }
  return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(engine_architectures)

BOOST_AUTO_TEST_CASE(layers_agree_with_the_reference) {
  for (auto& s : all_shapes())
    for (auto t : {dtype::f32, dtype::q8_0})
      BOOST_TEST_CONTEXT(s.name << " " << to_string(t)) {
        s.o.type = t;
        auto m = random_model::make(s.p, s.o);
        check_against_reference(
            *m, m, s.errors * tolerance(kv_dtype::f32, activation_type::f32));
      }
}

// Where experts are scaled by 16, so are errors; and a rounded activation moves
// more float16 keys to the other side of a tie.
BOOST_AUTO_TEST_CASE(rounded_activations_agree_with_the_reference) {
  for (auto& s : all_shapes())
    BOOST_TEST_CONTEXT(s.name) {
      s.o.type = dtype::q8_0;
      auto m = random_model::make(s.p, s.o);
      auto a = activation_type::i16;
      check_against_reference(*m, m, 5 * tolerance(kv_dtype::f32, a),
                              20 * tolerance(kv_dtype::f16, a), a);
    }
}

BOOST_AUTO_TEST_CASE(chunks_company_threads_and_kernels_do_not_matter) {
  auto ids = text(4, 43);
  for (auto& s : all_shapes())
    for (auto a : all_activations)
      for (auto t : {dtype::f32, dtype::q4_0}) {
        BOOST_TEST_CONTEXT(s.name << " " << to_string(t)) {
          if (t == dtype::f32 && a != activation_type::f32)
            continue;
          s.o.type = t;
          auto m = random_model::make(s.p, s.o);
          auto plain = kernels_for(instruction_set::portable);
          auto reference = engine{m, {1, 64, plain, a}};
          auto want = alone(reference, kv_dtype::f16, ids);
          auto one = engine{m, {1, 64, nullptr, a}};
          for (auto chunk : {1u, 4u, 17u, 64u})
            BOOST_TEST(same_bits(alone(one, kv_dtype::f16, ids, chunk), want),
                       "chunk " << chunk);
          for (auto threads : {2u, 3u}) {
            auto e = engine{m, {threads, 64, nullptr, a}};
            BOOST_TEST(same_bits(alone(e, kv_dtype::f16, ids, 9), want));
            BOOST_TEST(same_bits(in_company(e, kv_dtype::f16, ids), want));
          }
          for (auto set : {instruction_set::avx2, instruction_set::avx512})
            if (auto* k = kernels_for(set)) {
              auto e = engine{m, {1, 64, k, a}};
              BOOST_TEST(same_bits(alone(e, kv_dtype::f16, ids, 19), want),
                         k->name);
            }
        }
      }
}

// Whole files, so that what keys and tensors mean is part of it.
BOOST_AUTO_TEST_CASE(files_agree_with_the_reference) {
  auto check = [](const testing::tiny_model_options& o) {
    auto m = testing::tiny_model(o);
    BOOST_TEST_CONTEXT(o.architecture) {
      // Logits of a deviation of 3, where experts' choices hang by a thread.
      check_against_reference(
          *m, m, 10 * tolerance(kv_dtype::f32, activation_type::f32),
          30 * tolerance(kv_dtype::f16, activation_type::f32));
    }
    auto e = engine{m, {1, 64}};
    return alone(e, kv_dtype::f16, text(3, 37, m->params.vocab));
  };
  auto o = testing::tiny_model_options{};
  o.experts = 4;
  check(o);
  o.architecture = "qwen3moe";
  o.qk_norm = true;
  o.head_dim = 32;
  check(o);
  o = {};
  o.architecture = "deepseek2";
  o.latent = true;
  o.experts = 6;
  o.shared_experts = 2;
  o.router_bias = true;
  auto whole = check(o);
  o.split = true;
  BOOST_TEST(same_bits(check(o), whole));
  o.q_rank = 48;
  check(o);
  o = {};
  o.post_norms = true;
  o.tied = true;
  o.layers = 3;
  o.architecture = "gemma2";
  check(o);
  o.architecture = "gemma3";
  o.qk_norm = true;
  check(o);
}

// The reference takes as given what a window is.
BOOST_AUTO_TEST_CASE(what_a_window_leaves_behind_is_not_seen) {
  auto s = window();
  s.p.layers = 1;
  s.p.windows = {7};
  auto e = engine{random_model::make(s.p, s.o), {1, 64}};
  auto a = text(4, 30);
  auto b = a;
  for (auto i = 0u; i < 23; ++i) // all but the last 7
    b[i] = (b[i] + 1) % 61;
  auto last = [&](std::span<const token_id> ids) {
    auto all = alone(e, kv_dtype::f16, ids);
    return floats(all.end() - 61, all.end());
  };
  BOOST_TEST(same_bits(last(a), last(b)));
  b = a;
  b[23] = (b[23] + 1) % 61;
  BOOST_TEST(!same_bits(last(a), last(b)));
}

BOOST_AUTO_TEST_CASE(the_kv_of_a_latent_model_is_one_vector_a_token) {
  auto p = small_latent().p;
  auto l = kv_layout_of(p, kv_dtype::f16);
  BOOST_TEST(l.kv_heads == 1u);
  BOOST_TEST(l.k_dim == 96u + 8);
  BOOST_TEST(l.v_dim == 0u);
  BOOST_TEST(l.block_bytes() == size_t{3} * 16 * 112 * 2); // padded to 16
}

BOOST_AUTO_TEST_SUITE_END()
