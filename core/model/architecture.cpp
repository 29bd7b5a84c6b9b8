#include "core/model/architecture.hpp"

#include <array>

namespace troupe {

namespace {

constexpr auto architectures = std::to_array<architecture>({
    // Its files hold the rows of Q and K permuted for adjacent pairs.
    {"llama", rope_pairing::adjacent, presence::maybe},
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
