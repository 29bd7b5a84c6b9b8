#include "core/kv/block_pool.hpp"

namespace troupe {

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
      used_(std::make_shared<std::atomic<uint32_t>>(0)), capacity_(capacity) {
  arena_->expect(capacity);
}

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
