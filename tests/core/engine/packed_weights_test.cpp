#include "core/engine/packed_weights.hpp"

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <thread>

#include "core/tensor/bf16.hpp"
#include "tests/core/engine/random_model.hpp"

using namespace troupe;
using test::random_model;

namespace {

std::shared_ptr<const model> model_of(dtype t) {
  auto p = hparams{};
  p.vocab = 40;
  p.context = 16;
  p.hidden = block_values(t) == 256 ? 256 : 64;
  p.layers = 2;
  p.heads = p.kv_heads = 2;
  p.head_dim = p.hidden / 2;
  p.ffn = block_values(t) == 256 ? 512 : 96;
  p.rope_dim = 32;
  auto o = test::random_model_options{};
  o.type = t;
  return random_model::make(p, o);
}

} // namespace

BOOST_AUTO_TEST_SUITE(engine_packed_weights)

BOOST_AUTO_TEST_CASE(all_quantised_matrices_are_packed) {
  auto pool = thread_pool{2};
  for (auto t : {dtype::q8_0, dtype::q4_0, dtype::q4_1, dtype::q5_0,
                 dtype::q5_1, dtype::q4_k, dtype::q5_k, dtype::q6_k}) {
    auto m = model_of(t);
    auto p = packed_weights::of(m, pool);
    auto bytes = size_t{0};
    auto check = [&](const matrix_view& w, const matrix_view& from) {
      BOOST_REQUIRE(w.packed != nullptr);
      BOOST_TEST(w.data == from.data);
      auto want = packed_matrix{from};
      BOOST_TEST(w.packed->rows() == from.rows);
      BOOST_TEST(w.packed->cols() == from.cols);
      BOOST_REQUIRE(w.packed->bytes() == want.bytes());
      BOOST_TEST(std::memcmp(w.packed->panel(0), want.panel(0), want.bytes())
                 == 0);
      bytes += want.bytes();
    };
    for (auto i = size_t{0}; i < 2; ++i) {
      auto& l = p->w().layers[i];
      auto& from = m->w.layers[i];
      check(l.wq, from.wq);
      check(l.wk, from.wk);
      check(l.wv, from.wv);
      check(l.wo, from.wo);
      check(l.gate, from.gate);
      check(l.up, from.up);
      check(l.down, from.down);
    }
    check(p->w().output, m->w.output);
    BOOST_TEST(p->bytes() == bytes);
    // Rows of it are looked up one at a time.
    BOOST_TEST((p->w().embedding.packed == nullptr));
  }
}

BOOST_AUTO_TEST_CASE(experts_are_packed_but_not_what_chooses_them) {
  auto pool = thread_pool{2};
  auto p = hparams{};
  p.vocab = 40;
  p.hidden = 64;
  p.layers = 1;
  p.heads = p.kv_heads = 2;
  p.head_dim = 64;
  p.rope_dim = p.value_dim = 32;
  p.mla = {32, 64};
  p.experts.count = 3;
  p.experts.ffn = 96;
  auto o = test::random_model_options{};
  o.type = dtype::q8_0;
  auto packed = packed_weights::of(random_model::make(p, o), pool);
  auto& l = packed->w().layers[0];
  for (auto* w : {&l.wq_a, &l.wq, &l.wkv_a, &l.wo})
    BOOST_TEST((w->packed != nullptr));
  BOOST_REQUIRE(l.experts.size() == 3u);
  for (auto& e : l.experts)
    for (auto* w : {&e.gate, &e.up, &e.down}) {
      BOOST_REQUIRE((w->packed != nullptr));
      auto want = packed_matrix{{w->type, w->rows, w->cols, w->data}};
      BOOST_REQUIRE(w->packed->bytes() == want.bytes());
      BOOST_TEST(std::memcmp(w->packed->panel(0), want.panel(0), want.bytes())
                 == 0);
    }
  BOOST_TEST((l.router.packed == nullptr));
  BOOST_TEST((l.wk_b[1].packed == nullptr));
  BOOST_TEST((l.wv_b[1].packed == nullptr));
}

BOOST_AUTO_TEST_CASE(other_matrices_are_left_alone) {
  auto pool = thread_pool{1};
  auto p = packed_weights::of(model_of(dtype::f16), pool);
  BOOST_TEST(p->bytes() == 0u);
  BOOST_TEST((p->w().layers[0].wq.packed == nullptr));
  BOOST_TEST((p->w().output.packed == nullptr));
}

BOOST_AUTO_TEST_CASE(bf16_is_packed_where_the_processor_multiplies_it) {
  auto pool = thread_pool{2};
  auto p = packed_weights::of(model_of(dtype::bf16), pool);
  for (auto* w : {&p->w().layers[0].wq, &p->w().layers[1].down, &p->w().output})
    BOOST_TEST((w->packed != nullptr) == multiplies_bf16());
}

BOOST_AUTO_TEST_CASE(engines_of_a_model_share_them) {
  auto m = model_of(dtype::q8_0);
  auto all = std::vector<std::shared_ptr<const packed_weights>>(4);
  auto threads = std::vector<std::thread>{};
  for (auto& p : all)
    threads.emplace_back([&p, &m] {
      auto pool = thread_pool{1};
      p = packed_weights::of(m, pool);
    });
  for (auto& t : threads)
    t.join();
  for (auto& p : all)
    BOOST_TEST(p == all[0]);
  auto pool = thread_pool{1};
  BOOST_TEST(packed_weights::of(model_of(dtype::q8_0), pool) != all[0]);
  // They keep the model alive, and nothing keeps them.
  auto model_left = std::weak_ptr<const model>{m};
  m.reset();
  BOOST_TEST(!model_left.expired());
  all.clear();
  BOOST_TEST(model_left.expired());
}

BOOST_AUTO_TEST_SUITE_END()
