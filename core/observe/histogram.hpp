#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "core/base/time.hpp"
#include "core/observe/log_linear.hpp"

namespace troupe {

/// How often which values were seen, within 1 %. Values are whole numbers, such
/// as nanoseconds or tokens; there is no NaN that could spoil them.
class histogram_counts {
public:
  histogram_counts() : counts_(log_linear::buckets) {}

  void add(uint64_t value, uint64_t times = 1);
  void merge(const histogram_counts& other);
  /// What came after `earlier`, an older state of the same histogram.
  histogram_counts since(const histogram_counts& earlier) const;

  uint64_t count() const { return total_; }
  uint64_t sum() const { return sum_; } ///< exact, modulo 2^64
  double mean() const;                  ///< 0 of nothing

  /// The value that is at least as large as `q` of all, 0 <= q <= 1 (others,
  /// and NaN, are taken for the nearest of these). 0 of nothing. With n values
  /// only quantiles up to 1 - 1/n tell more than the largest one.
  uint64_t quantile(double q) const;
  /// Several in one pass. REQUIRES: as many results as `q`, which ascend.
  void quantiles(std::span<const double> q, std::span<uint64_t> results) const;
  uint64_t smallest() const { return quantile(0); }
  uint64_t largest() const { return quantile(1); }

  /// How many are at most each of `values`, which ascend, within the width of
  /// their buckets.
  std::vector<uint64_t> at_most(std::span<const uint64_t> values) const;

private:
  friend class histogram;

  std::vector<uint64_t> counts_; ///< [log_linear::buckets]
  uint64_t total_ = 0;
  uint64_t sum_ = 0;
};

/// Counts what many threads record, each in cells of its own: nobody waits, and
/// no line of memory goes back and forth. Cells only grow; a window is the
/// difference of two states, so that rotation does not touch who records.
class histogram {
  /// Written by one recorder, read by any thread.
  struct alignas(64) cells {
    std::array<std::atomic<uint64_t>, log_linear::buckets> counts{};
    std::atomic<uint64_t> sum{0};
  };

public:
  /// Records for one thread at a time. REQUIRES: goes before the histogram.
  class recorder {
  public:
    recorder() = default;
    recorder(recorder&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)),
          cells_(std::exchange(other.cells_, nullptr)) {}
    recorder& operator=(recorder&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(cells_, other.cells_);
      return *this;
    }
    ~recorder() {
      if (owner_)
        owner_->take_back(cells_);
    }

    /// REQUIRES: made by a histogram.
    void record(uint64_t value) {
      // Nobody else writes: no need for an atomic addition.
      bump(cells_->counts[log_linear::index(value)], 1);
      bump(cells_->sum, value);
    }
    /// A negative time counts as none.
    void record(duration d) {
      record(static_cast<uint64_t>(std::max(d.count(), int64_t{0})));
    }

  private:
    friend histogram;
    recorder(histogram* owner, cells* c) : owner_(owner), cells_(c) {}
    static void bump(std::atomic<uint64_t>& cell, uint64_t by) {
      cell.store(cell.load(std::memory_order_relaxed) + by,
                 std::memory_order_relaxed);
    }

    histogram* owner_ = nullptr;
    cells* cells_ = nullptr;
  };

  /// For a thread, or whoever is only run by one at a time. What it records
  /// stays when it goes; the next one continues in its cells, which are 19 KB.
  recorder make_recorder();

  /// Everything recorded so far. What is recorded meanwhile may be in it or
  /// not.
  histogram_counts counts() const;

private:
  void take_back(cells* c);

  mutable std::mutex mutex_; ///< of the lists, not of what is in the cells
  std::vector<std::unique_ptr<cells>> all_;
  std::vector<cells*> free_;
};

/// The recent part of a histogram: `parts` intervals, the last of them under
/// way. One thread at a time.
class histogram_window {
public:
  /// REQUIRES: interval > 0, parts > 0.
  histogram_window(duration interval, size_t parts, time_point now);

  /// What the histogram got in the window that ends now: between
  /// `parts - 1` and `parts` intervals. `all` is its state. A clock that steps
  /// back ends no interval.
  histogram_counts update(const histogram_counts& all, time_point now);

private:
  duration interval_;
  std::vector<histogram_counts> begins_; ///< states, oldest first; a ring
  size_t oldest_ = 0;
  time_point next_; ///< when the interval under way ends
};

} // namespace troupe
