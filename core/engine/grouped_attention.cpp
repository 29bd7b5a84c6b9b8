#include <array>

#include "core/engine/attention_layer.hpp"
#include "core/engine/rotation.hpp"
#include "core/tensor/matmul.hpp"
#include "core/tensor/norm.hpp"

namespace troupe {

namespace {

const float* bias(const std::vector<float>& b) {
  return b.empty() ? nullptr : b.data();
}

class layers : public attention_layer {
public:
  layers(const model& m, uint32_t max_tokens)
      : p_(m.params), rope_(p_, m.w.rope_factors, max_tokens),
        attention_(p_.heads, max_tokens),
        q_(max_tokens, size_t{p_.heads} * p_.head_dim),
        k_(max_tokens, size_t{p_.kv_heads} * p_.head_dim),
        v_(max_tokens, size_t{p_.kv_heads} * p_.values_of_head()),
        attended_(max_tokens, size_t{p_.heads} * p_.values_of_head()) {}

  void plan(compute& c, const step_rows& rows,
            const kv_layout& layout) override {
    tokens_ = rows.tokens();
    rope_.plan(c, rows.positions);
    attention_.plan(rows.sequences, layout);
  }

  void run(compute& c, uint32_t layer, const layer_weights& w, const float* x,
           float* out) override {
    matmul(c, x, tokens_,
           std::array{linear{w.wq, bias(w.bq), q_},
                      linear{w.wk, bias(w.bk), k_},
                      linear{w.wv, bias(w.bv), v_}});
    auto window = p_.window_of(layer);
    for_rows(c, tokens_, [&](uint32_t row, unsigned) {
      place(q_.row(row), p_.heads, w.q_norm, row, window != 0);
      place(k_.row(row), p_.kv_heads, w.k_norm, row, window != 0);
    });
    attention_.write(c, layer, k_, v_);
    auto options = attention_options{};
    options.scale = p_.scale_of_scores();
    options.window = window;
    options.softcap = p_.attention_softcap;
    attention_.attend(c, layer, q_, attended_, options);
    matmul(c, attended_, tokens_, std::array{linear{w.wo, nullptr, out, true}});
  }

private:
  void place(float* head, uint32_t n, const std::vector<float>& norm,
             uint32_t row, bool local) const {
    for (; n > 0; --n, head += p_.head_dim) {
      if (!norm.empty())
        rms_norm(head, norm.data(), p_.head_dim, p_.norm_eps, head);
      rope_.turn(head, row, local);
    }
  }

  const hparams& p_;
  rotation rope_;
  dense_attention attention_;
  uint32_t tokens_ = 0;
  row_buffer q_;
  row_buffer k_;
  row_buffer v_;
  row_buffer attended_;
};

kv_layout layout_of(const hparams& p, kv_dtype t) {
  return {p.layers, p.kv_heads, p.head_dim, p.values_of_head(), t};
}

compute_needs needs_of(const hparams& p) {
  return {p.heads * p.values_of_head(),
          dense_attention::scratch_floats(p.heads, p.kv_heads, p.head_dim,
                                          p.values_of_head())};
}

std::unique_ptr<attention_layer> make(const model& m, uint32_t max_tokens) {
  return std::make_unique<layers>(m, max_tokens);
}

} // namespace

const attention_variant grouped_attention{layout_of, needs_of, make};

} // namespace troupe
