#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>

namespace troupe {

/// Memory from a cache line on; of 2 MB and more from a large page on, and in
/// large pages where the system has them: what a step goes through as a whole
/// would otherwise wait for the page table again and again. Not initialised,
/// so that what is never used never becomes resident. std::bad_alloc.
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
