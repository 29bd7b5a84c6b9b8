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
  case dtype::q4_1:
    return "q4_1";
  case dtype::q5_0:
    return "q5_0";
  case dtype::q5_1:
    return "q5_1";
  case dtype::q8_0:
    return "q8_0";
  case dtype::q4_k:
    return "q4_k";
  case dtype::q5_k:
    return "q5_k";
  case dtype::q6_k:
    return "q6_k";
  case dtype::bf16:
    return "bf16";
  }
  return "?";
}

uint32_t block_values(dtype t) {
  switch (t) {
  case dtype::f32:
  case dtype::f16:
  case dtype::bf16:
    return 1;
  case dtype::q4_0:
  case dtype::q4_1:
  case dtype::q5_0:
  case dtype::q5_1:
  case dtype::q8_0:
    return 32;
  case dtype::q4_k:
  case dtype::q5_k:
  case dtype::q6_k:
    return 256;
  }
  return 1;
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
  case dtype::q4_1:
    return 20;
  case dtype::q5_0:
    return 22;
  case dtype::q5_1:
    return 24;
  case dtype::q8_0:
    return 34;
  case dtype::q4_k:
    return 144;
  case dtype::q5_k:
    return 176;
  case dtype::q6_k:
    return 210;
  }
  return 0;
}

} // namespace troupe
