#include "actors/tracing/ring.hpp"

#include <algorithm>
#include <utility>

#include "core/trace/format.hpp"

namespace troupe::tracing {

void ring::renew(uint32_t n) {
  auto guard = std::lock_guard{mutex_};
  if (current_) {
    bytes_ += current_->size;
    full_.push_back(std::move(current_));
  }
  while (bytes_ > most_ && !full_.empty()) {
    auto oldest = std::move(full_.front());
    full_.pop_front();
    bytes_ -= oldest->size;
    dropped_.fetch_add(records_in(*oldest), std::memory_order_relaxed);
    spare_ = std::move(oldest);
  }
  if (spare_ && spare_->size >= n) {
    spare_->used.store(0, std::memory_order_relaxed);
    spare_->drained = 0;
    current_ = std::move(spare_);
  } else {
    current_ = std::make_unique<block>(std::max(n, block_bytes));
  }
}

void ring::take(block& b, raw_bytes& to) {
  auto used = b.used.load(std::memory_order_acquire);
  to.insert(to.end(), b.data.get() + b.drained, b.data.get() + used);
  b.drained = used;
}

uint64_t ring::records_in(const block& b) const {
  auto n = uint64_t{0};
  auto used = b.used.load(std::memory_order_relaxed);
  for (auto at = b.drained; at < used; ++n)
    at += load_unaligned<trace_record>(b.data.get() + at).bytes;
  return n;
}

void ring::drain(raw_bytes& to) {
  auto guard = std::lock_guard{mutex_};
  for (auto& b : full_) {
    take(*b, to);
    if (b->size == block_bytes)
      spare_ = std::move(b);
  }
  full_.clear();
  bytes_ = 0;
  if (current_)
    take(*current_, to);
}

} // namespace troupe::tracing
