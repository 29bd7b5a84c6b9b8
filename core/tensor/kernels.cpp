#include "core/tensor/kernels.hpp"

#include <string_view>

#include "core/tensor/kernels_sets.hpp"

namespace troupe {

namespace {

#if defined(__x86_64__)

bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
         && __builtin_cpu_supports("f16c");
}

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f")
         && __builtin_cpu_supports("avx512bw")
         && __builtin_cpu_supports("avx512vl")
         && __builtin_cpu_supports("avx512dq");
}

#endif

const kernels& choose() {
#if defined(__x86_64__)
  if (has_avx512())
    return avx512_kernels;
  if (has_avx2())
    return avx2_kernels;
#endif
  return portable_kernels;
}

} // namespace

const kernels& best_kernels() {
  static const auto& best = choose();
  return best;
}

const kernels* find_kernels(const char* name) {
  auto wanted = std::string_view{name};
  if (wanted == "portable")
    return &portable_kernels;
#if defined(__x86_64__)
  if (wanted == "avx2" && has_avx2())
    return &avx2_kernels;
  if (wanted == "avx512" && has_avx512())
    return &avx512_kernels;
#endif
  return nullptr;
}

} // namespace troupe
