#pragma once

#include <caf/typed_response_promise.hpp>

#include "actors/error.hpp"

namespace troupe {

/// A reply that somebody waits for. CAF 0.17.6 drops a forgotten promise in
/// silence and the requester waits for ever; this one answers `abandoned` when
/// it is destroyed unanswered.
template <class T>
class [[nodiscard]] owed_reply {
public:
  explicit owed_reply(caf::typed_response_promise<T> promise)
      : promise_(std::move(promise)) {}
  owed_reply(owed_reply&& other) noexcept
      : promise_(std::move(other.promise_)), owed_(other.owed_) {
    other.owed_ = false;
  }
  owed_reply& operator=(owed_reply&&) = delete;
  ~owed_reply() {
    if (owed_)
      fail({errc::abandoned, "whoever owed this answer is gone"});
  }

  /// Answers. Only the first answer counts.
  void deliver(T x) {
    if (std::exchange(owed_, false))
      promise_.deliver(std::move(x));
  }
  void fail(const error& e) {
    if (std::exchange(owed_, false))
      promise_.deliver(to_caf(e));
  }

private:
  caf::typed_response_promise<T> promise_;
  bool owed_ = true;
};

} // namespace troupe
