#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/base/random.hpp"
#include "core/model/model.hpp"
#include "core/tensor/quant.hpp"

namespace troupe::test {

/// Uniform in [-1, 1), the same on every machine.
inline float random_value(uint64_t seed, uint64_t i) {
  return static_cast<float>(2 * random_unit(seed, i) - 1);
}

inline std::vector<float> random_values(uint64_t seed, size_t n,
                                        float scale = 1) {
  auto xs = std::vector<float>(n);
  for (auto i = size_t{0}; i < n; ++i)
    xs[i] = scale * random_value(seed, i);
  return xs;
}

/// What a random model is made of besides its hparams.
struct random_model_options {
  dtype type = dtype::f32;
  bool biases = false;
  bool tied = true;
  bool rope_factors = false;
  bool qk_norm = false;
  bool post_norms = false;
  bool router_bias = false;
  uint64_t seed = 1;
};

/// A model without a file: random weights in memory of its own.
class random_model {
public:
  random_model(const hparams& p, const random_model_options& o)
      : type_(o.type), seed_(o.seed) {
    m_.params = p;
    m_.w.embedding = matrix(p.vocab, p.hidden, 1.f);
    m_.w.output = o.tied ? m_.w.embedding : matrix(p.vocab, p.hidden, 1.f);
    m_.w.output_norm = around_one(p.hidden);
    for (auto i = 0u; i < p.layers; ++i) {
      auto& l = m_.w.layers.emplace_back();
      l.attn_norm = around_one(p.hidden);
      if (p.mla.kv_rank > 0)
        add_latent_attention(p, l);
      else
        add_attention(p, o, l);
      l.wo = matrix(p.hidden, p.heads * p.values_of_head(), 1.f);
      l.ffn_norm = around_one(p.hidden);
      if (!p.has_experts(i)) {
        add_ffn(p, p.ffn, l);
      } else {
        add_experts(p, o, l);
        if (p.experts.shared > 0)
          add_ffn(p, p.experts.shared * p.experts.ffn, l);
      }
      if (o.post_norms) {
        l.attn_post_norm = around_one(p.hidden);
        l.ffn_post_norm = around_one(p.hidden);
      }
    }
    if (o.rope_factors)
      for (auto x : random_values(++seed_, p.rope_dim / 2))
        m_.w.rope_factors.push_back(2.f + x);
  }

  /// Shares the weights' memory: it lives as long as the model does.
  static std::shared_ptr<const model> make(const hparams& p,
                                           const random_model_options& o) {
    auto owner = std::make_shared<random_model>(p, o);
    return {owner, &owner->m_};
  }

private:
  void add_attention(const hparams& p, const random_model_options& o,
                     layer_weights& l) {
    auto q = p.heads * p.head_dim;
    auto k = p.kv_heads * p.head_dim;
    auto v = p.kv_heads * p.values_of_head();
    l.wq = matrix(q, p.hidden, 2.f);
    l.wk = matrix(k, p.hidden, 2.f);
    l.wv = matrix(v, p.hidden, 1.f);
    if (o.biases) {
      l.bq = random_values(++seed_, q);
      l.bk = random_values(++seed_, k);
      l.bv = random_values(++seed_, v);
    }
    if (o.qk_norm) {
      l.q_norm = around_one(p.head_dim);
      l.k_norm = around_one(p.head_dim);
    }
  }

  void add_latent_attention(const hparams& p, layer_weights& l) {
    auto rank = p.mla.kv_rank;
    auto inputs = p.mla.q_rank > 0 ? p.mla.q_rank : p.hidden;
    if (p.mla.q_rank > 0) {
      l.wq_a = matrix(inputs, p.hidden, 1.f);
      l.q_a_norm = around_one(inputs);
    }
    l.wq = matrix(p.heads * p.head_dim, inputs, 2.f);
    l.wkv_a = matrix(rank + p.rope_dim, p.hidden, 1.f);
    l.kv_a_norm = around_one(rank);
    for (auto h = 0u; h < p.heads; ++h) {
      l.wk_b.push_back(matrix(rank, p.head_dim - p.rope_dim, 2.f));
      l.wv_b.push_back(matrix(p.value_dim, rank, 1.f));
    }
  }

  void add_ffn(const hparams& p, uint32_t width, layer_weights& l) {
    l.gate = matrix(width, p.hidden, 1.f);
    l.up = matrix(width, p.hidden, 1.f);
    l.down = matrix(p.hidden, width, 1.f);
  }

  void add_experts(const hparams& p, const random_model_options& o,
                   layer_weights& l) {
    auto& e = p.experts;
    l.router = matrix(e.count, p.hidden, 1.f);
    if (o.router_bias)
      l.router_bias = random_values(++seed_, e.count, 0.1f);
    for (auto i = 0u; i < e.count; ++i) {
      auto& x = l.experts.emplace_back();
      x.gate = matrix(e.ffn, p.hidden, 1.f);
      x.up = matrix(e.ffn, p.hidden, 1.f);
      x.down = matrix(p.hidden, e.ffn, 1.f);
    }
  }

  // Uniform with standard deviation gain / sqrt(cols), so that a layer keeps
  // the magnitude of what it is given.
  matrix_view matrix(uint32_t rows, uint32_t cols, float gain) {
    auto view = matrix_view{type_, rows, cols, nullptr};
    auto& bytes = bytes_.emplace_back(rows * view.row_bytes());
    view.data = bytes.data();
    auto scale = gain * std::sqrt(3.f / static_cast<float>(cols));
    for (auto r = 0u; r < rows; ++r) {
      auto xs = random_values(++seed_, cols, scale);
      quantize_row(type_, xs.data(), cols, bytes.data() + r * view.row_bytes());
    }
    return view;
  }

  std::vector<float> around_one(uint32_t n) {
    auto xs = random_values(++seed_, n, 0.2f);
    for (auto& x : xs)
      x += 1;
    return xs;
  }

  dtype type_;
  uint64_t seed_;
  model m_;
  std::vector<std::vector<std::byte>> bytes_;
};

/// Hyperparameters that split well: 4 groups of 2 heads.
inline hparams small_llama() {
  auto p = hparams{};
  p.vocab = 61;
  p.context = 160;
  p.hidden = 64;
  p.layers = 3;
  p.heads = 8;
  p.kv_heads = 4;
  p.head_dim = p.rope_dim = 16;
  p.ffn = 160;
  return p;
}

} // namespace troupe::test
