#include "core/kv/block_arena.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <new>

#include <sys/mman.h>
#include <unistd.h>

// A free block is out of bounds to all who kept a pointer to it; the address
// sanitizer can tell.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TROUPE_POISON_FREE_BLOCKS
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define TROUPE_POISON_FREE_BLOCKS
#endif
#ifdef TROUPE_POISON_FREE_BLOCKS
#include <sanitizer/asan_interface.h>
#endif

namespace troupe {

namespace {

void forbid([[maybe_unused]] const std::byte* p, [[maybe_unused]] size_t n) {
#ifdef TROUPE_POISON_FREE_BLOCKS
  __asan_poison_memory_region(p, n);
#endif
}

void permit([[maybe_unused]] const std::byte* p, [[maybe_unused]] size_t n) {
#ifdef TROUPE_POISON_FREE_BLOCKS
  __asan_unpoison_memory_region(p, n);
#endif
}

size_t round_up(size_t n, size_t to) {
  return (n + to - 1) / to * to;
}

bool has(const slot_bits& bits, uint32_t i) {
  return (bits[i / 64] >> i % 64 & 1) != 0;
}

void set(slot_bits& bits, uint32_t i) {
  bits[i / 64] |= uint64_t{1} << i % 64;
}

void clear(slot_bits& bits, uint32_t i) {
  bits[i / 64] &= ~(uint64_t{1} << i % 64);
}

} // namespace

block_arena::block_arena(const kv_layout& layout)
    : layout_(layout),
      stride_(std::max(round_up(layout.block_bytes(), alignment), alignment)),
      page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {}

block_arena::~block_arena() {
  auto bytes = round_up(slab_slots_ * stride_, page_);
  for (auto* slab : slabs_) {
    permit(slab, bytes);
    munmap(slab, bytes);
  }
}

// -- slots --------------------------------------------------------------------

void block_arena::expect(uint32_t blocks) {
  auto guard = std::lock_guard{mutex_};
  expected_ += blocks;
}

void block_arena::add_slab() {
  if (slab_slots_ == 0) {
    auto want = std::min<uint64_t>(slab_bytes / stride_, expected_);
    slab_slots_ =
        static_cast<uint32_t>(round_up(std::max(want, uint64_t{1}), 64));
  }
  auto bytes = round_up(slab_slots_ * stride_, page_);
  auto* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED)
    throw std::bad_alloc{};
  slabs_.push_back(static_cast<std::byte*>(p));
  forbid(slabs_.back(), bytes);
  free_.resize(free_.size() + slab_slots_ / 64, ~uint64_t{0});
  dirty_.resize(free_.size(), 0);
}

std::byte* block_arena::at(uint32_t slot) const {
  return slabs_[slot / slab_slots_] + slot % slab_slots_ * stride_;
}

void block_arena::mark_taken(uint32_t slot) {
  clear(free_, slot);
  permit(at(slot), stride_);
}

void block_arena::mark_free(uint32_t slot) {
  forbid(at(slot), stride_);
  set(free_, slot);
  lowest_ = std::min<size_t>(lowest_, slot / 64);
}

block_ref block_arena::refer(uint32_t slot, std::byte* p) {
  return {p, slot_return{shared_from_this(), slot}};
}

block_ref block_arena::allocate() {
  auto slot = uint32_t{0};
  auto dirty = false;
  std::byte* p = nullptr;
  {
    auto guard = std::lock_guard{mutex_};
    while (lowest_ < free_.size() && free_[lowest_] == 0)
      ++lowest_;
    if (lowest_ == free_.size())
      add_slab();
    slot = static_cast<uint32_t>(lowest_ * 64)
           + static_cast<uint32_t>(std::countr_zero(free_[lowest_]));
    mark_taken(slot);
    dirty = has(dirty_, slot);
    set(dirty_, slot);
    p = at(slot);
  }
  // Zero on every use: a block never shows its next owner what the last one
  // left, and attention may read rows that are not written yet. What nobody
  // had since the system gave the pages is zero, and stays without memory
  // until it is written.
  if (dirty)
    std::memset(p, 0, layout_.block_bytes());
  return refer(slot, p);
}

