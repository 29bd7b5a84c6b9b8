#include "core/engine/scattered_attention.hpp"

#include <array>

#include "core/engine/qkv_projection.hpp"
#include "core/parallel/sequence_scatter.hpp"
#include "core/tensor/matmul.hpp"

namespace troupe {

namespace {

class layers : public attention_layer {
public:
  layers(const model& m, uint32_t max_tokens, collective& ranks)
      : p_(m.params), scatter_(p_, ranks, max_tokens), own_(m, max_tokens),
        attention_(mine().heads.query.count, max_tokens),
        q_(max_tokens, size_t{mine().heads.query.count} * p_.head_dim),
        k_(max_tokens, size_t{mine().kv.count} * p_.head_dim),
        v_(max_tokens, size_t{mine().kv.count} * p_.values_of_head()),
        attended_(max_tokens,
                  size_t{mine().heads.query.count} * p_.values_of_head()),
        own_attended_(max_tokens, size_t{p_.heads} * p_.values_of_head()) {}

  void plan(compute& c, const step_rows& rows,
            const kv_layout& layout) override {
    auto& last = rows.sequences.back();
    tokens_ = last.row + last.tokens;
    own_tokens_ = rows.tokens();
    own_.plan(c, rows);
    attention_.plan(rows.sequences, layout, mine().heads.kv.count);
  }

  void run(compute& c, uint32_t layer, const layer_weights& w, const float* x,
           float* out) override {
    auto window = p_.window_of(layer);
    if (own_tokens_ > 0)
      own_.run(c, w, x, window != 0);
    if (!scatter_.to_heads(tokens_, {own_.q, own_.k, own_.v}, {q_, k_, v_}))
      return;
    attention_.write(c, layer, k_, v_);
    auto options = attention_options{};
    options.scale = p_.scale_of_scores();
    options.window = window;
    options.softcap = p_.attention_softcap;
    attention_.attend(c, layer, q_, attended_, options);
    if (!scatter_.to_rows(tokens_, attended_, own_attended_))
      return;
    if (own_tokens_ > 0)
      matmul(c, own_attended_, own_tokens_,
             std::array{linear{w.wo, nullptr, out, true}});
  }

private:
  const sequence_scatter::share& mine() const { return scatter_.mine(); }

  const hparams& p_;
  sequence_scatter scatter_;
  qkv_projection own_; ///< all heads of this rank's rows
  dense_attention attention_;
  uint32_t tokens_ = 0;     ///< of all ranks
  uint32_t own_tokens_ = 0; ///< of this one
  // This rank's heads of all rows.
  row_buffer q_;
  row_buffer k_;
  row_buffer v_;
  row_buffer attended_;
  row_buffer own_attended_; ///< all heads of this rank's rows
};

uint32_t kv_heads_of(const hparams& p, const collective& ranks) {
  return ranks.rank() == 0 ? p.kv_heads
                           : heads_of(p, ranks.ranks(), ranks.rank())->kv.count;
}

} // namespace

kv_layout scattered_layout(const hparams& p, kv_dtype t,
                           const collective& ranks) {
  return {p.layers, kv_heads_of(p, ranks), p.head_dim, p.values_of_head(), t};
}

compute_needs scattered_needs(const hparams& p, const collective& ranks) {
  auto heads = *heads_of(p, ranks.ranks(), ranks.rank());
  return {p.heads * p.values_of_head(),
          dense_attention::scratch_floats(heads.query.count, heads.kv.count,
                                          p.head_dim, p.values_of_head())};
}

std::unique_ptr<attention_layer> make_scattered_attention(const model& m,
                                                          uint32_t max_tokens,
                                                          collective& ranks) {
  return std::make_unique<layers>(m, max_tokens, ranks);
}

} // namespace troupe
