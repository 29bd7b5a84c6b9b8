#include "core/trust/crc32c.hpp"

#include <array>

namespace troupe {

namespace {

constexpr auto make_table() {
  auto table = std::array<uint32_t, 256>{};
  for (uint32_t i = 0; i < 256; ++i) {
    auto x = i;
    for (auto bit = 0; bit < 8; ++bit)
      x = x & 1 ? x >> 1 ^ 0x82f63b78u : x >> 1;
    table[i] = x;
  }
  return table;
}

constexpr auto table = make_table();

#ifdef __x86_64__
__attribute__((target("sse4.2"))) uint32_t with_sse42(const_bytes bytes) {
  auto x = uint64_t{0xffffffff};
  auto p = bytes.data();
  auto n = bytes.size();
  for (; n >= 8; p += 8, n -= 8)
    x = __builtin_ia32_crc32di(x, load_unaligned<uint64_t>(p));
  auto rest = static_cast<uint32_t>(x);
  for (; n > 0; ++p, --n)
    rest = __builtin_ia32_crc32qi(rest, std::to_integer<uint8_t>(*p));
  return ~rest;
}
#endif

} // namespace

uint32_t crc32c_portable(const_bytes bytes) {
  auto x = 0xffffffffu;
  for (auto b : bytes)
    x = x >> 8 ^ table[(x ^ std::to_integer<uint32_t>(b)) & 255];
  return ~x;
}

uint32_t crc32c(const_bytes bytes) {
#ifdef __x86_64__
  static const bool there = __builtin_cpu_supports("sse4.2");
  if (there)
    return with_sse42(bytes);
#endif
  return crc32c_portable(bytes);
}

} // namespace troupe
