#include "core/engine/feed_forward.hpp"

#include <algorithm>
#include <array>

#include "core/tensor/matmul.hpp"

namespace troupe {

namespace {

uint32_t widest(const hparams& p) {
  auto& e = p.experts;
  return e.count == 0 ? p.ffn : std::max({p.ffn, e.ffn, e.shared * e.ffn});
}

} // namespace

feed_forward::feed_forward(const hparams& p, uint32_t max_tokens)
    : p_(p), gate_(max_tokens, widest(p)), up_(max_tokens, widest(p)),
      logits_(max_tokens, p.experts.count),
      gathered_(max_tokens, p.experts.count > 0 ? p.hidden : 0),
      result_(max_tokens, gathered_.width()), rows_(p.experts, max_tokens) {}

compute_needs feed_forward::needs(const hparams& p) {
  return {widest(p), choose_experts_scratch_floats(p.experts)};
}

void feed_forward::run(compute& c, const layer_weights& w, const float* x,
                       uint32_t tokens, float* out) {
  if (!w.experts.empty())
    run_experts(c, w, x, tokens, out);
  if (!w.gate.empty())
    run_one(c, {w.gate, w.up, w.down}, x, tokens, out, true);
}

void feed_forward::run_experts(compute& c, const layer_weights& w,
                               const float* x, uint32_t tokens, float* out) {
  matmul(c, x, tokens, std::array{linear{w.router, nullptr, logits_}});
  rows_.assign(c, logits_, tokens, w.router_bias);
  auto hidden = size_t{p_.hidden};
  for (auto expert = uint32_t{0}; expert < p_.experts.count; ++expert) {
    auto mine = rows_.of(expert);
    auto n = static_cast<uint32_t>(mine.size());
    if (n == 0)
      continue;
    auto* from = x;
    if (n < tokens) { // otherwise it has all rows, in their order
      for_rows(c, n, [&](uint32_t i, unsigned) {
        std::copy_n(x + mine[i].row * hidden, hidden, gathered_.row(i));
      });
      from = gathered_;
    }
    run_one(c, w.experts[expert], from, n, result_, false);
    for_rows(c, n, [&](uint32_t i, unsigned) {
      auto* to = out + mine[i].row * hidden;
      auto* y = result_.row(i);
      for (auto j = size_t{0}; j < hidden; ++j)
        to[j] += mine[i].weight * y[j];
    });
  }
}

void feed_forward::run_one(compute& c, const ffn_weights& w, const float* x,
                           uint32_t rows, float* out, bool add) {
  matmul(
      c, x, rows,
      std::array{linear{w.gate, nullptr, gate_}, linear{w.up, nullptr, up_}});
  auto* gated = p_.gate == gate_function::silu ? c.fast.swiglu : c.fast.geglu;
  auto width = size_t{w.gate.rows};
  for_rows(c, rows, [&](uint32_t row, unsigned) {
    gated(gate_ + row * width, up_ + row * width, width);
  });
  matmul(c, gate_, rows, std::array{linear{w.down, nullptr, out, add}});
}

} // namespace troupe
