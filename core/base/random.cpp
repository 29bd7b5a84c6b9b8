#include "core/base/random.hpp"

namespace troupe {

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> c,
                                   std::array<uint32_t, 2> k) {
  constexpr uint32_t mul0 = 0xD2511F53, mul1 = 0xCD9E8D57;
  constexpr uint32_t weyl0 = 0x9E3779B9, weyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    auto p0 = uint64_t{mul0} * c[0];
    auto p1 = uint64_t{mul1} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k[0],
         static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k[1],
         static_cast<uint32_t>(p0)};
    k = {k[0] + weyl0, k[1] + weyl1};
  }
  return c;
}

uint64_t random_bits(uint64_t seed, uint64_t position, uint32_t draw) {
  auto r = philox4x32(
      {static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32),
       draw, 0},
      {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return uint64_t{r[1]} << 32 | r[0];
}

double random_unit(uint64_t seed, uint64_t position, uint32_t draw) {
  return static_cast<double>(random_bits(seed, position, draw) >> 11)
         * 0x1.0p-53;
}

} // namespace troupe
