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
  uint64_t seed = 1;
};

/// A model without a file: random weights in memory of its own.
class random_model {
public:
  random_model(const hparams& p, const random_model_options& o)
      : type_(o.type), seed_(o.seed) {
    auto q = p.heads * p.head_dim;
    auto kv = p.kv_heads * p.head_dim;
    m_.params = p;
    m_.w.embedding = matrix(p.vocab, p.hidden, 1.f);
    m_.w.output = o.tied ? m_.w.embedding : matrix(p.vocab, p.hidden, 1.f);
    m_.w.output_norm = around_one(p.hidden);
    for (auto i = 0u; i < p.layers; ++i) {
      auto& l = m_.w.layers.emplace_back();
      l.attn_norm = around_one(p.hidden);
      l.wq = matrix(q, p.hidden, 2.f);
      l.wk = matrix(kv, p.hidden, 2.f);
      l.wv = matrix(kv, p.hidden, 1.f);
      l.wo = matrix(p.hidden, q, 1.f);
      if (o.biases) {
        l.bq = random_values(++seed_, q);
        l.bk = random_values(++seed_, kv);
        l.bv = random_values(++seed_, kv);
      }
      if (o.qk_norm) {
        l.q_norm = around_one(p.head_dim);
        l.k_norm = around_one(p.head_dim);
      }
      l.ffn_norm = around_one(p.hidden);
      l.gate = matrix(p.ffn, p.hidden, 1.f);
      l.up = matrix(p.ffn, p.hidden, 1.f);
      l.down = matrix(p.hidden, p.ffn, 1.f);
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

} // namespace troupe::test
