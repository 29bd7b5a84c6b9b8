#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "core/base/ids.hpp"
#include "core/kv/layout.hpp"
#include "core/model/model.hpp"
#include "core/tensor/half.hpp"
#include "core/tensor/quant.hpp"

namespace troupe::test {

using doubles = std::vector<double>;

inline doubles row_of(const matrix_view& w, uint32_t r) {
  auto xs = std::vector<float>(w.cols);
  dequantize_row(w.type, w.row(r), w.cols, xs.data());
  return {xs.begin(), xs.end()};
}

inline doubles times(const matrix_view& w, const doubles& x,
                     const std::vector<float>& bias = {}) {
  auto y = doubles(w.rows);
  for (auto r = 0u; r < w.rows; ++r) {
    auto weights = row_of(w, r);
    for (auto i = 0u; i < w.cols; ++i)
      y[r] += weights[i] * x[i];
    if (!bias.empty())
      y[r] += bias[r];
  }
  return y;
}

inline doubles normed(const doubles& x, const std::vector<float>& w,
                      double eps) {
  auto squares = 0.0;
  for (auto v : x)
    squares += v * v;
  auto y = x;
  for (auto i = size_t{0}; i < x.size(); ++i)
    y[i] *= w[i] / std::sqrt(squares / static_cast<double>(x.size()) + eps);
  return y;
}

/// Radians for each position that pair i turns. What the file says and YaRN's
/// ramp are multiplied in the model's rope_factors; here YaRN is computed anew,
/// as the paper has it: the interpolated and the old frequency, mixed.
inline double frequency(const model& m, uint32_t i) {
  auto& p = m.params;
  auto old = std::pow(p.rope_base, -2.0 * i / p.rope_dim) * p.rope_scale;
  if (p.yarn.factor == 1.f)
    return m.w.rope_factors.empty() ? old : old / m.w.rope_factors[i];
  // The paper's r(d) is the number of turns; its bounds are rounded outwards
  // to pairs, as YaRN's own code does.
  auto pair_with = [&](double turns) {
    return std::log(p.yarn.original_context / (turns * 2 * std::acos(-1.0)))
           / std::log(std::pow(p.rope_base, 2.0 / p.rope_dim));
  };
  auto low = std::floor(pair_with(p.yarn.beta_fast));
  auto high = std::ceil(pair_with(p.yarn.beta_slow));
  low = low < 0 ? 0 : low;
  high = high > p.rope_dim - 1 ? p.rope_dim - 1 : high;
  auto gamma = i <= low ? 1.0 : i >= high ? 0.0 : (high - i) / (high - low);
  return (1 - gamma) * old / p.yarn.factor + gamma * old;
}

inline void normalise_heads(doubles& x, const model& m, uint32_t heads,
                            const std::vector<float>& weight) {
  if (weight.empty())
    return;
  auto dim = m.params.head_dim;
  for (auto h = 0u; h < heads; ++h) {
    auto at = x.begin() + h * dim;
    auto y = normed(doubles(at, at + dim), weight, m.params.norm_eps);
    std::copy(y.begin(), y.end(), at);
  }
}

inline void turn(doubles& x, const model& m, uint32_t heads,
                 uint32_t position) {
  auto& p = m.params;
  for (auto h = 0u; h < heads; ++h)
    for (auto i = 0u; i < p.rope_dim / 2; ++i) {
      auto angle = position * frequency(m, i);
      auto cos = p.rope_magnitude * std::cos(angle);
      auto sin = p.rope_magnitude * std::sin(angle);
      auto adjacent = p.pairing == rope_pairing::adjacent;
      auto a = h * p.head_dim + (adjacent ? 2 * i : i);
      auto b = adjacent ? a + 1 : a + p.rope_dim / 2;
      auto re = x[a] * cos - x[b] * sin;
      auto im = x[a] * sin + x[b] * cos;
      x[a] = re;
      x[b] = im;
    }
}

/// The logits of every token, in double precision and in the most literal way:
/// no pages, no batch, no cache. Only what is stored as KV is rounded.
inline std::vector<doubles> reference_logits(const model& m, kv_dtype kv,
                                             std::span<const token_id> ids) {
  auto& p = m.params;
  auto stored = [kv](doubles x) {
    for (auto& v : x)
      if (kv == kv_dtype::f16)
        v = f16_to_f32(f32_to_f16(static_cast<float>(v)));
    return x;
  };
  auto xs = std::vector<doubles>{};
  for (auto id : ids)
    xs.push_back(row_of(m.w.embedding, static_cast<uint32_t>(id)));
  for (auto& w : m.w.layers) {
    auto keys = std::vector<doubles>{};
    auto values = std::vector<doubles>{};
    for (auto t = 0u; t < xs.size(); ++t) {
      auto& x = xs[t];
      auto h = normed(x, w.attn_norm, p.norm_eps);
      auto q = times(w.wq, h, w.bq);
      auto k = times(w.wk, h, w.bk);
      normalise_heads(q, m, p.heads, w.q_norm);
      normalise_heads(k, m, p.kv_heads, w.k_norm);
      turn(q, m, p.heads, t);
      turn(k, m, p.kv_heads, t);
      keys.push_back(stored(k));
      values.push_back(stored(times(w.wv, h, w.bv)));
      auto attended = doubles(p.heads * p.head_dim);
      for (auto head = 0u; head < p.heads; ++head) {
        auto kv_head = head / (p.heads / p.kv_heads);
        auto weight = doubles(t + 1);
        auto total = 0.0;
        for (auto s = 0u; s <= t; ++s) {
          for (auto d = 0u; d < p.head_dim; ++d)
            weight[s] +=
                q[head * p.head_dim + d] * keys[s][kv_head * p.head_dim + d];
          weight[s] = std::exp(weight[s] / std::sqrt(1.0 * p.head_dim));
          total += weight[s];
        }
        for (auto s = 0u; s <= t; ++s)
          for (auto d = 0u; d < p.head_dim; ++d)
            attended[head * p.head_dim + d] +=
                weight[s] / total * values[s][kv_head * p.head_dim + d];
      }
      auto y = times(w.wo, attended);
      for (auto i = 0u; i < p.hidden; ++i)
        x[i] += y[i];
      h = normed(x, w.ffn_norm, p.norm_eps);
      auto gate = times(w.gate, h);
      auto up = times(w.up, h);
      for (auto i = 0u; i < p.ffn; ++i)
        gate[i] = gate[i] / (1 + std::exp(-gate[i])) * up[i];
      y = times(w.down, gate);
      for (auto i = 0u; i < p.hidden; ++i)
        x[i] += y[i];
    }
  }
  auto logits = std::vector<doubles>{};
  for (auto& x : xs)
    logits.push_back(times(m.w.output, normed(x, m.w.output_norm, p.norm_eps)));
  return logits;
}

} // namespace troupe::test
