#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace troupe::bench {

/// A benchmark's loop, `for (auto _ : timed_loop{state, what})`, that times
/// each pass by itself for the 99th percentile, which Google Benchmark does not
/// know: counters "p50" and "p99" in nanoseconds of real time. Reading the
/// clock takes some 20 ns, so passes under 2 us are timed several together,
/// "together" at a time; their percentiles are those of such groups' means.
/// `what` says which work a pass does, for whoever reads the results.
class timed_loop {
public:
  timed_loop(benchmark::State& state, const char* what) : state_(state) {
    state.SetLabel(what);
    times_.reserve(most);
  }
  timed_loop(const timed_loop&) = delete;
  timed_loop& operator=(const timed_loop&) = delete;

  ~timed_loop() {
    if (times_.empty())
      return;
    std::ranges::sort(times_);
    state_.counters["p50"] = times_[times_.size() / 2];
    state_.counters["p99"] = times_[times_.size() * 99 / 100];
    state_.counters["together"] = together_;
  }

  /// What came before is not to be timed. Whoever pauses the benchmark's own
  /// clock calls it, too.
  void restart() {
    done_ = 0;
    began_ = now();
  }

  /// A pass is over; the loop does it by itself.
  void next() {
    if (++done_ < together_)
      return;
    auto at = now();
    auto each = static_cast<double>((at - began_).count()) / together_;
    if (times_.size() < most)
      times_.push_back(each);
    else
      times_[oldest_++ % most] = each;
    if (times_.size() == first && together_ == 1)
      choose_size();
    restart();
  }

  class iterator {
  public:
    explicit iterator(timed_loop& loop)
        : loop_(loop), it_(loop.state_.begin()), end_(loop.state_.end()) {
      loop.restart();
    }
    auto operator*() const { return *it_; }
    iterator& operator++() {
      loop_.next();
      ++it_;
      return *this;
    }
    bool operator!=(std::nullptr_t) const { return it_ != end_; }

  private:
    timed_loop& loop_;
    benchmark::State::StateIterator it_;
    benchmark::State::StateIterator end_;
  };

  iterator begin() { return iterator{*this}; }
  std::nullptr_t end() { return nullptr; }

private:
  using clock = std::chrono::steady_clock;

  static constexpr auto most = size_t{1} << 16;
  static constexpr auto first = size_t{64};
  static constexpr auto shortest = 2000.; // ns

  static clock::time_point now() { return clock::now(); }

  void choose_size() {
    auto sorted = times_;
    std::ranges::sort(sorted);
    auto median = std::max(sorted[first / 2], 1.);
    if (median >= shortest)
      return;
    together_ = static_cast<uint32_t>(shortest / median) + 1;
    times_.clear();
  }

  benchmark::State& state_;
  std::vector<double> times_; ///< ns a pass
  size_t oldest_ = 0;
  uint32_t together_ = 1;
  uint32_t done_ = 0;
  clock::time_point began_;
};

} // namespace troupe::bench
