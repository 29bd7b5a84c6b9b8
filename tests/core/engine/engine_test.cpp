#include "core/engine/engine.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <deque>
#include <map>
#include <string>

#include "core/model/gguf.hpp"
#include "core/tensor/kernels.hpp"
#include "tests/core/engine/engine_fixture.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::test;

namespace {

hparams small_shape() {
  auto p = hparams{};
  p.vocab = 61;
  p.context = 160;
  p.hidden = 64;
  p.layers = 2;
  p.heads = 4;
  p.kv_heads = 2;
  p.head_dim = 16;
  p.ffn = 96;
  p.rope_dim = 16;
  return p;
}

std::shared_ptr<const model> small_model(dtype t = dtype::q8_0) {
  auto o = random_model_options{};
  o.type = t;
  return random_model::make(small_shape(), o);
}

} // namespace

BOOST_AUTO_TEST_SUITE(engine_forward)

// -- against the reference ----------------------------------------------------

BOOST_AUTO_TEST_CASE(every_dtype_agrees_with_the_reference) {
  for (auto t :
       {dtype::f32, dtype::f16, dtype::bf16, dtype::q8_0, dtype::q4_0}) {
    BOOST_TEST_CONTEXT(to_string(t)) {
      auto o = random_model_options{};
      o.type = t;
      check_against_reference(small_shape(), o);
    }
  }
}

BOOST_AUTO_TEST_CASE(rounded_activations_agree_with_the_reference) {
  for (auto t : {dtype::q8_0, dtype::q4_0})
    for (auto a : {activation_type::i16, activation_type::i8}) {
      auto o = random_model_options{};
      o.type = t;
      o.biases = true;
      auto p = small_shape();
      p.vocab = 77;
      auto m = random_model::make(p, o);
      check_against_reference(*m, m, tolerance(kv_dtype::f32, a),
                              tolerance(kv_dtype::f16, a), a);
    }
}

BOOST_AUTO_TEST_CASE(encodings_of_256_values_agree_with_the_reference) {
  auto p = small_shape();
  p.hidden = 256;
  p.ffn = 256;
  p.head_dim = 64;
  p.layers = 1;
  for (auto t : {dtype::q4_1, dtype::q5_0, dtype::q5_1, dtype::q4_k,
                 dtype::q5_k, dtype::q6_k}) {
    BOOST_TEST_CONTEXT(to_string(t)) {
      auto o = random_model_options{};
      o.type = t;
      check_against_reference(p, o);
    }
  }
}

BOOST_AUTO_TEST_CASE(head_shapes_agree_with_the_reference) {
  struct shape {
    uint32_t heads, kv_heads, head_dim, rope_dim;
  };
  for (auto s : {shape{1, 1, 32, 32}, shape{4, 4, 8, 8}, shape{6, 2, 20, 12},
                 shape{8, 1, 6, 6}, shape{20, 1, 16, 8}, shape{3, 3, 48, 48}}) {
    BOOST_TEST_CONTEXT(s.heads << " " << s.kv_heads << " " << s.head_dim) {
      auto p = small_shape();
      p.heads = s.heads;
      p.kv_heads = s.kv_heads;
      p.head_dim = s.head_dim;
      p.rope_dim = s.rope_dim;
      check_against_reference(p, {});
    }
  }
}

BOOST_AUTO_TEST_CASE(odd_widths_agree_with_the_reference) {
  auto p = small_shape();
  p.hidden = 45;
  p.ffn = 77;
  p.vocab = 33;
  for (auto t : {dtype::f32, dtype::f16, dtype::bf16}) {
    auto o = random_model_options{};
    o.type = t;
    o.tied = false;
    check_against_reference(p, o);
  }
}

BOOST_AUTO_TEST_CASE(rope_variants_and_biases_agree_with_the_reference) {
  auto plain = worst(floats(61 * 2), {doubles(61), doubles(61)});
  BOOST_TEST(plain == 0.0); // the measure itself
  for (auto pairing : {rope_pairing::adjacent, rope_pairing::halves})
    for (auto extras : {false, true}) {
      auto p = small_shape();
      p.pairing = pairing;
      auto o = random_model_options{};
      o.biases = extras;
      o.rope_factors = extras;
      if (extras) {
        p.rope_scale = 0.25f;
        p.rope_base = 500000.f;
        p.rope_dim = 10;
      }
      check_against_reference(p, o);
    }
}

