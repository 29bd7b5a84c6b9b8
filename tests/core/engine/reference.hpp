#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "core/base/ids.hpp"
#include "core/kv/layout.hpp"
#include "core/model/model.hpp"
#include "core/tensor/half.hpp"
#include "tests/core/engine/reference_parts.hpp"

namespace troupe::test {

/// Radians for each position that pair i turns. What the file says and YaRN's
/// ramp are multiplied in the model's rope_factors; here YaRN is computed anew,
/// as the paper has it: the interpolated and the old frequency, mixed.
inline double frequency(const model& m, uint32_t i, bool local) {
  auto& p = m.params;
  if (local && p.local_rope_base != 0.f)
    return std::pow(p.local_rope_base, -2.0 * i / p.rope_dim);
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

/// Rotates the rope_dim values that start at `at`.
inline void turn(doubles& x, size_t at, const model& m, uint32_t layer,
                 uint32_t position) {
  auto& p = m.params;
  auto local = p.window_of(layer) != 0;
  auto magnitude = local && p.local_rope_base != 0.f ? 1.f : p.rope_magnitude;
  for (auto i = 0u; i < p.rope_dim / 2; ++i) {
    auto angle = position * frequency(m, i, local);
    auto cos = magnitude * std::cos(angle);
    auto sin = magnitude * std::sin(angle);
    auto adjacent = p.pairing == rope_pairing::adjacent;
    auto a = at + (adjacent ? 2 * i : i);
    auto b = adjacent ? a + 1 : a + p.rope_dim / 2;
    auto re = x[a] * cos - x[b] * sin;
    auto im = x[a] * sin + x[b] * cos;
    x[a] = re;
    x[b] = im;
  }
}

/// One layer's attention over a growing text, in the most literal way: the
/// keys and values of all heads of all tokens, none shared, none absorbed.
/// Only what is stored as KV is rounded.
class reference_attention {
public:
  reference_attention(const model& m, kv_dtype kv, uint32_t layer)
      : m_(m), p_(m.params), w_(m.w.layers[layer]), kv_(kv), layer_(layer) {}

  /// What attention gives for the next token, before wo.
  doubles next(const doubles& x) {
    auto q = p_.mla.kv_rank > 0 ? latent(x) : grouped(x);
    auto t = keys_.size() - 1;
    auto window = p_.window_of(layer_);
    auto first = window != 0 && t + 1 > window ? t + 1 - window : size_t{0};
    auto scale = p_.attention_scale != 0 ? double{p_.attention_scale}
                                         : 1 / std::sqrt(1.0 * p_.head_dim);
    auto dim = p_.values_of_head();
    auto out = doubles(p_.heads * dim);
    for (auto h = 0u; h < p_.heads; ++h) {
      auto weight = doubles(t + 1);
      auto total = 0.0;
      for (auto s = first; s <= t; ++s) {
        for (auto d = 0u; d < p_.head_dim; ++d)
          weight[s] +=
              q[h * p_.head_dim + d] * keys_[s][h * p_.head_dim + d] * scale;
        weight[s] = std::exp(capped(weight[s], p_.attention_softcap));
        total += weight[s];
      }
      for (auto s = first; s <= t; ++s)
        for (auto d = 0u; d < dim; ++d)
          out[h * dim + d] += weight[s] / total * values_[s][h * dim + d];
    }
    return out;
  }

private:
  doubles stored(doubles x) const {
    for (auto& v : x)
      if (kv_ == kv_dtype::f16)
        v = f16_to_f32(f32_to_f16(static_cast<float>(v)));
    return x;
  }

  auto position() const { return static_cast<uint32_t>(keys_.size()); }

  void place(doubles& x, uint32_t heads, const std::vector<float>& norm) const {
    auto dim = p_.head_dim;
    for (auto h = 0u; h < heads; ++h) {
      auto at = x.begin() + h * dim;
      if (!norm.empty()) {
        auto y = normed(doubles(at, at + dim), norm, p_.norm_eps);
        std::copy(y.begin(), y.end(), at);
      }
      turn(x, h * dim, m_, layer_, position());
    }
  }

  // Each head of Q with its own copy of the KV head that its group shares.
  doubles repeated(const doubles& x, uint32_t dim) const {
    auto out = doubles{};
    for (auto h = 0u; h < p_.heads; ++h) {
      auto from = x.begin() + h / (p_.heads / p_.kv_heads) * dim;
      out.insert(out.end(), from, from + dim);
    }
    return out;
  }

  doubles grouped(const doubles& x) {
    auto q = times(w_.wq, x, w_.bq);
    auto k = times(w_.wk, x, w_.bk);
    place(q, p_.heads, w_.q_norm);
    place(k, p_.kv_heads, w_.k_norm);
    keys_.push_back(repeated(stored(k), p_.head_dim));
    values_.push_back(
        repeated(stored(times(w_.wv, x, w_.bv)), p_.values_of_head()));
    return q;
  }

  // DeepSeek-V2, equations 37 to 47: c is the latent vector, k^C and v^C are
  // made from it, k^R is shared by all heads.
  doubles latent(const doubles& x) {
    auto plain = p_.head_dim - p_.rope_dim;
    auto q =
        p_.mla.q_rank > 0
            ? times(w_.wq, normed(times(w_.wq_a, x), w_.q_a_norm, p_.norm_eps))
            : times(w_.wq, x);
    for (auto h = 0u; h < p_.heads; ++h)
      turn(q, h * p_.head_dim + plain, m_, layer_, position());
    auto both = times(w_.wkv_a, x);
    auto end = both.begin() + p_.mla.kv_rank;
    auto c =
        stored(normed(doubles(both.begin(), end), w_.kv_a_norm, p_.norm_eps));
    auto k_r = doubles(end, both.end());
    turn(k_r, 0, m_, layer_, position());
    k_r = stored(k_r);
    auto& k = keys_.emplace_back();
    auto& v = values_.emplace_back();
    for (auto h = 0u; h < p_.heads; ++h) {
      auto k_c = doubles(plain);
      for (auto r = 0u; r < p_.mla.kv_rank; ++r) {
        auto row = row_of(w_.wk_b[h], r);
        for (auto d = 0u; d < plain; ++d)
          k_c[d] += row[d] * c[r];
      }
      auto v_c = times(w_.wv_b[h], c);
      k.insert(k.end(), k_c.begin(), k_c.end());
      k.insert(k.end(), k_r.begin(), k_r.end());
      v.insert(v.end(), v_c.begin(), v_c.end());
    }
    return q;
  }

  const model& m_;
  const hparams& p_;
  const layer_weights& w_;
  kv_dtype kv_;
  uint32_t layer_;
  std::vector<doubles> keys_;   ///< [heads * head_dim]
  std::vector<doubles> values_; ///< [heads * values_of_head]
};

/// The state of every token behind the last norm, in double precision and in
/// the most literal way: no pages, no batch, no cache.
inline std::vector<doubles> reference_states(const model& m, kv_dtype kv,
                                             std::span<const token_id> ids) {
  auto& p = m.params;
  auto xs = std::vector<doubles>{};
  for (auto id : ids) {
    auto x = row_of(m.w.embedding, static_cast<uint32_t>(id));
    for (auto& v : x)
      v *= p.embedding_scale;
    xs.push_back(x);
  }
  auto add = [&](doubles& x, doubles y, const std::vector<float>& norm) {
    if (!norm.empty())
      y = normed(y, norm, p.norm_eps);
    for (auto i = 0u; i < p.hidden; ++i)
      x[i] += y[i];
  };
  for (auto layer = 0u; layer < p.layers; ++layer) {
    auto& w = m.w.layers[layer];
    auto attention = reference_attention{m, kv, layer};
    for (auto& x : xs) {
      auto attended = attention.next(normed(x, w.attn_norm, p.norm_eps));
      add(x, times(w.wo, attended), w.attn_post_norm);
      add(x, feed_forward_of(p, w, normed(x, w.ffn_norm, p.norm_eps)),
          w.ffn_post_norm);
    }
  }
  for (auto& x : xs)
    x = normed(x, m.w.output_norm, p.norm_eps);
  return xs;
}

/// The logits of every token, the same.
inline std::vector<doubles> reference_logits(const model& m, kv_dtype kv,
                                             std::span<const token_id> ids) {
  auto logits = std::vector<doubles>{};
  for (auto& x : reference_states(m, kv, ids)) {
    auto& row = logits.emplace_back(times(m.w.output, x));
    for (auto& v : row)
      v = capped(v, m.params.logit_softcap);
  }
  return logits;
}

} // namespace troupe::test
