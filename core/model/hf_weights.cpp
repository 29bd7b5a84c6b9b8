#include "core/model/hf_weights.hpp"

#include "core/model/hf_tensors.hpp"

namespace troupe {

namespace {

matrix_view rows_of(const matrix_view& all, uint32_t first, uint32_t n) {
  if (all.empty()) // it could not be read
    return {};
  return {all.type, n, all.cols, all.row(first)};
}

void read_attention(hf_tensors& from, const hf_model_config& config,
                    const std::string& at, layer_weights& l) {
  auto& p = config.params;
  auto q = p.heads * p.head_dim;
  auto kv = p.kv_heads * p.head_dim;
  if (config.arch->fused) {
    auto all = from.matrix(at + "qkv_proj.weight", q + 2 * kv, p.hidden);
    l.wq = rows_of(all, 0, q);
    l.wk = rows_of(all, q, kv);
    l.wv = rows_of(all, q + kv, kv);
  } else {
    l.wq = from.matrix(at + "q_proj.weight", q, p.hidden);
    l.wk = from.matrix(at + "k_proj.weight", kv, p.hidden);
    l.wv = from.matrix(at + "v_proj.weight", kv, p.hidden);
  }
  l.wo = from.matrix(at + "o_proj.weight", p.hidden, q);
  if (config.qkv_bias) {
    l.bq = from.vector(at + "q_proj.bias", q);
    l.bk = from.vector(at + "k_proj.bias", kv);
    l.bv = from.vector(at + "v_proj.bias", kv);
    from.expect_zeros(at + "o_proj.bias", p.hidden);
  }
  if (config.arch->qk_norm == presence::always) {
    l.q_norm = from.vector(at + "q_norm.weight", p.head_dim);
    l.k_norm = from.vector(at + "k_norm.weight", p.head_dim);
  }
}

void read_feed_forward(hf_tensors& from, const hf_model_config& config,
                       const std::string& at, layer_weights& l) {
  auto& p = config.params;
  if (config.arch->fused) {
    auto both = from.matrix(at + "gate_up_proj.weight", 2 * p.ffn, p.hidden);
    l.gate = rows_of(both, 0, p.ffn);
    l.up = rows_of(both, p.ffn, p.ffn);
  } else {
    l.gate = from.matrix(at + "gate_proj.weight", p.ffn, p.hidden);
    l.up = from.matrix(at + "up_proj.weight", p.ffn, p.hidden);
  }
  l.down = from.matrix(at + "down_proj.weight", p.hidden, p.ffn);
}

layer_weights read_layer(hf_tensors& from, const hf_model_config& config,
                         uint32_t number) {
  auto at = "model.layers." + std::to_string(number) + ".";
  auto hidden = config.params.hidden;
  auto l = layer_weights{};
  l.attn_norm = from.vector(at + "input_layernorm.weight", hidden);
  read_attention(from, config, at + "self_attn.", l);
  l.ffn_norm = from.vector(at + "post_attention_layernorm.weight", hidden);
  read_feed_forward(from, config, at + "mlp.", l);
  return l;
}

} // namespace

result<model_weights> read_hf_weights(const hf_directory& dir,
                                      const hf_model_config& config) {
  auto& p = config.params;
  auto from = hf_tensors{dir};
  auto w = model_weights{};
  w.embedding = from.matrix("model.embed_tokens.weight", p.vocab, p.hidden);
  for (auto i = 0u; i < p.layers && !from.failed(); ++i)
    w.layers.push_back(read_layer(from, config, i));
  w.output_norm = from.vector("model.norm.weight", p.hidden);
  if (config.tied) {
    w.output = w.embedding;
    from.ignore("lm_head.weight"); // some files have the embedding twice
  } else {
    w.output = from.matrix("lm_head.weight", p.vocab, p.hidden);
  }
  w.rope_factors = config.rope_factors;
  from.refuse_unused();
  if (from.failed())
    return from.failure();
  return w;
}

} // namespace troupe