BOOST_AUTO_TEST_CASE(norms_of_heads_agree_with_the_reference) {
  for (auto extras : {false, true}) {
    auto p = small_shape();
    p.pairing = rope_pairing::halves;
    p.heads = 6; // 6 * 24 is more than the width
    p.head_dim = p.rope_dim = 24;
    auto o = random_model_options{};
    o.qk_norm = true;
    o.biases = extras;
    check_against_reference(p, o);
  }
}

// Whole files, so that what the keys mean is part of it.
BOOST_AUTO_TEST_CASE(architectures_agree_with_the_reference) {
  using namespace testing;
  auto o = tiny_model_options{};
  auto files = std::deque<byte_vector>{}; // the models point into them
  auto check = [&](auto change) {
    auto f = tiny_model_file(o);
    change(f);
    files.push_back(f.bytes());
    auto file = gguf_file::parse(files.back(), o.architecture);
    BOOST_REQUIRE(file);
    auto m = read_model(std::make_shared<const gguf_file>(*std::move(file)));
    BOOST_REQUIRE_MESSAGE(m.ok(), (m.ok() ? "" : m.failure().message));
    BOOST_TEST_CONTEXT(o.architecture) {
      // Logits of a deviation of 3 instead of 0.6.
      check_against_reference(
          **m, *m, 5 * tolerance(kv_dtype::f32, activation_type::f32),
          5 * tolerance(kv_dtype::f16, activation_type::f32));
    }
    return *m;
  };
  auto as_is = [](gguf_writer&) {};
  auto yarn = [&](gguf_writer& f) {
    auto at = o.architecture + ".rope.scaling.";
    f.put_string(at + "type", "yarn");
    f.put_f32(at + "factor", 4.f);
    f.put_u32(at + "original_context_length", 64);
  };
  check(as_is);
  o.architecture = "qwen2";
  o.qkv_bias = true;
  o.tied = true;
  check(as_is);
  auto m = check(yarn);
  BOOST_TEST(m->params.rope_magnitude == 0.1f * std::log(4.f) + 1);
  o.architecture = "qwen3";
  o.qkv_bias = false;
  o.qk_norm = true;
  o.head_dim = 32;
  check(as_is);
  check(yarn);
  o.architecture = "phi3";
  o.qk_norm = false;
  o.fused = true;
  m = check(as_is);
  // Where the parts lie, which the reference takes as given.
  auto& file = dynamic_cast<const gguf_file&>(*m->file);
  auto& all = *file.find_tensor("blk.1.attn_qkv.weight");
  auto& both = *file.find_tensor("blk.1.ffn_up.weight");
  auto& l = m->w.layers[1];
  auto row = 64 * sizeof(float);
  BOOST_TEST(l.wq.data == all.data.data());
  BOOST_TEST(l.wk.data == all.data.data() + 4 * 32 * row);
  BOOST_TEST(l.wv.data == all.data.data() + 6 * 32 * row);
  BOOST_TEST(l.gate.data == both.data.data());
  BOOST_TEST(l.up.data == both.data.data() + 96 * row);
}

// -- bit for bit --------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_prompt_may_be_cut_into_any_chunks) {
  auto ids = text(4, 150);
  for (auto a : all_activations) {
    auto e = engine{small_model(), {1, 160, nullptr, a}};
    for (auto kv : all_kv_types) {
      auto whole = alone(e, kv, ids);
      for (auto chunk : {1u, 3u, 7u, 16u, 17u, 64u})
        BOOST_TEST(same_bits(alone(e, kv, ids, chunk), whole),
                   "chunk " << chunk);
    }
  }
}

BOOST_AUTO_TEST_CASE(threads_do_not_matter) {
  auto ids = text(5, 70);
  for (auto t : {dtype::q8_0, dtype::q4_0, dtype::f32})
    for (auto a : all_activations) {
      auto m = small_model(t);
      auto one = engine{m, {1, 128, nullptr, a}};
      auto want = alone(one, kv_dtype::f16, ids);
      for (auto threads : {2u, 3u}) {
        auto e = engine{m, {threads, 128, nullptr, a}};
        BOOST_TEST(same_bits(alone(e, kv_dtype::f16, ids), want));
        BOOST_TEST(same_bits(alone(e, kv_dtype::f16, ids, 5), want));
      }
    }
}

