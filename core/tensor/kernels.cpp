#include "core/tensor/kernels.hpp"

#include <initializer_list>

#include <cpuid.h>

namespace troupe {

extern const kernels portable_kernels;
extern const kernels avx2_kernels;
extern const kernels avx512_kernels;

namespace {

bool has_f16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
         && has_f16c();
}

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f")
         && __builtin_cpu_supports("avx512bw")
         && __builtin_cpu_supports("avx512vl")
         && __builtin_cpu_supports("avx512dq");
}

} // namespace

const kernels* kernels_for(instruction_set set) {
  switch (set) {
  case instruction_set::portable:
    return &portable_kernels;
  case instruction_set::avx2:
    return has_avx2() ? &avx2_kernels : nullptr;
  case instruction_set::avx512:
    return has_avx512() ? &avx512_kernels : nullptr;
  }
  return nullptr;
}

const kernels& best_kernels() {
  for (auto set : {instruction_set::avx512, instruction_set::avx2})
    if (auto* k = kernels_for(set))
      return *k;
  return portable_kernels;
}

} // namespace troupe
