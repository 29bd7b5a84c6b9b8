#include "core/engine/qkv_projection.hpp"

#include <array>

#include "core/tensor/matmul.hpp"
#include "core/tensor/norm.hpp"

namespace troupe {

namespace {

const float* bias(const std::vector<float>& b) {
  return b.empty() ? nullptr : b.data();
}

} // namespace

qkv_projection::qkv_projection(const model& m, uint32_t max_tokens)
    : q(max_tokens, size_t{m.params.heads} * m.params.head_dim),
      k(max_tokens, size_t{m.params.kv_heads} * m.params.head_dim),
      v(max_tokens, size_t{m.params.kv_heads} * m.params.values_of_head()),
      p_(m.params), rope_(p_, m.w.rope_factors, max_tokens) {}

void qkv_projection::plan(compute& c, const step_rows& rows) {
  tokens_ = rows.tokens();
  rope_.plan(c, rows.positions);
}

void qkv_projection::run(compute& c, const layer_weights& w, const float* x,
                         bool local) {
  matmul(c, x, tokens_,
         std::array{linear{w.wq, bias(w.bq), q}, linear{w.wk, bias(w.bk), k},
                    linear{w.wv, bias(w.bv), v}});
  for_rows(c, tokens_, [&](uint32_t row, unsigned) {
    place(q.row(row), p_.heads, w.q_norm, row, local);
    place(k.row(row), p_.kv_heads, w.k_norm, row, local);
  });
}

void qkv_projection::place(float* head, uint32_t n,
                           const std::vector<float>& norm, uint32_t row,
                           bool local) const {
  for (; n > 0; --n, head += p_.head_dim) {
    if (!norm.empty())
      rms_norm(head, norm.data(), p_.head_dim, p_.norm_eps, head);
    rope_.turn(head, row, local);
  }
}

} // namespace troupe
