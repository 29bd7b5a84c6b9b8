#include "core/model/architecture.hpp"

#include <array>

namespace troupe {

namespace {

constexpr auto architectures = std::to_array<architecture>({
    // Also Mistral, Mixtral, TinyLlama and SmolLM. Its files hold the rows of Q
    // and K permuted for adjacent pairs.
    {.name = "llama",
     .qkv_bias = presence::maybe,
     .experts = true,
     .normalised_experts = true},
    {.name = "qwen2",
     .pairing = rope_pairing::halves,
     .qkv_bias = presence::always},
    {.name = "qwen3",
     .pairing = rope_pairing::halves,
     .qk_norm = presence::always},
    {.name = "qwen3moe",
     .pairing = rope_pairing::halves,
     .qk_norm = presence::always,
     .experts = true,
     .normalised_experts = true},
    // Without "longrope": Phi-4 and the Phi-3 of a short context.
    {.name = "phi3", .pairing = rope_pairing::halves, .fused = true},
    // DeepSeek-V2 and V3.
    {.name = "deepseek2", .latent = true, .experts = true},
    {.name = "gemma2",
     .pairing = rope_pairing::halves,
     .post_norms = true,
     .gate = gate_function::gelu_tanh,
     .scaled_embedding = true,
     .layers_scaled_by_width = 46,
     .window = 4096,
     .window_period = 2,
     .attention_softcap = 50.f,
     .logit_softcap = 30.f},
    {.name = "gemma3",
     .pairing = rope_pairing::halves,
     .qk_norm = presence::always,
     .post_norms = true,
     .gate = gate_function::gelu_tanh,
     .scaled_embedding = true,
     .layers_scaled_by_width = 62,
     .window_period = 6,
     .local_rope_base = 10000.f},
});

} // namespace

const architecture* find_architecture(std::string_view name) {
  for (auto& a : architectures)
    if (a.name == name)
      return &a;
  return nullptr;
}

std::string known_architectures() {
  auto out = std::string{};
  for (auto& a : architectures)
    out += (out.empty() ? "" : ", ") + std::string{a.name};
  return out;
}

} // namespace troupe
