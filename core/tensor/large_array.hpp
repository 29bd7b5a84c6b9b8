#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace troupe {

/// Memory from a cache line on, in large pages where the system has them: what
/// a step goes through as a whole would otherwise wait for the page table again
/// and again. 2 MB and more begin with a page, less shares one, which is kept
/// for as long as any of it is used. Not initialised. std::bad_alloc.
/// Thread-safe.
std::byte* allocate_large(size_t bytes);

struct free_large {
  void operator()(void* p) const;
};

/// An array in such memory.
template <class T>
requires std::is_trivial_v<T>
using large_array = std::unique_ptr<T[], free_large>;

template <class T>
large_array<T> make_large_array(size_t n) {
  return large_array<T>{reinterpret_cast<T*>(allocate_large(n * sizeof(T)))};
}

} // namespace troupe
