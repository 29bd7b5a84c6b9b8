#include <algorithm>

#include "core/model/read_parts.hpp"
#include "core/model/rows_of.hpp"
#include "core/model/tensor_reader.hpp"
#include "core/model/up_projection.hpp"

namespace troupe {

namespace {

// Reads one layer; the names of its tensors start with "blk.N.".
class layer_reader {
public:
  layer_reader(tensor_reader& from, const architecture& arch, const hparams& p,
               uint32_t number)
      : from_(from), arch_(arch), p_(p), number_(number),
        at_("blk." + std::to_string(number) + ".") {}

  void read(model_weights& w) {
    auto l = layer_weights{};
    l.attn_norm = vector("attn_norm.weight", p_.hidden);
    if (arch_.latent)
      latent_attention(w, l);
    else
      attention(l);
    l.wo =
        matrix("attn_output.weight", p_.hidden, p_.heads * p_.values_of_head());
    l.ffn_norm = vector("ffn_norm.weight", p_.hidden);
    if (p_.has_experts(number_))
      experts(l);
    else
      feed_forward(l);
    if (arch_.post_norms) {
      l.attn_post_norm = vector("post_attention_norm.weight", p_.hidden);
      l.ffn_post_norm = vector("post_ffw_norm.weight", p_.hidden);
    }
    w.layers.push_back(std::move(l));
  }

private:
  bool has(std::string_view name) const {
    return from_.has(at_ + std::string{name});
  }
  matrix_view matrix(std::string_view name, uint32_t rows, uint32_t cols) {
    return from_.matrix(at_ + std::string{name}, rows, cols);
  }
  std::vector<matrix_view> matrices(std::string_view name, uint32_t n,
                                    uint32_t rows, uint32_t cols) {
    return from_.matrices(at_ + std::string{name}, n, rows, cols);
  }
  std::vector<float> vector(std::string_view name, uint32_t size) {
    return from_.vector(at_ + std::string{name}, size);
  }

  void attention(layer_weights& l) {
    auto q = p_.heads * p_.head_dim;
    auto k = p_.kv_heads * p_.head_dim;
    auto v = p_.kv_heads * p_.values_of_head();
    if (arch_.fused) {
      auto all = matrix("attn_qkv.weight", q + k + v, p_.hidden);
      l.wq = rows_of(all, 0, q);
      l.wk = rows_of(all, q, k);
      l.wv = rows_of(all, q + k, v);
    } else {
      l.wq = matrix("attn_q.weight", q, p_.hidden);
      l.wk = matrix("attn_k.weight", k, p_.hidden);
      l.wv = matrix("attn_v.weight", v, p_.hidden);
    }
    auto biased = arch_.qkv_bias == presence::always
                  || (arch_.qkv_bias == presence::maybe
                      && (has("attn_q.bias") || has("attn_k.bias")
                          || has("attn_v.bias")));
    if (biased) {
      l.bq = vector("attn_q.bias", q);
      l.bk = vector("attn_k.bias", k);
      l.bv = vector("attn_v.bias", v);
    }
    if (arch_.qk_norm == presence::always) {
      l.q_norm = vector("attn_q_norm.weight", p_.head_dim);
      l.k_norm = vector("attn_k_norm.weight", p_.head_dim);
    }
  }