BOOST_AUTO_TEST_CASE(instruction_sets_do_not_matter) {
  auto small = small_shape();
  small.hidden = 96;
  small.head_dim = 24;
  small.rope_dim = 24;
  auto wide = small_shape();
  wide.hidden = wide.ffn = 256;
  wide.head_dim = 64;
  wide.layers = 1;
  for (auto t : {dtype::q8_0, dtype::q4_0, dtype::f16, dtype::q5_1, dtype::q4_k,
                 dtype::q6_k})
    for (auto a : all_activations) {
      auto p = block_values(t) == 256 ? wide : small;
      auto ids = text(6, block_values(t) == 256 ? 9 : 40);
      auto o = random_model_options{};
      o.type = t;
      auto m = random_model::make(p, o);
      auto plain = kernels_for(instruction_set::portable);
      auto reference = engine{m, {1, 64, plain, a}};
      auto want = alone(reference, kv_dtype::f16, ids);
      for (auto set : {instruction_set::avx2, instruction_set::avx512})
        if (auto* k = kernels_for(set)) {
          auto e = engine{m, {1, 64, k, a}};
          BOOST_TEST(same_bits(alone(e, kv_dtype::f16, ids), want), k->name);
          BOOST_TEST(same_bits(alone(e, kv_dtype::f16, ids, 1), want), k->name);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_row_does_not_depend_on_the_others_or_its_place) {
  auto m = small_model();
  auto e = engine{m, {2, 160}};
  auto vocab = size_t{m->params.vocab};
  auto ids = text(7, 30);
  for (auto kv : all_kv_types) {
    auto want = alone(e, kv, ids);
    for (auto others = 1u; others <= 16; ++others) {
      auto place = random_bits(8, others) % (others + 1);
      auto crowd = std::vector<std::unique_ptr<sequence>>{};
      auto lengths = std::vector<uint32_t>{};
      for (auto i = 0u; i <= others; ++i) {
        crowd.push_back(std::make_unique<sequence>(e, kv, 100));
        // The others stand at other positions.
        auto n = i == place ? 20u : 1 + i * 5;
        auto prompt = i == place ? text(7, n) : text(100 + i, n);
        auto row = batch_row{&crowd[i]->table, prompt, false};
        BOOST_TEST(step(e, {&row, 1}).empty());
      }
      // Ten steps of decoding, all together.
      for (auto t = 20u; t < 30; ++t) {
        auto tokens = std::vector<token_id>(others + 1, 5);
        tokens[place] = ids[t];
        auto rows = std::vector<batch_row>{};
        for (auto i = 0u; i <= others; ++i)
          rows.push_back({&crowd[i]->table, {&tokens[i], 1}});
        auto got = step(e, rows);
        BOOST_REQUIRE(got.size() == (others + 1) * vocab);
        BOOST_TEST(same_bits({got.data() + place * vocab, vocab},
                             {want.data() + t * vocab, vocab}),
                   others << " others, place " << place << ", token " << t);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(prefill_and_decode_mix_in_one_batch) {
  auto m = small_model(dtype::q4_0);
  auto e = engine{m, {2, 160}};
  auto vocab = size_t{m->params.vocab};
  auto a = text(9, 90);
  auto b = text(10, 64);
  auto c = text(11, 50);
  auto want_a = alone(e, kv_dtype::f16, a);
  auto want_b = alone(e, kv_dtype::f16, b);
  auto want_c = alone(e, kv_dtype::f16, c);
  auto sa = sequence{e, kv_dtype::f16, 90};
  auto sb = sequence{e, kv_dtype::f16, 64};
  auto sc = sequence{e, kv_dtype::f16, 50};
  auto from = [&](const floats& all, uint32_t first, uint32_t n) {
    return std::span{all}.subspan(first * vocab, n * vocab);
  };
  // a is prefilled by 13 while b decodes; c joins with all of its logits.
  auto row_b = batch_row{&sb.table, std::span{b}.first(50), false};
  step(e, {&row_b, 1});
  for (auto i = 0u; i < 6; ++i) {
    auto rows = std::vector<batch_row>{};
    rows.push_back({&sa.table, std::span{a}.subspan(i * 13, 13)});
    rows.push_back({&sb.table, std::span{b}.subspan(50 + i, 1)});
    auto with_c = i >= 2 && i < 5;
    if (with_c)
      rows.push_back(
          {&sc.table, std::span{c}.subspan((i - 2) * 11, 11), false, true});
    auto got = step(e, rows);
    BOOST_REQUIRE(got.size() == (2 + (with_c ? 11 : 0)) * vocab);
    BOOST_TEST(same_bits(from(got, 0, 1), from(want_a, i * 13 + 12, 1)));
    BOOST_TEST(same_bits(from(got, 1, 1), from(want_b, 50 + i, 1)));
    if (with_c)
      BOOST_TEST(same_bits(from(got, 2, 11), from(want_c, (i - 2) * 11, 11)));
  }
}

BOOST_AUTO_TEST_CASE(what_lies_beyond_the_sequence_is_not_read) {
  auto e = engine{small_model(), {1, 160}};
  auto ids = text(12, 40);
  for (auto kv : all_kv_types) {
    auto want = alone(e, kv, ids);
    auto s = sequence{e, kv, 64};
    // NaN wherever nothing is written yet; of i8, in the factors.
    for (auto i = 0u; i < s.table.blocks(); ++i)
      std::memset(s.table.block(i), 0xff, s.pool.layout().block_bytes());
    auto got = floats{};
    for (auto i = size_t{0}; i < ids.size(); i += 9) {
      auto n = std::min(size_t{9}, ids.size() - i);
      auto row = batch_row{&s.table, std::span{ids}.subspan(i, n), true, true};
      auto some = step(e, {&row, 1});
      got.insert(got.end(), some.begin(), some.end());
    }
    BOOST_TEST(same_bits(got, want));
  }
}

// -- what a step returns, and refuses -----------------------------------------

BOOST_AUTO_TEST_CASE(only_wanted_logits_are_returned) {
  auto m = small_model();
  auto e = engine{m, {1, 64}};
  auto vocab = m->params.vocab;
  auto ids = text(13, 6);
  auto s = sequence{e, kv_dtype::f16, 6};
  auto row = batch_row{&s.table, std::span{ids}.first(2), false};
  BOOST_TEST(step(e, {&row, 1}).size() == 0u);
  row = {&s.table, std::span{ids}.subspan(2, 2)};
  BOOST_TEST(step(e, {&row, 1}).size() == vocab);
  row = {&s.table, std::span{ids}.subspan(4, 2), false, true};
  BOOST_TEST(step(e, {&row, 1}).size() == 2 * vocab);
  BOOST_TEST(s.table.length() == 6u);
  BOOST_TEST(step(e, {}).empty());
}

BOOST_AUTO_TEST_CASE(a_refused_step_changes_nothing) {
  auto e = engine{small_model(), {1, 64}};
  auto good = sequence{e, kv_dtype::f16, 160};
  auto bad = sequence{e, kv_dtype::f16, 192};
  auto ids = text(15, 64);
  auto bytes = [&](const sequence& s) {
    auto all = std::string{};
    for (auto i = 0u; i < s.table.blocks(); ++i)
      all.append(reinterpret_cast<const char*>(s.table.block(i)),
                 s.pool.layout().block_bytes());
    return all;
  };
  auto before_good = bytes(good);
  auto before_bad = bytes(bad);
  auto refused = [&](std::span<const token_id> tokens, errc code) {
    auto rows = std::vector<batch_row>{};
    rows.push_back({&good.table, std::span{ids}.first(4)});
    rows.push_back({&bad.table, tokens});
    auto length = bad.table.length();
    auto r = e.forward(rows);
    BOOST_REQUIRE(!r.ok());
    BOOST_TEST(to_string(r.failure().code) == to_string(code));
    BOOST_TEST(r.failure().message.find('\n') == std::string::npos);
    BOOST_TEST(good.table.length() == 0u);
    BOOST_TEST(bad.table.length() == length);
    BOOST_TEST((bytes(good) == before_good));
    BOOST_TEST((bytes(bad) == before_bad));
  };
  refused({}, errc::invalid_argument);
  for (auto id : {-1, 61, 1 << 30}) {
    auto tokens = std::vector<token_id>{1, 2, id};
    refused(tokens, errc::invalid_argument);
  }
  refused(std::span{ids}.first(61), errc::invalid_argument); // 65 in a step
  bad.table.set_length(158);
  refused(std::span{ids}.first(3), errc::context_exceeded);
  auto row = batch_row{&bad.table, std::span{ids}.first(2)};
  BOOST_TEST(e.forward({&row, 1}).ok()); // 160 of 160 fit
}

BOOST_AUTO_TEST_CASE(an_engine_can_be_moved) {
  auto a = engine{small_model(), {2, 64}};
  auto ids = text(16, 10);
  auto want = alone(a, kv_dtype::f16, ids);
  auto b = std::move(a);
  BOOST_TEST(same_bits(alone(b, kv_dtype::f16, ids), want));
}

BOOST_AUTO_TEST_SUITE_END()
