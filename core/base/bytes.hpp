#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace troupe {

static_assert(std::endian::native == std::endian::little,
              "file formats and KV bytes are little-endian and used in place");

using const_bytes = std::span<const std::byte>;

inline std::string_view text_of(const_bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Reads a trivially copyable value from possibly unaligned memory.
/// REQUIRES: `from` points to at least `sizeof(T)` readable bytes.
template <class T>
T load_unaligned(const void* from) {
  static_assert(std::is_trivially_copyable_v<T>);
  T x;
  std::memcpy(&x, from, sizeof(T));
  return x;
}

/// Leaves what a container adds without a value uninitialised.
template <class T>
struct raw_allocator : std::allocator<T> {
  template <class U>
  struct rebind {
    using other = raw_allocator<U>;
  };
  void construct(T* p) { ::new (static_cast<void*>(p)) T; }
  template <class... Args>
  void construct(T* p, Args&&... args) {
    ::new (static_cast<void*>(p)) T(std::forward<Args>(args)...);
  }
};

/// Bytes that are about to be written: `resize` costs no pass over them.
using raw_bytes = std::vector<std::byte, raw_allocator<std::byte>>;

} // namespace troupe