block_ref block_arena::claim(uint32_t slot) {
  std::byte* p = nullptr;
  {
    auto guard = std::lock_guard{mutex_};
    if (slot / 64 >= free_.size() || !has(free_, slot))
      return nullptr;
    mark_taken(slot);
    set(dirty_, slot);
    p = at(slot);
  }
  return refer(slot, p);
}

void block_arena::free(uint32_t slot) {
  auto guard = std::lock_guard{mutex_};
  mark_free(slot);
}

std::optional<uint32_t> block_arena::slot_of(const block_ref& block) const {
  auto* from = std::get_deleter<slot_return>(block);
  if (from == nullptr || from->arena.get() != this)
    return std::nullopt;
  return from->slot;
}

slot_bits block_arena::taken() const {
  auto guard = std::lock_guard{mutex_};
  auto bits = free_;
  for (auto& word : bits)
    word = ~word;
  return bits;
}

// -- giving memory back -------------------------------------------------------

uint32_t block_arena::after_spare(uint32_t spare) const {
  auto word = size_t{0};
  for (; word < free_.size(); ++word) {
    auto here = static_cast<uint32_t>(std::popcount(free_[word]));
    if (here > spare)
      break;
    spare -= here;
  }
  auto slot = static_cast<uint32_t>(word * 64);
  for (; word < free_.size() && spare > 0; ++slot)
    spare -= has(free_, slot) ? 1 : 0;
  return slot;
}

// The first one that holds a dirty slot and a whole page, cut to `most` slots;
// no slots if there is none. Runs end where slabs do.
block_arena::run block_arena::next_free_run(uint32_t& cursor,
                                            size_t most) const {
  auto slots = static_cast<uint32_t>(free_.size() * 64);
  while (cursor < slots) {
    if (free_[cursor / 64] == 0) {
      cursor = (cursor / 64 + 1) * 64;
      continue;
    }
    if (!has(free_, cursor)) {
      ++cursor;
      continue;
    }
    auto r = run{cursor, 0, 0, at(cursor), 0};
    do {
      r.dirty += has(dirty_, cursor) ? 1 : 0;
      ++r.slots;
      ++cursor;
    } while (cursor < slots && cursor % slab_slots_ != 0 && r.slots < most
             && has(free_, cursor));
    auto begin = reinterpret_cast<uintptr_t>(r.begin);
    auto end = begin + r.slots * stride_;
    if (cursor % slab_slots_ == 0) // the rest of the last page is nobody's
      end = round_up(end, page_);
    r.bytes = end - begin;
    if (r.dirty > 0 && round_up(begin, page_) + page_ <= end)
      return r;
  }
  return {};
}

// Without the lock: the slots are ours.
size_t block_arena::give_pages(const run& r) {
  auto begin = reinterpret_cast<uintptr_t>(r.begin);
  auto head = round_up(begin, page_) - begin;
  auto whole = (r.bytes - head) / page_ * page_;
  if (madvise(r.begin + head, whole, MADV_DONTNEED) != 0)
    return 0; // such as of locked memory: all as before
  // What shares a page with others is cleared by hand, so that all is zero.
  std::memset(r.begin, 0, head);
  auto bytes = r.slots * stride_;
  auto tail = std::min(head + whole, bytes);
  std::memset(r.begin + tail, 0, bytes - tail);
  return std::min(whole, r.dirty * stride_);
}

size_t block_arena::trim(uint32_t spare, size_t max_bytes) {
  auto given = size_t{0};
  auto lock = std::unique_lock{mutex_};
  auto cursor = after_spare(spare);
  while (given < max_bytes) {
    auto at_once = std::max(max_bytes - given, 2 * page_);
    auto r = next_free_run(cursor, std::max<size_t>(at_once / stride_, 1));
    if (r.slots == 0)
      break;
    for (auto s = r.first; s < r.first + r.slots; ++s)
      mark_taken(s);
    lock.unlock();
    auto bytes = give_pages(r);
    lock.lock();
    for (auto s = r.first; s < r.first + r.slots; ++s) {
      if (bytes > 0)
        clear(dirty_, s);
      mark_free(s);
    }
    given += bytes;
  }
  return given;
}

std::shared_ptr<block_arena> make_block_arena(const kv_layout& layout) {
  return std::make_shared<block_arena>(layout);
}

} // namespace troupe
