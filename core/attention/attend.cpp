#include "core/attention/attend.hpp"

namespace troupe {

extern const attend_kernels portable_attend;
extern const attend_kernels avx2_attend;
extern const attend_kernels avx512_attend;

const attend_kernels& attend_kernels_like(const kernels& like) {
  // Asking a processor what it can do takes microseconds in a virtual machine.
  static const auto* const avx512 = kernels_for(instruction_set::avx512);
  static const auto* const avx2 = kernels_for(instruction_set::avx2);
  if (&like == avx512)
    return avx512_attend;
  if (&like == avx2)
    return avx2_attend;
  return portable_attend;
}

} // namespace troupe
