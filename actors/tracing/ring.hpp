#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

#include "core/base/bytes.hpp"

namespace troupe::tracing {

/// Records of one thread until somebody drains them: the thread writes without
/// waiting for anybody, and where nobody drains, the oldest make way.
class ring {
public:
  static constexpr uint32_t block_bytes = uint32_t{64} << 10;

  /// `most`: bytes kept at most, but for one record that is larger.
  explicit ring(size_t most) : most_(most) {}

  // -- by its thread ----------------------------------------------------------

  /// Room for a record of `n` bytes, a multiple of 8.
  std::byte* claim(uint32_t n) {
    if (!current_
        || current_->used.load(std::memory_order_relaxed) + n > current_->size)
      renew(n);
    return current_->data.get()
           + current_->used.load(std::memory_order_relaxed);
  }

  /// What was claimed is written.
  void publish(uint32_t n) {
    auto used = current_->used.load(std::memory_order_relaxed);
    current_->used.store(used + n, std::memory_order_release);
  }

  // -- by whoever drains ------------------------------------------------------

  /// Appends all that is there, whole records in their order.
  void drain(raw_bytes& to);

  /// Records that made way so far.
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

private:
  struct block {
    explicit block(uint32_t n)
        : data(std::make_unique_for_overwrite<std::byte[]>(n)), size(n) {}
    std::unique_ptr<std::byte[]> data;
    uint32_t size;
    std::atomic<uint32_t> used{0};
    uint32_t drained = 0;
  };

  void renew(uint32_t n);
  static void take(block& b, raw_bytes& to);
  uint64_t records_in(const block& b) const;

  size_t most_;
  std::mutex
      mutex_; ///< of all below, but for what the thread adds to `current_`
  std::unique_ptr<block> current_;
  std::deque<std::unique_ptr<block>> full_;
  std::unique_ptr<block> spare_;
  size_t bytes_ = 0; ///< of `full_`
  std::atomic<uint64_t> dropped_{0};
};

} // namespace troupe::tracing
