#pragma once

#include <xmmintrin.h>

namespace troupe {

/// While it lives, the calling thread rounds to nearest, keeps denormal numbers
/// and traps nothing, as a program's first thread does when it begins. A host
/// may have set otherwise, for all threads if it was built with -ffast-math,
/// and that is not to change what a model computes (IA-32 SDM, volume 1,
/// 10.2.3).
class float_mode {
public:
  float_mode() { _mm_setcsr(at_begin); }
  float_mode(const float_mode&) = delete;
  float_mode& operator=(const float_mode&) = delete;
  ~float_mode() { _mm_setcsr(before_); }

private:
  static constexpr unsigned at_begin = 0x1f80; // all exceptions masked

  unsigned before_ = _mm_getcsr();
};

} // namespace troupe
