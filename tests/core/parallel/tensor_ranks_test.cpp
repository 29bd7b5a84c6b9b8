// Engines that compute with shards.

#include <boost/test/unit_test.hpp>

#include "core/parallel/tensor_shard.hpp"
#include "core/tensor/kernels.hpp"
#include "tests/core/parallel/group_run.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::test;

namespace {

struct shape {
  std::string name;
  hparams p;
  random_model_options o;
};

std::vector<shape> shapes() {
  auto all = std::vector<shape>{{"a llama", small_llama(), {}}};
  auto& biased = all.emplace_back(shape{"biases, untied", small_llama(), {}});
  biased.o.biases = true;
  biased.o.tied = false;
  biased.o.qk_norm = true;
  biased.p.kv_heads = 8;
  auto& capped =
      all.emplace_back(shape{"norms after, caps", small_llama(), {}});
  capped.o.post_norms = true;
  capped.p.embedding_scale = 8.f;
  capped.p.attention_softcap = 5.f;
  capped.p.logit_softcap = 3.f;
  capped.p.windows = {12, 0, 12};
  auto& experts = all.emplace_back(shape{"experts", small_llama(), {}});
  experts.p.experts.count = 4;
  experts.p.experts.used = 2;
  experts.p.experts.ffn = 128;
  experts.p.experts.shared = 1;
  experts.p.experts.leading_dense = 1;
  experts.p.experts.normalise = true;
  auto& latent = all.emplace_back(shape{"latent attention", small_llama(), {}});
  latent.p.kv_heads = 8;
  latent.p.head_dim = 40;
  latent.p.rope_dim = 8;
  latent.p.value_dim = 32;
  latent.p.mla.kv_rank = 96;
  latent.p.mla.q_rank = 32;
  return all;
}

/// The ranks' runs of a text, each with its own shard.
std::vector<rank_run> sharded(const std::shared_ptr<const model>& m, uint32_t n,
                              std::span<const token_id> ids,
                              const group_options& o = {}) {
  auto runs = std::vector<rank_run>(n);
  on_ranks(n, [&](collective& ranks) {
    auto& run = runs[ranks.rank()];
    auto shard = load_shard(m, n, ranks.rank());
    if (!shard) {
      run.failure = shard.failure();
      return;
    }
    auto options = options_of(o);
    options.tensor_ranks = &ranks;
    auto e = engine{*shard, options};
    run = run_text(e, o, ids);
    run.bytes_sent = ranks.bytes_sent();
    run.operations = ranks.operations();
  });
  for (auto& run : runs)
    BOOST_REQUIRE_MESSAGE(!run.failure, to_string(run.failure));
  for (auto& run : runs)
    BOOST_TEST(same_bits(run.logits, runs[0].logits));
  return runs;
}

floats of_one(const std::shared_ptr<const model>& m,
              std::span<const token_id> ids, const group_options& o = {}) {
  auto e = engine{m, options_of(o)};
  return run_text(e, o, ids).logits;
}

} // namespace

BOOST_AUTO_TEST_SUITE(parallel_tensor_ranks)

// The largest difference beside the largest logit. Where activations are
// rounded to 16 bits, sums in another order send some to the next level, 2^-16
// of a group's largest value; latent attention has the most products in a row.
BOOST_AUTO_TEST_CASE(ranks_agree_with_one_rank) {
  auto ids = text(3, 37);
  for (auto& s : shapes())
    for (auto t : {dtype::f32, dtype::f16, dtype::q8_0, dtype::q4_0})
      for (auto a : {activation_type::f32, activation_type::i16}) {
        if (t == dtype::f32 && a != activation_type::f32)
          continue;
        s.o.type = t;
        auto m = random_model::make(s.p, s.o);
        auto o = group_options{};
        o.activations = a;
        auto want = of_one(m, ids, o);
        auto rounded = a != activation_type::f32;
        auto allowed = rounded && s.p.mla.kv_rank > 0 ? 2e-4 : 1e-4;
        for (auto n : {1u, 2u, 3u, 4u})
          BOOST_TEST_CONTEXT(s.name << " " << to_string(t) << " " << n) {
            auto error = relative(sharded(m, n, ids, o)[0].logits, want);
            BOOST_TEST_MESSAGE(s.name << " " << to_string(t) << ", "
                                      << static_cast<int>(a) << ", " << n
                                      << " ranks: " << error);
            BOOST_TEST(error < allowed);
          }
      }
}

