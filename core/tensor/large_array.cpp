#include "core/tensor/large_array.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>

#include <sys/mman.h>

// The address sanitizer sees what happens between arrays only if each comes
// from it.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TROUPE_ARRAYS_APART
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define TROUPE_ARRAYS_APART
#endif

namespace troupe {

namespace {

constexpr auto large_page = size_t{2} << 20;
constexpr auto cache_line = size_t{64};

size_t round_up(size_t n, size_t to) {
  return (n + to - 1) / to * to;
}

std::byte* allocate(size_t bytes, size_t aligned) {
  auto rounded = std::max(round_up(bytes, aligned), aligned);
  auto* p = static_cast<std::byte*>(std::aligned_alloc(aligned, rounded));
  if (!p)
    throw std::bad_alloc{};
  if (aligned == large_page)
    ::madvise(p, rounded, MADV_HUGEPAGE); // a wish
  return p;
}

#ifndef TROUPE_ARRAYS_APART

// A large page that arrays share which are smaller. It begins with this, and is
// freed with the last of them.
struct shared_page {
  std::atomic<uint32_t> users{1}; ///< arrays, and `filling`
  size_t used = cache_line;
};

void release(shared_page* p) {
  if (p->users.fetch_sub(1, std::memory_order_acq_rel) > 1)
    return;
  std::destroy_at(p);
  std::free(p);
}

struct filling {
  std::mutex mutex;
  shared_page* page = nullptr;

  std::byte* take(size_t bytes) {
    auto guard = std::lock_guard{mutex};
    if (page != nullptr && page->users.load(std::memory_order_acquire) == 1)
      page->used = cache_line; // all that was in it is gone
    if (page == nullptr || page->used + bytes > large_page) {
      auto* fresh = new (allocate(large_page, large_page)) shared_page{};
      if (page != nullptr)
        release(page);
      page = fresh;
    }
    auto* p = reinterpret_cast<std::byte*>(page) + page->used;
    page->used += bytes;
    page->users.fetch_add(1, std::memory_order_relaxed);
    return p;
  }
};

// Never destroyed: what is static may hold arrays.
filling& shared() {
  static auto* f = new filling;
  return *f;
}

#endif

} // namespace

#ifdef TROUPE_ARRAYS_APART

std::byte* allocate_large(size_t bytes) {
  return allocate(bytes, bytes >= large_page ? large_page : cache_line);
}

void free_large::operator()(void* p) const {
  std::free(p);
}

#else

std::byte* allocate_large(size_t bytes) {
  auto rounded = std::max(round_up(bytes, cache_line), cache_line);
  if (rounded > large_page - cache_line)
    return allocate(bytes, large_page);
  return shared().take(rounded);
}

void free_large::operator()(void* p) const {
  // What has pages of its own begins where they do, as nothing else does.
  auto within = reinterpret_cast<uintptr_t>(p) % large_page;
  if (within == 0)
    return std::free(p);
  release(reinterpret_cast<shared_page*>(static_cast<std::byte*>(p) - within));
}

#endif

} // namespace troupe
