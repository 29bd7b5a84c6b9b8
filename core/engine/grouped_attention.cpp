#include <array>

#include "core/engine/attention_layer.hpp"
#include "core/engine/qkv_projection.hpp"
#include "core/parallel/kv_gather.hpp"
#include "core/tensor/matmul.hpp"

namespace troupe {

namespace {

class layers : public attention_layer {
public:
  layers(const model& m, uint32_t max_tokens, kv_gather* gather)
      : p_(m.params), gather_(gather), projected_(m, max_tokens),
        attention_(p_.heads, max_tokens),
        attended_(max_tokens, size_t{p_.heads} * p_.values_of_head()),
        all_k_(max_tokens, gathered() * p_.head_dim),
        all_v_(max_tokens, gathered() * p_.values_of_head()) {}

  void plan(compute& c, const step_rows& rows,
            const kv_layout& layout) override {
    tokens_ = rows.tokens();
    projected_.plan(c, rows);
    attention_.plan(rows.sequences, layout, p_.kv_heads);
  }

  void run(compute& c, uint32_t layer, const layer_weights& w, const float* x,
           float* out) override {
    auto window = p_.window_of(layer);
    projected_.run(c, w, x, window != 0);
    if (gather_ != nullptr
        && !gather_->run(tokens_, projected_.k, projected_.v, all_k_, all_v_))
      return;
    if (gathered() > 0)
      attention_.write(c, layer, all_k_, all_v_);
    else
      attention_.write(c, layer, projected_.k, projected_.v);
    auto options = attention_options{};
    options.scale = p_.scale_of_scores();
    options.window = window;
    options.softcap = p_.attention_softcap;
    attention_.attend(c, layer, projected_.q, attended_, options);
    matmul(c, attended_, tokens_, std::array{linear{w.wo, nullptr, out, true}});
  }

private:
  /// Heads that this rank keeps KV of, if not just its own.
  size_t gathered() const {
    return gather_ != nullptr && gather_->is_at_root() ? gather_->all_heads()
                                                       : 0;
  }

  const hparams& p_;
  kv_gather* gather_; ///< or null
  qkv_projection projected_;
  dense_attention attention_;
  uint32_t tokens_ = 0;
  row_buffer attended_;
  // All ranks' heads.
  row_buffer all_k_;
  row_buffer all_v_;
};

kv_layout layout_of(const hparams& p, kv_dtype t) {
  return {p.layers, p.kv_heads, p.head_dim, p.values_of_head(), t};
}

compute_needs needs_of(const hparams& p) {
  return {p.heads * p.values_of_head(),
          dense_attention::scratch_floats(p.heads, p.kv_heads, p.head_dim,
                                          p.values_of_head())};
}

std::unique_ptr<attention_layer> make(const model& m, uint32_t max_tokens,
                                      kv_gather* gather) {
  return std::make_unique<layers>(m, max_tokens, gather);
}

} // namespace

const attention_variant grouped_attention{layout_of, needs_of, make};

} // namespace troupe
