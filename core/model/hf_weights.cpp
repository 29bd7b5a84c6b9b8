#include "core/model/hf_weights.hpp"

#include "core/model/hf_tensors.hpp"
#include "core/model/rows_of.hpp"
#include "core/model/up_projection.hpp"

namespace troupe {

namespace {

// Reads one layer; the names of its tensors start with "model.layers.N.".
class layer_reader {
public:
  layer_reader(hf_tensors& from, const hf_model_config& config, uint32_t number)
      : from_(from), arch_(*config.arch), p_(config.params),
        biased_(config.qkv_bias), number_(number),
        at_("model.layers." + std::to_string(number) + ".") {}

  void read(model_weights& w) {
    auto l = layer_weights{};
    l.attn_norm = norm("input_layernorm.weight", p_.hidden);
    if (arch_.latent)
      latent_attention(w, l);
    else
      attention(l);
    l.wo = matrix("self_attn.o_proj.weight", p_.hidden,
                  p_.heads * p_.values_of_head());
    if (arch_.post_norms) {
      l.attn_post_norm = norm("post_attention_layernorm.weight", p_.hidden);
      l.ffn_norm = norm("pre_feedforward_layernorm.weight", p_.hidden);
      l.ffn_post_norm = norm("post_feedforward_layernorm.weight", p_.hidden);
    } else {
      l.ffn_norm = norm("post_attention_layernorm.weight", p_.hidden);
    }
    if (p_.has_experts(number_))
      experts(l);
    else
      feed_forward(l);
    w.layers.push_back(std::move(l));
  }

private:
  matrix_view matrix(std::string_view name, uint32_t rows, uint32_t cols) {
    return from_.matrix(at_ + std::string{name}, rows, cols);
  }
  std::vector<float> vector(std::string_view name, uint32_t size) {
    return from_.vector(at_ + std::string{name}, size);
  }
  std::vector<float> norm(std::string_view name, uint32_t size) {
    return from_.norm(at_ + std::string{name}, size, arch_.norms_add_one);
  }

  void attention(layer_weights& l) {
    auto q = p_.heads * p_.head_dim;
    auto kv = p_.kv_heads * p_.head_dim;
    if (arch_.fused) {
      auto all = matrix("self_attn.qkv_proj.weight", q + 2 * kv, p_.hidden);
      l.wq = rows_of(all, 0, q);
      l.wk = rows_of(all, q, kv);
      l.wv = rows_of(all, q + kv, kv);
    } else {
      l.wq = matrix("self_attn.q_proj.weight", q, p_.hidden);
      l.wk = matrix("self_attn.k_proj.weight", kv, p_.hidden);
      l.wv = matrix("self_attn.v_proj.weight", kv, p_.hidden);
    }
    if (biased_) {
      l.bq = vector("self_attn.q_proj.bias", q);
      l.bk = vector("self_attn.k_proj.bias", kv);
      l.bv = vector("self_attn.v_proj.bias", kv);
      from_.expect_zeros(at_ + "self_attn.o_proj.bias", p_.hidden);
    }
    if (arch_.qk_norm == presence::always) {
      l.q_norm = norm("self_attn.q_norm.weight", p_.head_dim);
      l.k_norm = norm("self_attn.k_norm.weight", p_.head_dim);
    }
  }

  void latent_attention(model_weights& w, layer_weights& l) {
    auto q = p_.heads * p_.head_dim;
    auto rank = p_.mla.kv_rank;
    if (p_.mla.q_rank > 0) {
      l.wq_a = matrix("self_attn.q_a_proj.weight", p_.mla.q_rank, p_.hidden);
      l.q_a_norm = norm("self_attn.q_a_layernorm.weight", p_.mla.q_rank);
      l.wq = matrix("self_attn.q_b_proj.weight", q, p_.mla.q_rank);
    } else {
      l.wq = matrix("self_attn.q_proj.weight", q, p_.hidden);
    }
    l.wkv_a = matrix("self_attn.kv_a_proj_with_mqa.weight", rank + p_.rope_dim,
                     p_.hidden);
    l.kv_a_norm = norm("self_attn.kv_a_layernorm.weight", rank);
    auto both =
        matrix("self_attn.kv_b_proj.weight",
               p_.heads * (p_.head_dim - p_.rope_dim + p_.value_dim), rank);
    if (!both.empty())
      split_up_projection(p_, both, w, l);
  }

  ffn_weights gated(const std::string& at, uint32_t width) {
    return {matrix(at + "gate_proj.weight", width, p_.hidden),
            matrix(at + "up_proj.weight", width, p_.hidden),
            matrix(at + "down_proj.weight", p_.hidden, width)};
  }

  void feed_forward(layer_weights& l) {
    if (arch_.fused) {
      auto both = matrix("mlp.gate_up_proj.weight", 2 * p_.ffn, p_.hidden);
      l.gate = rows_of(both, 0, p_.ffn);
      l.up = rows_of(both, p_.ffn, p_.ffn);
      l.down = matrix("mlp.down_proj.weight", p_.hidden, p_.ffn);
      return;
    }
    auto all = gated("mlp.", p_.ffn);
    l.gate = all.gate;
    l.up = all.up;
    l.down = all.down;
  }

  void experts(layer_weights& l) {
    auto& e = p_.experts;
    auto mixtral = arch_.experts == hf_experts::mixtral;
    auto at = std::string{mixtral ? "block_sparse_moe." : "mlp."};
    l.router = matrix(at + "gate.weight", e.count, p_.hidden);
    if (arch_.experts == hf_experts::deepseek3)
      l.router_bias = vector(at + "gate.e_score_correction_bias", e.count);
    for (auto i = uint32_t{0}; i < e.count && !from_.failed(); ++i) {
      auto one = at + "experts." + std::to_string(i) + ".";
      l.experts.push_back(
          mixtral ? ffn_weights{matrix(one + "w1.weight", e.ffn, p_.hidden),
                                matrix(one + "w3.weight", e.ffn, p_.hidden),
                                matrix(one + "w2.weight", p_.hidden, e.ffn)}
                  : gated(one, e.ffn));
    }
    if (e.shared > 0) {
      auto all = gated(at + "shared_experts.", e.shared * e.ffn);
      l.gate = all.gate;
      l.up = all.up;
      l.down = all.down;
    }
  }

  hf_tensors& from_;
  const hf_architecture& arch_;
  const hparams& p_;
  bool biased_;
  uint32_t number_;
  std::string at_;
};

} // namespace

result<model_weights> read_hf_weights(const hf_directory& dir,
                                      const hf_model_config& config) {
  auto& p = config.params;
  auto from = hf_tensors{dir};
  auto w = model_weights{};
  w.embedding = from.matrix("model.embed_tokens.weight", p.vocab, p.hidden);
  for (auto i = 0u; i < p.layers && !from.failed(); ++i)
    layer_reader{from, config, i}.read(w);
  w.output_norm =
      from.norm("model.norm.weight", p.hidden, config.arch->norms_add_one);
  if (config.tied) {
    w.output = w.embedding;
    from.ignore("lm_head.weight"); // some files have the embedding twice
  } else {
    w.output = from.matrix("lm_head.weight", p.vocab, p.hidden);
  }
  w.rope_factors = config.rope_factors;
  // What predicts tokens further ahead; it takes no part in the next.
  for (auto i = 0u; i < config.ahead; ++i)
    from.ignore_all("model.layers." + std::to_string(p.layers + i) + ".");
  from.refuse_unused();
  if (from.failed())
    return from.failure();
  return w;
}

} // namespace troupe
