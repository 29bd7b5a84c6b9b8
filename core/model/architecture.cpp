#include "core/model/architecture.hpp"

#include <array>

namespace troupe {

namespace {

constexpr auto architectures = std::to_array<architecture>({
    // Also Mistral, TinyLlama and SmolLM. Its files hold the rows of Q and K
    // permuted for adjacent pairs.
    {"llama", rope_pairing::adjacent, presence::maybe, presence::never, false},
    {"qwen2", rope_pairing::halves, presence::always, presence::never, false},
    {"qwen3", rope_pairing::halves, presence::never, presence::always, false},
    // Without its windows and "longrope": Phi-4.
    {"phi3", rope_pairing::halves, presence::never, presence::never, true},
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
