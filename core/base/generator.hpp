#pragma once

#include <version>

// clang 14 has coroutines of an earlier draft only: without them there is none
// of this.
#ifdef __cpp_impl_coroutine

#include <coroutine>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <utility>

namespace troupe {

/// A coroutine that yields one T after another to whoever iterates over it,
/// once, from one thread at a time. Nothing runs before `begin`. Dropping it
/// ends the coroutine where it is. What throws in there ends the program: no
/// exception comes out of it.
template <class T>
class [[nodiscard]] generator {
public:
  class promise_type {
  public:
    generator get_return_object() noexcept {
      return generator{handle::from_promise(*this)};
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    std::suspend_always yield_value(T& x) noexcept {
      value_ = std::addressof(x);
      return {};
    }
    std::suspend_always yield_value(T&& x) noexcept { return yield_value(x); }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
    template <class Awaited>
    void await_transform(Awaited&&) = delete;

    T& value() const { return *value_; }

  private:
    T* value_ = nullptr; ///< in the coroutine, until it goes on
  };

private:
  using handle = std::coroutine_handle<promise_type>;

public:
  class iterator {
  public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;

    iterator() = default;
    explicit iterator(handle h) : handle_(h) {}
    iterator(iterator&&) noexcept = default;
    iterator& operator=(iterator&&) noexcept = default;

    /// May be moved from: each is seen once.
    T& operator*() const { return handle_.promise().value(); }
    T* operator->() const { return std::addressof(**this); }
    iterator& operator++() {
      handle_.resume();
      return *this;
    }
    void operator++(int) { ++*this; }

    friend bool operator==(const iterator& i, std::default_sentinel_t) {
      return i.handle_.done();
    }

  private:
    handle handle_;
  };

  generator(generator&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)) {}
  generator& operator=(generator&& other) noexcept {
    auto gone = generator{std::move(other)};
    std::swap(handle_, gone.handle_);
    return *this;
  }
  ~generator() {
    if (handle_)
      handle_.destroy();
  }

  /// REQUIRES: it was neither called before nor moved from.
  iterator begin() {
    handle_.resume();
    return iterator{handle_};
  }
  std::default_sentinel_t end() const { return {}; }

private:
  explicit generator(handle h) : handle_(h) {}

  handle handle_;
};

} // namespace troupe

#endif
