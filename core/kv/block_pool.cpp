#include "core/kv/block_pool.hpp"

#include <cstring>
#include <mutex>
#include <new>

namespace troupe {

// -- arena -------------------------------------------------------------------

class block_arena : public std::enable_shared_from_this<block_arena> {
public:
  explicit block_arena(const kv_layout& layout) : layout_(layout) {}

  block_arena(const block_arena&) = delete;
  block_arena& operator=(const block_arena&) = delete;

  ~block_arena() {
    for (auto* p : free_)
      ::operator delete(p, alignment);
  }

  block_ref allocate() {
    std::byte* p = nullptr;
    {
      auto guard = std::lock_guard{mutex_};
      if (!free_.empty()) {
        p = free_.back();
        free_.pop_back();
      }
    }
    if (p == nullptr)
      p = static_cast<std::byte*>(
          ::operator new(layout_.block_bytes(), alignment));
    // Zeroed on every use: a block never shows its next owner what the last
    // one left, and attention may read rows that are not written yet.
    std::memset(p, 0, layout_.block_bytes());
    return {p, [arena = shared_from_this()](std::byte* q) { arena->free(q); }};
  }

  const kv_layout& layout() const { return layout_; }

private:
  static constexpr auto alignment = std::align_val_t{64};

  void free(std::byte* p) {
    auto guard = std::lock_guard{mutex_};
    free_.push_back(p);
  }

  kv_layout layout_;
  std::mutex mutex_;
  std::vector<std::byte*> free_;
};

std::shared_ptr<block_arena> make_block_arena(const kv_layout& layout) {
  return std::make_shared<block_arena>(layout);
}

// -- pool --------------------------------------------------------------------

class block_slot {
public:
  explicit block_slot(std::shared_ptr<std::atomic<uint32_t>> used)
      : used_(std::move(used)) {}
  block_slot(const block_slot&) = delete;
  block_slot& operator=(const block_slot&) = delete;
  ~block_slot() { used_->fetch_sub(1, std::memory_order_relaxed); }

private:
  std::shared_ptr<std::atomic<uint32_t>> used_;
};

block_pool::block_pool(std::shared_ptr<block_arena> arena, uint32_t capacity)
    : arena_(std::move(arena)),
      used_(std::make_shared<std::atomic<uint32_t>>(0)), capacity_(capacity) {}

std::optional<std::vector<block_lease>> block_pool::reserve(uint32_t n) {
  // One owner takes, any thread gives back, so available() can only grow
  // between this check and the addition.
  if (n > available())
    return std::nullopt;
  used_->fetch_add(n, std::memory_order_relaxed);
  auto leases = std::vector<block_lease>{};
  leases.reserve(n);
  for (uint32_t i = 0; i < n; ++i)
    leases.emplace_back(std::make_shared<block_slot>(used_), arena_, nullptr);
  return leases;
}

std::optional<std::vector<block_lease>> block_pool::take(uint32_t n) {
  auto leases = reserve(n);
  if (leases)
    for (auto& lease : *leases)
      lease.materialise();
  return leases;
}

const kv_layout& block_pool::layout() const {
  return arena_->layout();
}

// -- lease -------------------------------------------------------------------

block_lease::block_lease(std::shared_ptr<block_slot> slot,
                         std::shared_ptr<block_arena> arena, block_ref block)
    : slot_(std::move(slot)), arena_(std::move(arena)),
      block_(std::move(block)) {}

const kv_layout& block_lease::layout() const {
  return arena_->layout();
}

void block_lease::materialise() {
  block_ = arena_->allocate();
}

} // namespace troupe
