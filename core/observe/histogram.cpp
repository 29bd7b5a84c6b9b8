#include "core/observe/histogram.hpp"

#include <cassert>
#include <cmath>

namespace troupe {

namespace {

// Of n values, sorted, which one is at least as large as q of them: 1 to n.
uint64_t rank(double q, uint64_t n) {
  if (!(q > 0)) // NaN as well
    return 1;
  if (q >= 1)
    return n;
  auto r = std::ceil(q * static_cast<double>(n));
  return std::clamp(static_cast<uint64_t>(r), uint64_t{1}, n);
}

} // namespace

// -- counts -------------------------------------------------------------------

void histogram_counts::add(uint64_t value, uint64_t times) {
  counts_[log_linear::index(value)] += times;
  total_ += times;
  sum_ += value * times;
}

void histogram_counts::merge(const histogram_counts& other) {
  for (size_t i = 0; i < counts_.size(); ++i)
    counts_[i] += other.counts_[i];
  total_ += other.total_;
  sum_ += other.sum_;
}

histogram_counts
histogram_counts::since(const histogram_counts& earlier) const {
  auto d = histogram_counts{};
  for (size_t i = 0; i < counts_.size(); ++i)
    d.counts_[i] = counts_[i] - std::min(counts_[i], earlier.counts_[i]);
  for (auto n : d.counts_)
    d.total_ += n;
  d.sum_ = sum_ - earlier.sum_;
  return d;
}

double histogram_counts::mean() const {
  if (total_ == 0)
    return 0;
  return static_cast<double>(sum_) / static_cast<double>(total_);
}

uint64_t histogram_counts::quantile(double q) const {
  auto value = uint64_t{0};
  quantiles({&q, 1}, {&value, 1});
  return value;
}

void histogram_counts::quantiles(std::span<const double> q,
                                 std::span<uint64_t> results) const {
  assert(q.size() == results.size());
  std::ranges::fill(results, 0);
  if (total_ == 0)
    return;
  // 64 buckets at a time; only the one block in which a rank falls is walked.
  auto before = uint64_t{0};
  auto k = size_t{0};
  for (size_t block = 0; block < counts_.size() && k < q.size(); block += 64) {
    auto in_block = uint64_t{0};
    for (size_t i = block; i < block + 64; ++i)
      in_block += counts_[i];
    auto below = before;
    auto i = block;
    while (k < q.size() && rank(q[k], total_) <= before + in_block) {
      while (below + counts_[i] < rank(q[k], total_))
        below += counts_[i++];
      results[k++] = log_linear::middle(i);
    }
    before += in_block;
  }
}

std::vector<uint64_t>
histogram_counts::at_most(std::span<const uint64_t> values) const {
  auto all = std::vector<uint64_t>{};
  auto i = size_t{0};
  auto n = uint64_t{0};
  for (auto v : values) {
    while (i < counts_.size() && log_linear::middle(i) <= v)
      n += counts_[i++];
    all.push_back(n);
  }
  return all;
}

// -- recording ----------------------------------------------------------------

histogram::recorder histogram::make_recorder() {
  auto lock = std::scoped_lock{mutex_};
  if (free_.empty()) {
    all_.push_back(std::make_unique<cells>());
    free_.push_back(all_.back().get());
  }
  auto* c = free_.back();
  free_.pop_back();
  return {this, c};
}

void histogram::take_back(cells* c) {
  auto lock = std::scoped_lock{mutex_};
  free_.push_back(c);
}

histogram_counts histogram::counts() const {
  auto lock = std::scoped_lock{mutex_};
  auto h = histogram_counts{};
  for (auto& c : all_) {
    for (size_t i = 0; i < c->counts.size(); ++i)
      h.counts_[i] += c->counts[i].load(std::memory_order_relaxed);
    h.sum_ += c->sum.load(std::memory_order_relaxed);
  }
  // Not counted apart, so that ranks always fall on something.
  for (auto n : h.counts_)
    h.total_ += n;
  return h;
}

// -- windows ------------------------------------------------------------------

histogram_window::histogram_window(duration interval, size_t parts,
                                   time_point now)
    : interval_(interval), begins_(parts), next_(now + interval) {
  assert(interval > duration{0} && parts > 0);
}

histogram_counts histogram_window::update(const histogram_counts& all,
                                          time_point now) {
  auto ended = now < next_ ? int64_t{0} : 1 + (now - next_) / interval_;
  next_ += ended * interval_;
  // Whatever came since the last update counts for the interval that ended
  // first: nobody knows better.
  for (auto k = int64_t{0}; k < std::min<int64_t>(ended, std::ssize(begins_));
       ++k) {
    begins_[oldest_] = all;
    oldest_ = (oldest_ + 1) % begins_.size();
  }
  return all.since(begins_[oldest_]);
}

} // namespace troupe
