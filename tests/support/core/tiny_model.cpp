#include "tests/support/core/tiny_model.hpp"

#include <array>
#include <cmath>
#include <stdexcept>

#include "core/base/random.hpp"
#include "tests/support/core/temp_dir.hpp"

namespace troupe::testing {

namespace {

constexpr auto chatml = std::string_view{
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + "
    "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"};

// The printable character that stands for each byte in GPT-2's vocabularies,
// in UTF-8, in the order of their code points.
std::vector<std::string> byte_characters() {
  auto printable = [](int b) {
    return (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac)
           || (b >= 0xae && b <= 0xff);
  };
  auto utf8 = [](int c) {
    if (c < 0x80)
      return std::string{static_cast<char>(c)};
    return std::string{static_cast<char>(0xc0 | c >> 6),
                       static_cast<char>(0x80 | (c & 0x3f))};
  };
  auto out = std::vector<std::string>{};
  for (auto b = 0; b < 256; ++b)
    if (printable(b))
      out.push_back(utf8(b));
  for (auto next = 256; out.size() < 256; ++next)
    out.push_back(utf8(next));
  return out;
}

// "Ġ" is the space.
constexpr auto merges = std::to_array<std::string_view>({
    "h e", "Ġ t",  "Ġ a", "i n",  "r e",  "o n", "Ġt he", "e r",   "Ġ s",
    "a t", "Ġ w",  "Ġ o", "e n",  "Ġ c",  "i t", "i s",   "a n",   "o r",
    "e s", "Ġ b",  "e d", "Ġ f",  "in g", "Ġ p", "o u",   "Ġa n",  "a l",
    "a r", "Ġt o", "Ġ m", "Ġo f", "Ġ in", "Ġ d", "Ġ h",   "Ġan d", "l l",
    "u s", "er s", "Ġ n", "o m",  "Ċ Ċ",
});

constexpr auto latent_rank = 32u;
constexpr auto latent_rope = 8u;
constexpr auto latent_values = 24u;
constexpr auto expert_ffn = 32u;

// Numbers of its own for each tensor, whatever the others are.
class weight_source {
public:
  explicit weight_source(uint64_t seed) : seed_(seed) {}

