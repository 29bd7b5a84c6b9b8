#include "core/tensor/bf16.hpp"

#include <algorithm>
#include <cassert>

namespace troupe {

extern const bf16_kernels portable_bf16;
extern const bf16_kernels avx512_bf16;

namespace {

bool has_avx512_bf16() {
  return kernels_for(instruction_set::avx512) != nullptr
         && __builtin_cpu_supports("avx512bf16");
}

} // namespace

void bf16_buffer::assign(activation_type t, uint32_t rows, uint32_t inputs) {
  rows_ = rows;
  inputs_ = inputs;
  parts_ = t == activation_type::i16 ? 2 : 1;
  // The last tile takes the room of the others.
  auto tiles = (size_t{rows} + bf16_tile - 1) / bf16_tile;
  auto pairs = (size_t{inputs} + 1) / 2;
  data_ = make_large_array<uint32_t>(tiles * bf16_tile * pairs * parts_);
}

bf16_rows bf16_buffer::rows(uint32_t m, uint32_t k) const {
  assert(m <= rows_ && k <= inputs_);
  return {data_.get(), k, std::clamp(m, 1u, bf16_tile), parts_};
}

const bf16_kernels* bf16_kernels_for(bf16_instruction_set set) {
  switch (set) {
  case bf16_instruction_set::portable:
    return &portable_bf16;
  case bf16_instruction_set::avx512_bf16:
    return has_avx512_bf16() ? &avx512_bf16 : nullptr;
  }
  return nullptr;
}

bool multiplies_bf16() {
  return bf16_kernels_for(bf16_instruction_set::avx512_bf16) != nullptr;
}

const bf16_kernels& bf16_kernels_like(const kernels& like) {
  if (&like == kernels_for(instruction_set::avx512))
    if (auto* k = bf16_kernels_for(bf16_instruction_set::avx512_bf16))
      return *k;
  return portable_bf16;
}

} // namespace troupe