  void latent_attention(model_weights& w, layer_weights& l) {
    auto q = p_.heads * p_.head_dim;
    auto rank = p_.mla.kv_rank;
    auto plain = p_.head_dim - p_.rope_dim;
    if (p_.mla.q_rank > 0) {
      l.wq_a = matrix("attn_q_a.weight", p_.mla.q_rank, p_.hidden);
      l.q_a_norm = vector("attn_q_a_norm.weight", p_.mla.q_rank);
      l.wq = matrix("attn_q_b.weight", q, p_.mla.q_rank);
    } else {
      l.wq = matrix("attn_q.weight", q, p_.hidden);
    }
    l.wkv_a = matrix("attn_kv_a_mqa.weight", rank + p_.rope_dim, p_.hidden);
    l.kv_a_norm = vector("attn_kv_a_norm.weight", rank);
    if (has("attn_k_b.weight") || has("attn_v_b.weight")) {
      l.wk_b = matrices("attn_k_b.weight", p_.heads, rank, plain);
      l.wv_b = matrices("attn_v_b.weight", p_.heads, p_.value_dim, rank);
      from_.ignore(at_ + "attn_kv_b.weight");
    } else {
      auto both =
          matrix("attn_kv_b.weight", p_.heads * (plain + p_.value_dim), rank);
      if (!both.empty())
        split_up_projection(p_, both, w, l);
    }
  }

  void feed_forward(layer_weights& l) {
    if (arch_.fused) {
      auto both = matrix("ffn_up.weight", 2 * p_.ffn, p_.hidden);
      l.gate = rows_of(both, 0, p_.ffn);
      l.up = rows_of(both, p_.ffn, p_.ffn);
    } else {
      l.gate = matrix("ffn_gate.weight", p_.ffn, p_.hidden);
      l.up = matrix("ffn_up.weight", p_.ffn, p_.hidden);
    }
    l.down = matrix("ffn_down.weight", p_.hidden, p_.ffn);
  }

  void experts(layer_weights& l) {
    auto& e = p_.experts;
    l.router = matrix("ffn_gate_inp.weight", e.count, p_.hidden);
    if (has("exp_probs_b.bias"))
      l.router_bias = vector("exp_probs_b.bias", e.count);
    auto gates = matrices("ffn_gate_exps.weight", e.count, e.ffn, p_.hidden);
    auto ups = matrices("ffn_up_exps.weight", e.count, e.ffn, p_.hidden);
    auto downs = matrices("ffn_down_exps.weight", e.count, p_.hidden, e.ffn);
    if (from_.failed())
      return;
    for (auto i = uint32_t{0}; i < e.count; ++i)
      l.experts.push_back({gates[i], ups[i], downs[i]});
    if (e.shared > 0) {
      auto width = e.shared * e.ffn;
      l.gate = matrix("ffn_gate_shexp.weight", width, p_.hidden);
      l.up = matrix("ffn_up_shexp.weight", width, p_.hidden);
      l.down = matrix("ffn_down_shexp.weight", p_.hidden, width);
    }
  }

  tensor_reader& from_;
  const architecture& arch_;
  const hparams& p_;
  uint32_t number_;
  std::string at_;
};

} // namespace

result<model_weights> read_weights(const gguf_file& file,
                                   const architecture& arch, const hparams& p) {
  auto from = tensor_reader{file};
  auto w = model_weights{};
  w.embedding = from.matrix("token_embd.weight", p.vocab, p.hidden);
  for (auto i = 0u; i < p.layers && !from.failed(); ++i)
    layer_reader{from, arch, p, i}.read(w);
  w.output_norm = from.vector("output_norm.weight", p.hidden);
  w.output = from.has("output.weight")
                 ? from.matrix("output.weight", p.vocab, p.hidden)
                 : w.embedding;
  if (from.has("rope_freqs.weight")) {
    w.rope_factors = from.vector("rope_freqs.weight", p.rope_dim / 2);
    if (!std::all_of(w.rope_factors.begin(), w.rope_factors.end(),
                     [](float x) { return x > 0.f; }))
      from.stop(errc::bad_file,
                "tensor rope_freqs.weight has factors that are not positive");
  }
  if (p.yarn.factor != 1.f) {
    auto yarn = yarn_factors(p.yarn, p.rope_dim, p.rope_base);
    w.rope_factors.resize(yarn.size(), 1.f);
    for (auto i = size_t{0}; i < yarn.size(); ++i)
      w.rope_factors[i] *= yarn[i];
  }
  from.refuse_unused();
  if (from.failed())
    return from.failure();
  return w;
}

} // namespace troupe
