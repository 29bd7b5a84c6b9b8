#include <algorithm>
#include <array>

#include "core/attention/mla.hpp"
#include "core/engine/attention_layer.hpp"
#include "core/engine/rotation.hpp"
#include "core/tensor/matmul.hpp"
#include "core/tensor/norm.hpp"

namespace troupe {

namespace {

class layers : public attention_layer {
public:
  layers(const model& m, uint32_t max_tokens)
      : p_(m.params), rank_(p_.mla.kv_rank), plain_(p_.head_dim - p_.rope_dim),
        rope_(p_, m.w.rope_factors, max_tokens),
        attention_(p_.heads, max_tokens), low_q_(max_tokens, p_.mla.q_rank),
        q_(max_tokens, size_t{p_.heads} * p_.head_dim),
        kv_(max_tokens, rank_ + p_.rope_dim),
        absorbed_(max_tokens, size_t{p_.heads} * (rank_ + p_.rope_dim)),
        latent_(max_tokens, size_t{p_.heads} * rank_),
        attended_(max_tokens, size_t{p_.heads} * p_.value_dim) {}

  void plan(compute& c, const step_rows& rows,
            const kv_layout& layout) override {
    tokens_ = rows.tokens();
    rope_.plan(c, rows.positions);
    attention_.plan(rows.sequences, layout);
  }

  void run(compute& c, uint32_t layer, const layer_weights& w, const float* x,
           float* out) override {
    project(c, w, x);
    auto window = p_.window_of(layer);
    auto stored = rank_ + p_.rope_dim;
    for_rows(c, tokens_, [&](uint32_t row, unsigned) {
      auto* kv = kv_.row(row);
      rms_norm(kv, w.kv_a_norm.data(), rank_, p_.norm_eps, kv);
      rope_.turn(kv + rank_, row, window != 0);
      for (auto h = size_t{0}; h < p_.heads; ++h) {
        auto* positioned = q_.row(row) + h * p_.head_dim + plain_;
        rope_.turn(positioned, row, window != 0);
        std::copy_n(positioned, p_.rope_dim,
                    absorbed_.row(row) + h * stored + rank_);
      }
    });
    multiply_heads(c, w.wk_b, tokens_, {q_, q_.width(), p_.head_dim},
                   {absorbed_, absorbed_.width(), stored});
    attention_.write(c, layer, kv_, nullptr);
    auto options = attention_options{};
    options.scale = p_.scale_of_scores();
    options.window = window;
    options.softcap = p_.attention_softcap;
    options.value_dim = rank_;
    attention_.attend(c, layer, absorbed_, latent_, options);
    multiply_heads(c, w.wv_b, tokens_, {latent_, latent_.width(), rank_},
                   {attended_, attended_.width(), p_.value_dim});
    matmul(c, attended_, tokens_, std::array{linear{w.wo, nullptr, out, true}});
  }

private:
  // q_ and kv_ of x.
  void project(compute& c, const layer_weights& w, const float* x) {
    auto to_kv = linear{w.wkv_a, nullptr, kv_};
    if (w.wq_a.empty())
      return matmul(c, x, tokens_,
                    std::array{linear{w.wq, nullptr, q_}, to_kv});
    matmul(c, x, tokens_, std::array{linear{w.wq_a, nullptr, low_q_}, to_kv});
    for_rows(c, tokens_, [&](uint32_t row, unsigned) {
      auto* q = low_q_.row(row);
      rms_norm(q, w.q_a_norm.data(), p_.mla.q_rank, p_.norm_eps, q);
    });
    matmul(c, low_q_, tokens_, std::array{linear{w.wq, nullptr, q_}});
  }

  const hparams& p_;
  uint32_t rank_;
  uint32_t plain_; ///< values of a head without position
  rotation rope_;
  dense_attention attention_;
  uint32_t tokens_ = 0;
  row_buffer low_q_;
  row_buffer q_;        ///< [heads][head_dim]
  row_buffer kv_;       ///< [rank + rope_dim], as it is stored
  row_buffer absorbed_; ///< [heads][rank + rope_dim]
  row_buffer latent_;   ///< [heads][rank]
  row_buffer attended_; ///< [heads][value_dim]
};

kv_layout layout_of(const hparams& p, kv_dtype t) {
  return {p.layers, 1, p.mla.kv_rank + p.rope_dim, 0, t};
}

compute_needs needs_of(const hparams& p) {
  auto rank = p.mla.kv_rank;
  auto plain = p.head_dim - p.rope_dim;
  return {std::max({p.mla.q_rank, p.heads * p.value_dim}),
          std::max(dense_attention::scratch_floats(p.heads, 1,
                                                   rank + p.rope_dim, rank),
                   multiply_heads_scratch_floats(std::max(rank, plain)))};
}

// The vectors are those of all heads: nothing is to be gathered.
std::unique_ptr<attention_layer> make(const model& m, uint32_t max_tokens,
                                      kv_gather*) {
  return std::make_unique<layers>(m, max_tokens);
}

} // namespace

const attention_variant latent_attention{layout_of, needs_of, make};

} // namespace troupe
