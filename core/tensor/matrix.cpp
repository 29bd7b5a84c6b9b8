#include "core/tensor/matrix.hpp"

namespace troupe {

std::string_view to_string(dtype t) {
  switch (t) {
  case dtype::f32:
    return "f32";
  case dtype::f16:
    return "f16";
  case dtype::q4_0:
    return "q4_0";
  case dtype::q8_0:
    return "q8_0";
  case dtype::bf16:
    return "bf16";
  }
  return "?";
}

uint32_t block_values(dtype t) {
  return t == dtype::q4_0 || t == dtype::q8_0 ? 32 : 1;
}

uint32_t block_bytes(dtype t) {
  switch (t) {
  case dtype::f32:
    return 4;
  case dtype::f16:
  case dtype::bf16:
    return 2;
  case dtype::q4_0:
    return 18;
  case dtype::q8_0:
    return 34;
  }
  return 0;
}

} // namespace troupe
