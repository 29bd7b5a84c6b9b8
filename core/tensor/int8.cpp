#include "core/tensor/int8.hpp"

#include <algorithm>
#include <cassert>
#include <initializer_list>

#include <cpuid.h>

namespace troupe {

extern const int8_kernels portable_int8;
extern const int8_kernels avx2_int8;
extern const int8_kernels avx_vnni_int8;
extern const int8_kernels avx512_vnni_int8;

namespace {

bool has_avx2() {
  return kernels_for(instruction_set::avx2) != nullptr;
}

// That the system keeps the registers is part of having AVX2.
bool has_avx_vnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0
         && (a & 1u << 4) != 0;
}

bool has_avx512_vnni() {
  return kernels_for(instruction_set::avx512) != nullptr
         && __builtin_cpu_supports("avx512vnni");
}

} // namespace

void quantised_buffer::assign(activation_type t, uint32_t rows,
                              uint32_t inputs) {
  rows_ = rows;
  inputs_ = inputs;
  wide_ = t == activation_type::i16;
  // The last tile takes the room of the others.
  auto tiles = size_t{rows + quantised_tile - 1} / quantised_tile;
  auto groups = tiles * quantised_tile * (inputs / group_inputs);
  auto of_group =
      wide_ ? sizeof(wide_quantised_group) : sizeof(quantised_group);
  data_ = make_large_array<std::byte>(groups * of_group);
}

quantised_rows quantised_buffer::rows(uint32_t m, uint32_t k) const {
  assert(m <= rows_ && k <= inputs_ && k % group_inputs == 0);
  return {data_.get(), k / group_inputs, std::clamp(m, 1u, quantised_tile),
          wide_};
}

const int8_kernels* int8_kernels_for(int8_instruction_set set) {
  switch (set) {
  case int8_instruction_set::portable:
    return &portable_int8;
  case int8_instruction_set::avx2:
    return has_avx2() ? &avx2_int8 : nullptr;
  case int8_instruction_set::avx_vnni:
    return has_avx_vnni() ? &avx_vnni_int8 : nullptr;
  case int8_instruction_set::avx512_vnni:
    return has_avx512_vnni() ? &avx512_vnni_int8 : nullptr;
  }
  return nullptr;
}

const int8_kernels& int8_kernels_like(const kernels& like) {
  using set = int8_instruction_set;
  if (&like == kernels_for(instruction_set::portable))
    return portable_int8;
  if (&like == kernels_for(instruction_set::avx512))
    if (auto* k = int8_kernels_for(set::avx512_vnni))
      return *k;
  for (auto s : {set::avx_vnni, set::avx2})
    if (auto* k = int8_kernels_for(s))
      return *k;
  return portable_int8;
}

} // namespace troupe
