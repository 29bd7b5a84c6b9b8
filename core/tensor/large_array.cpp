#include "core/tensor/large_array.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>

#include <sys/mman.h>

namespace troupe {

namespace {

constexpr auto large_page = size_t{2} << 20;
constexpr auto cache_line = size_t{64};

} // namespace

std::byte* allocate_large(size_t bytes) {
  auto aligned = bytes >= large_page ? large_page : cache_line;
  auto rounded = std::max((bytes + aligned - 1) / aligned * aligned, aligned);
  auto* p = static_cast<std::byte*>(std::aligned_alloc(aligned, rounded));
  if (!p)
    throw std::bad_alloc{};
  if (aligned == large_page)
    ::madvise(p, rounded, MADV_HUGEPAGE); // a wish
  return p;
}

void free_large::operator()(void* p) const {
  std::free(p);
}

} // namespace troupe
