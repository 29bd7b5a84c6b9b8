#pragma once

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "include/troupe/troupe.h"
#include "runtime/runtime.hpp"

namespace troupe::c_api {

/// Generations that can be cancelled together, once and for all.
class cancel_list {
public:
  /// Cancels it at once, if they were cancelled already.
  void add(generation& g) {
    auto guard = std::lock_guard{mutex_};
    all_.push_back(&g);
    if (cancelled_)
      g.cancel();
  }

  void remove(generation& g) {
    auto guard = std::lock_guard{mutex_};
    std::erase(all_, &g);
  }

  void cancel() {
    auto guard = std::lock_guard{mutex_};
    cancelled_ = true;
    for (auto* g : all_)
      g->cancel();
  }

private:
  std::mutex mutex_;
  bool cancelled_ = false;
  std::vector<generation*> all_;
};

/// A generation is on the list, if there is one, as long as this lives.
class listed {
public:
  listed(cancel_list* list, generation& g) : list_(list), g_(g) {
    if (list_)
      list_->add(g_);
  }
  listed(const listed&) = delete;
  listed& operator=(const listed&) = delete;
  ~listed() {
    if (list_)
      list_->remove(g_);
  }

private:
  cancel_list* list_;
  generation& g_;
};

/// What the calling thread's last failure was; returns its status. Says less
/// where there is no memory to say it.
int32_t complain(errc code, const std::string& why) noexcept;
int32_t complain(const error& why) noexcept;

/// Bytes of a text at most.
constexpr auto max_text = size_t{1} << 28;

/// What a call is given that reads `from` and fills `to`; 0 if there is nothing
/// wrong with it.
inline int32_t check(const void* rt, const void* from, size_t size,
                     const void* to, size_t capacity, const size_t* count) {
  auto wrong = [](const char* why) {
    return complain(errc::invalid_argument, why);
  };
  if (!rt)
    return wrong("no runtime");
  if (!from && size > 0)
    return wrong("nothing to read");
  if (size > max_text)
    return wrong("more than 256 MiB");
  if (!to && capacity > 0)
    return wrong("no place for the result");
  if (!count)
    return wrong("no place for the size of the result");
  return TROUPE_OK;
}

/// Runs what nothing may be thrown out of.
template <class F>
int32_t guarded(F body) noexcept {
  try {
    return body();
  } catch (const std::exception& e) {
    complain(errc::none, e.what());
  } catch (...) {
    complain(errc::none, "an unknown exception");
  }
  return TROUPE_INTERNAL;
}

} // namespace troupe::c_api

struct troupe_runtime {
  explicit troupe_runtime(troupe::runtime r) : runtime(std::move(r)) {}

  troupe::runtime runtime;
  troupe::c_api::cancel_list under_way;
  std::mutex mutex;
  std::condition_variable changed;
  unsigned calls = 0; ///< that take it
};

struct troupe_cancellation {
  troupe::c_api::cancel_list of;
};

namespace troupe::c_api {

/// A call that takes the handle; closing waits for it.
class call {
public:
  explicit call(troupe_runtime& of) : of_(of) {
    auto guard = std::lock_guard{of_.mutex};
    ++of_.calls;
  }
  call(const call&) = delete;
  call& operator=(const call&) = delete;
  ~call() {
    auto guard = std::lock_guard{of_.mutex};
    --of_.calls;
    of_.changed.notify_all();
  }

private:
  troupe_runtime& of_;
};

/// Copies as much as there is room for.
template <class T, class From>
void hand_out(const From& from, T* to, size_t capacity, size_t* count) {
  auto n = std::min(capacity, from.size());
  std::copy_n(from.begin(), n, to);
  *count = from.size();
}

} // namespace troupe::c_api
