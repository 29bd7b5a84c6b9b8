#include <algorithm>
#include <cmath>

#include "core/model/hparams_parts.hpp"

namespace troupe {

namespace {

void read_heads(key_reader& keys, hparams& p) {
  if (p.heads % p.kv_heads != 0)
    keys.bad("attention heads " + std::to_string(p.heads)
             + " are not a multiple of KV heads " + std::to_string(p.kv_heads));
  if (p.hidden % p.heads != 0 && !keys.has("attention.key_length"))
    keys.bad("width " + std::to_string(p.hidden) + " is not a multiple of "
             + std::to_string(p.heads) + " attention heads");
  auto usual = std::max(1u, p.hidden / p.heads);
  p.head_dim = keys.count("attention.key_length", most_width, usual);
  p.value_dim = keys.count("attention.value_length", most_width, p.head_dim);
  p.rope_dim = keys.count("rope.dimension_count", most_width, p.head_dim);
}

// Files have the sizes of a head under key_length and value_length, or those of
// the one head that is stored, and then its own under names that end in _mla.
void read_latent_heads(key_reader& keys, hparams& p) {
  auto stored = keys.has("attention.key_length_mla");
  auto suffix = std::string{stored ? "_mla" : ""};
  if (p.kv_heads != p.heads && p.kv_heads != 1)
    keys.bad(keys.full("attention.head_count_kv") + " is "
             + std::to_string(p.kv_heads) + ", neither 1 nor "
             + std::to_string(p.heads));
  p.kv_heads = p.heads;
  p.head_dim = keys.count("attention.key_length" + suffix, most_width);
  p.value_dim = keys.count("attention.value_length" + suffix, most_width);
  p.rope_dim = keys.count("rope.dimension_count", most_width);
  p.mla.kv_rank = keys.count("attention.kv_lora_rank", most_width);
  p.mla.q_rank = keys.whole("attention.q_lora_rank", 0, most_width, 0);
  if (p.rope_dim >= p.head_dim)
    keys.bad(keys.full("rope.dimension_count") + " is "
             + std::to_string(p.rope_dim) + ", not less than the head size "
             + std::to_string(p.head_dim));
}

void check_heads(key_reader& keys, const hparams& p) {
  if (p.head_dim % 2 != 0)
    keys.bad("head size " + std::to_string(p.head_dim) + " is odd");
  if (p.rope_dim > p.head_dim || p.rope_dim % 2 != 0)
    keys.bad(
        keys.full("rope.dimension_count") + " is " + std::to_string(p.rope_dim)
        + ", not even and at most the head size " + std::to_string(p.head_dim));
  auto stored = uint64_t{p.mla.kv_rank} + (p.mla.kv_rank > 0 ? p.rope_dim : 0);
  for (auto size : {uint64_t{p.head_dim}, uint64_t{p.value_dim}, stored})
    if (p.heads * size > most_width)
      keys.bad(std::to_string(p.heads) + " heads of " + std::to_string(size)
               + " values are more than " + std::to_string(most_width)
               + " in all");
}

void read_windows(key_reader& keys, const architecture& arch, hparams& p) {
  auto window =
      keys.whole("attention.sliding_window", 0, INT32_MAX, arch.window);
  auto period = keys.count("attention.sliding_window_pattern", most_layers,
                           arch.window_period);
  // A window over all of the context is none, unless more depends on it.
  if (window == 0 || (period == 1 && window >= p.context))
    return;
  for (auto i = uint32_t{0}; i < p.layers; ++i)
    p.windows.push_back(period > 1 && i % period == period - 1 ? 0 : window);
}

} // namespace

void read_attention(key_reader& keys, const architecture& arch, hparams& p) {
  p.heads = keys.count("attention.head_count", most_heads);
  p.kv_heads = keys.count("attention.head_count_kv", most_heads, p.heads);
  if (arch.latent)
    read_latent_heads(keys, p);
  else
    read_heads(keys, p);
  check_heads(keys, p);
  p.attention_scale = keys.positive_or_zero("attention.scale", 0.f);
  if (p.attention_scale == 0.f && arch.layers_scaled_by_width == p.layers)
    p.attention_scale =
        1.f
        / std::sqrt(static_cast<float>(p.hidden) / static_cast<float>(p.heads));
  p.attention_softcap =
      keys.positive_or_zero("attn_logit_softcapping", arch.attention_softcap);
  read_windows(keys, arch, p);
}

} // namespace troupe
