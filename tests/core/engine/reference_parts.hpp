#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/model/hparams.hpp"
#include "core/model/weights.hpp"
#include "core/tensor/quant.hpp"

namespace troupe::test {

// What the reference is made of, in double precision.

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

inline double capped(double x, double cap) {
  return cap == 0 ? x : cap * std::tanh(x / cap);
}

inline doubles gated_of(const hparams& p, const ffn_weights& w,
                        const doubles& x) {
  auto gate = times(w.gate, x);
  auto up = times(w.up, x);
  for (auto i = size_t{0}; i < gate.size(); ++i) {
    auto g = gate[i];
    gate[i] = p.gate == gate_function::silu
                  ? g / (1 + std::exp(-g)) * up[i]
                  : g / 2
                        * (1
                           + std::tanh(std::sqrt(2 / std::acos(-1.0))
                                       * (g + 0.044715 * g * g * g)))
                        * up[i];
  }
  return times(w.down, gate);
}

/// Each expert's weight for a token; 0 for those that it does not use.
inline doubles expert_weights(const expert_hparams& e, const doubles& logits,
                              const std::vector<float>& bias) {
  auto scores = doubles(e.count);
  auto sum = 0.0;
  for (auto i = 0u; i < e.count; ++i)
    sum += std::exp(logits[i]);
  for (auto i = 0u; i < e.count; ++i)
    scores[i] = e.gating == expert_gating::softmax
                    ? std::exp(logits[i]) / sum
                    : 1 / (1 + std::exp(-logits[i]));
  auto choice = scores;
  for (auto i = 0u; i < e.count; ++i)
    choice[i] += bias.empty() ? 0 : bias[i];
  // Numbers of the n greatest, greatest first.
  auto greatest = [](const doubles& xs, uint32_t n) {
    auto order = std::vector<uint32_t>(xs.size());
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(),
                     [&](auto a, auto b) { return xs[a] > xs[b]; });
    order.resize(n);
    return order;
  };
  auto size = e.count / e.groups;
  auto of_groups = doubles{};
  for (auto g = 0u; g < e.groups; ++g) {
    auto first = choice.begin() + g * size;
    auto mine = doubles(first, first + size);
    std::sort(mine.rbegin(), mine.rend());
    of_groups.push_back(
        e.best_group == group_score::largest ? mine[0] : mine[0] + mine.at(1));
  }
  auto kept = greatest(of_groups, e.groups_used);
  for (auto i = 0u; i < e.count; ++i)
    if (std::find(kept.begin(), kept.end(), i / size) == kept.end())
      choice[i] = -INFINITY;
  auto weights = doubles(e.count);
  auto total = 0.0;
  for (auto i : greatest(choice, e.used)) {
    weights[i] = scores[i];
    total += scores[i];
  }
  for (auto& w : weights)
    w *= e.scale / (e.normalise ? total : 1);
  return weights;
}

inline doubles feed_forward_of(const hparams& p, const layer_weights& w,
                               const doubles& x) {
  auto y = doubles(p.hidden);
  auto add = [&](const ffn_weights& ffn, double weight) {
    auto z = gated_of(p, ffn, x);
    for (auto i = size_t{0}; i < y.size(); ++i)
      y[i] += weight * z[i];
  };
  if (!w.experts.empty()) {
    auto weights = expert_weights(p.experts, times(w.router, x), w.router_bias);
    for (auto i = size_t{0}; i < weights.size(); ++i)
      if (weights[i] != 0)
        add(w.experts[i], weights[i]);
  }
  if (!w.gate.empty())
    add({w.gate, w.up, w.down}, 1);
  return y;
}

} // namespace troupe::test