BOOST_AUTO_TEST_CASE(chunks_threads_and_kernels_do_not_matter) {
  auto ids = text(4, 43);
  for (auto t : {dtype::f32, dtype::q8_0})
    for (auto a : {activation_type::f32, activation_type::i16}) {
      auto s = shapes()[0];
      s.o.type = t;
      auto m = random_model::make(s.p, s.o);
      auto o = group_options{};
      o.activations = a;
      o.kv = kv_dtype::f16;
      o.use = kernels_for(instruction_set::portable);
      auto want = sharded(m, 3, ids, o)[0].logits;
      o.use = nullptr;
      for (auto chunk : {1u, 7u, 43u})
        for (auto threads : {1u, 2u}) {
          o.chunk = chunk;
          o.threads = threads;
          BOOST_TEST(same_bits(sharded(m, 3, ids, o)[0].logits, want));
        }
    }
}

// Whole files: fused tensors, tied embeddings, heads in groups that are shared.
BOOST_AUTO_TEST_CASE(shards_are_cut_from_a_mapped_file) {
  auto o = testing::tiny_model_options{};
  o.hidden = 128;
  o.heads = 8;
  o.ffn = 192;
  auto ids = text(3, 30, testing::tiny_vocab_size);
  for (auto t : {dtype::f32, dtype::q8_0})
    for (auto fused : {false, true})
      for (auto tied : {false, true}) {
        o.type = t;
        o.fused = fused;
        o.architecture = fused ? "phi3" : "llama";
        o.tied = tied;
        auto m = testing::tiny_model(o);
        auto run = group_options{};
        run.activations = activation_type::i16;
        auto want = of_one(m, ids, run);
        // 2 KV heads: of 4 ranks two share one
        for (auto n : {2u, 4u})
          BOOST_TEST(relative(sharded(m, n, ids, run)[0].logits, want) < 1e-4);
      }
}

BOOST_AUTO_TEST_CASE(what_is_sent_is_what_a_ring_sends) {
  auto p = small_llama();
  p.vocab = 64;
  auto m = random_model::make(p, {});
  auto tokens = 5u;
  auto ids = text(3, tokens);
  for (auto n : {2u, 4u})
    for (auto& run : sharded(m, n, ids)) {
      // The embedding, and twice in each layer; then the logits.
      BOOST_TEST(run.operations == 2 * p.layers + 2);
      BOOST_TEST(run.bytes_sent
                 == sizeof(float) * tokens
                        * ((2 * p.layers + 1) * 2 * p.hidden * (n - 1) / n
                           + p.vocab * (n - 1) / n));
    }
}

BOOST_AUTO_TEST_CASE(a_lost_rank_ends_a_step_with_its_name) {
  auto m = random_model::make(small_llama(), {});
  auto ids = text(5, 8);
  for (auto layers : {0u, 1u, 3u}) { // that the lost rank computes
    auto messages = std::vector<std::string>(3);
    auto lengths = std::vector<uint32_t>(3, 99);
    on_ranks(3, [&](collective& ranks) {
      auto r = ranks.rank();
      auto options = options_of({});
      options.tensor_ranks = &ranks;
      auto e = engine{*load_shard(m, 3, r), options};
      auto pool = block_pool{make_block_arena(e.layout(kv_dtype::f16)), 1};
      auto table = page_table{};
      if (!table.grow(pool, 8))
        return;
      auto row = batch_row{&table, ids};
      if (r == 1) {
        if (e.begin({&row, 1}))
          e.advance(layers);
        ranks.leave(fail(errc::io_error, "no power"));
        return;
      }
      auto got = e.forward({&row, 1});
      auto again = e.forward({&row, 1});
      if (!got && !again && e.failure() != nullptr && e.advance(1) == 0
          && again.failure().message == got.failure().message)
        messages[r] = got.failure().message;
      lengths[r] = table.length();
    });
    for (auto r : {0u, 2u}) {
      BOOST_TEST(messages[r] == "rank 1 of 3 was lost: no power");
      BOOST_TEST(lengths[r] == 0u);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