  /// Uniform, of the given mean and standard deviation.
  std::vector<float> take(size_t n, float mean, float deviation) {
    auto out = std::vector<float>(n);
    ++tensor_;
    for (auto i = size_t{0}; i < n; ++i) {
      auto u = static_cast<float>(random_unit(seed_, i, tensor_) - 0.5);
      out[i] = mean + deviation * std::sqrt(12.f) * u;
    }
    return out;
  }

private:
  uint64_t seed_;
  uint32_t tensor_ = 0;
};

// What makes K and V of all heads; the same values, whole or split.
void add_up_projection(gguf_writer& f, const std::string& at,
                       const tiny_model_options& o, weight_source& random) {
  auto plain = o.head_dim - latent_rope;
  auto of_head = plain + latent_values;
  auto deviation = 1 / std::sqrt(static_cast<float>(latent_rank));
  auto both =
      random.take(size_t{o.heads} * of_head * latent_rank, 0.f, deviation);
  if (!o.split)
    return f.add_tensor(at + "attn_kv_b.weight",
                        {latent_rank, o.heads * of_head}, o.type, both);
  auto k = std::vector<float>{};
  auto v = std::vector<float>{};
  for (auto h = 0u; h < o.heads; ++h) {
    auto* head = both.data() + size_t{h} * of_head * latent_rank;
    for (auto r = 0u; r < latent_rank; ++r)
      for (auto d = 0u; d < plain; ++d)
        k.push_back(head[d * latent_rank + r]);
    v.insert(v.end(), head + plain * latent_rank, head + of_head * latent_rank);
  }
  f.add_tensor(at + "attn_k_b.weight", {plain, latent_rank, o.heads}, o.type,
               k);
  f.add_tensor(at + "attn_v_b.weight", {latent_rank, latent_values, o.heads},
               o.type, v);
}

} // namespace

void add_tiny_vocabulary(gguf_writer& to) {
  auto tokens =
      std::vector<std::string>{"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
  auto kinds = std::vector<int32_t>(tiny_vocab_size, 1);
  for (auto i = size_t{0}; i < tokens.size(); ++i)
    kinds[i] = 3;
  for (auto& c : byte_characters())
    tokens.push_back(c);
  auto rules = std::vector<std::string>{};
  for (auto rule : merges) {
    auto text = std::string{rule};
    rules.push_back(text);
    tokens.push_back(text.erase(text.find(' '), 1));
  }
  if (tokens.size() != tiny_vocab_size)
    throw std::logic_error{"tiny vocabulary of another size"};
  to.put_string("tokenizer.ggml.model", "gpt2");
  to.put_string("tokenizer.ggml.pre", "gpt-2");
  to.put_strings("tokenizer.ggml.tokens", tokens);
  to.put_ints("tokenizer.ggml.token_type", kinds);
  to.put_strings("tokenizer.ggml.merges", rules);
  to.put_u32("tokenizer.ggml.eos_token_id", tiny_im_end);
  to.put_u32("tokenizer.ggml.padding_token_id", tiny_end_of_text);
  to.put_bool("tokenizer.ggml.add_bos_token", false);
  to.put_string("tokenizer.chat_template", chatml);
}

gguf_writer tiny_model_file(const tiny_model_options& o) {
  auto f = gguf_writer{};
  auto at = o.architecture + ".";
  f.put_string("general.architecture", o.architecture);
  f.put_string("general.name", "tiny");
  f.put_u32(at + "block_count", o.layers);
  f.put_u32(at + "context_length", o.context);
  f.put_u32(at + "embedding_length", o.hidden);
  f.put_u32(at + "feed_forward_length", o.ffn);
  f.put_u32(at + "attention.head_count", o.heads);
  f.put_u32(at + "attention.head_count_kv", o.latent ? 1 : o.kv_heads);
  if (o.latent) {
    f.put_u32(at + "attention.key_length", o.head_dim);
    f.put_u32(at + "attention.value_length", latent_values);
    f.put_u32(at + "attention.kv_lora_rank", latent_rank);
    if (o.q_rank > 0)
      f.put_u32(at + "attention.q_lora_rank", o.q_rank);
  } else if (o.heads * o.head_dim != o.hidden) {
    f.put_u32(at + "attention.key_length", o.head_dim);
    f.put_u32(at + "attention.value_length", o.head_dim);
  }
  f.put_f32(at + "attention.layer_norm_rms_epsilon", 1e-5f);
  f.put_u32(at + "rope.dimension_count", o.latent ? latent_rope : o.head_dim);
  if (o.experts > 0) {
    f.put_u32(at + "expert_count", o.experts);
    f.put_u32(at + "expert_used_count", 2);
    f.put_u32(at + "expert_feed_forward_length", expert_ffn);
    f.put_u32(at + "expert_shared_count", o.shared_experts);
    f.put_u32(at + "leading_dense_block_count", 1);
  }
  f.put_f32(at + "rope.freq_base", 10000.f);
  f.put_u32(at + "vocab_size", tiny_vocab_size);
  add_tiny_vocabulary(f);

  auto random = weight_source{o.seed};
  auto matrix = [&](const std::string& name, uint32_t rows, uint32_t cols,
                    float gain) {
    auto deviation = gain / std::sqrt(static_cast<float>(cols));
    f.add_tensor(name, {cols, rows}, o.type,
                 random.take(size_t{rows} * cols, 0.f, deviation));
  };
  auto cube = [&](const std::string& name, uint32_t n, uint32_t rows,
                  uint32_t cols) {
    f.add_tensor(name, {cols, rows, n}, o.type,
                 random.take(size_t{n} * rows * cols, 0.f,
                             1 / std::sqrt(static_cast<float>(cols))));
  };
  auto vector = [&](const std::string& name, uint32_t n, float mean,
                    float deviation) {
    f.add_tensor(name, {n}, dtype::f32, random.take(n, mean, deviation));
  };
  auto q = o.heads * o.head_dim;
  auto kv = o.kv_heads * o.head_dim;
  // Deviations of 1 in the residual stream and of 3 in the logits.
  matrix("token_embd.weight", tiny_vocab_size, o.hidden,
         o.tied ? 3.f : std::sqrt(static_cast<float>(o.hidden)));
  for (auto i = 0u; i < o.layers; ++i) {
    at = "blk." + std::to_string(i) + ".";
    vector(at + "attn_norm.weight", o.hidden, 1.f, 0.1f);
    if (o.latent) {
      if (o.q_rank > 0) {
        matrix(at + "attn_q_a.weight", o.q_rank, o.hidden, 1.f);
        vector(at + "attn_q_a_norm.weight", o.q_rank, 1.f, 0.1f);
        matrix(at + "attn_q_b.weight", q, o.q_rank, 1.5f);
      } else {
        matrix(at + "attn_q.weight", q, o.hidden, 1.5f);
      }
      matrix(at + "attn_kv_a_mqa.weight", latent_rank + latent_rope, o.hidden,
             1.f);
      vector(at + "attn_kv_a_norm.weight", latent_rank, 1.f, 0.1f);
      add_up_projection(f, at, o, random);
    } else if (o.fused) {
      matrix(at + "attn_qkv.weight", q + 2 * kv, o.hidden, 1.5f);
    } else {
      matrix(at + "attn_q.weight", q, o.hidden, 1.5f);
      matrix(at + "attn_k.weight", kv, o.hidden, 1.5f);
      matrix(at + "attn_v.weight", kv, o.hidden, 1.f);
    }
    matrix(at + "attn_output.weight", o.hidden,
           o.latent ? o.heads * latent_values : q, 1.f);
    if (o.qkv_bias) {
      vector(at + "attn_q.bias", q, 0.f, 0.3f);
      vector(at + "attn_k.bias", kv, 0.f, 0.3f);
      vector(at + "attn_v.bias", kv, 0.f, 0.3f);
    }
    if (o.qk_norm) {
      vector(at + "attn_q_norm.weight", o.head_dim, 1.f, 0.2f);
      vector(at + "attn_k_norm.weight", o.head_dim, 1.f, 0.2f);
    }
    vector(at + "ffn_norm.weight", o.hidden, 1.f, 0.1f);
    if (o.post_norms) {
      vector(at + "post_attention_norm.weight", o.hidden, 1.f, 0.1f);
      vector(at + "post_ffw_norm.weight", o.hidden, 1.f, 0.1f);
    }
    if (o.experts > 0 && i > 0) {
      matrix(at + "ffn_gate_inp.weight", o.experts, o.hidden, 1.f);
      if (o.router_bias)
        vector(at + "exp_probs_b.bias", o.experts, 0.f, 0.1f);
      cube(at + "ffn_gate_exps.weight", o.experts, expert_ffn, o.hidden);
      cube(at + "ffn_up_exps.weight", o.experts, expert_ffn, o.hidden);
      cube(at + "ffn_down_exps.weight", o.experts, o.hidden, expert_ffn);
      if (auto width = o.shared_experts * expert_ffn; width > 0) {
        matrix(at + "ffn_gate_shexp.weight", width, o.hidden, 1.f);
        matrix(at + "ffn_up_shexp.weight", width, o.hidden, 1.f);
        matrix(at + "ffn_down_shexp.weight", o.hidden, width, 1.f);
      }
      continue;
    }
    if (!o.fused)
      matrix(at + "ffn_gate.weight", o.ffn, o.hidden, 1.f);
    matrix(at + "ffn_up.weight", o.fused ? 2 * o.ffn : o.ffn, o.hidden, 1.f);
    matrix(at + "ffn_down.weight", o.hidden, o.ffn, 1.5f);
  }
  vector("output_norm.weight", o.hidden, 1.f, 0.1f);
  if (!o.tied)
    matrix("output.weight", tiny_vocab_size, o.hidden, 3.f);
  if (o.rope_factors)
    vector("rope_freqs.weight", o.head_dim / 2, 2.f, 0.5f);
  return f;
}

void write_tiny_model(const std::string& path,
                      const tiny_model_options& options) {
  tiny_model_file(options).write(path);
}

std::shared_ptr<const model> tiny_model(const tiny_model_options& options) {
  auto dir = temp_dir{};
  auto path = dir.file("tiny.gguf");
  write_tiny_model(path, options);
  auto m = load_model(path);
  if (!m)
    throw std::runtime_error{to_string(m.failure())};
  return *m;
}

} // namespace troupe::testing
