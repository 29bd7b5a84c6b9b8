#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace troupe {

/// A queue of few items. It takes no memory before the first one, which a
/// std::deque does, and each is moved twice at most, on average.
template <class T>
class fifo {
public:
  fifo() = default;
  fifo(fifo&& other) noexcept
      : items_(std::move(other.items_)),
        first_(std::exchange(other.first_, size_t{0})) {}
  fifo& operator=(fifo&& other) noexcept {
    items_ = std::move(other.items_);
    first_ = std::exchange(other.first_, size_t{0});
    other.items_.clear();
    return *this;
  }

  bool empty() const { return first_ == items_.size(); }
  size_t size() const { return items_.size() - first_; }

  void push(T item) {
    if (first_ > 8 && first_ > size()) {
      items_.erase(items_.begin(), items_.begin() + as_offset(first_));
      first_ = 0;
    }
    items_.push_back(std::move(item));
  }

  /// The one that has been in it for longest. REQUIRES: not empty.
  T& front() { return items_[first_]; }

  /// Takes that one. REQUIRES: not empty.
  T pop() {
    auto item = std::move(items_[first_]);
    if (++first_ == items_.size())
      clear();
    return item;
  }

  void clear() {
    items_.clear();
    first_ = 0;
  }

private:
  static ptrdiff_t as_offset(size_t n) { return static_cast<ptrdiff_t>(n); }

  std::vector<T> items_;
  size_t first_ = 0; ///< those before it were taken
};

} // namespace troupe
