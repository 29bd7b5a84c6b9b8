#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/trust/audit_anchor.hpp"
#include "runtime/http_address.hpp"

namespace troupe {

/// Takes checkpoints to where who can change the log cannot: to a file, a line
/// each, or to a URL, as JSON. A thread of its own does it, so that nobody
/// waits; while one is on its way the newest of those that follow is kept, and
/// stands for them, since it seals what they sealed.
class audit_anchor_sink {
public:
  struct counts {
    uint64_t told = 0;
    uint64_t failed = 0;
    uint64_t skipped = 0;   ///< for a newer one
    std::string last_error; ///< empty: there was none, or it has passed
  };

  /// `to`: "http://HOST[:PORT]/PATH", or the path of a file, which is appended
  /// to. Errors: invalid_argument; io_error, if the file cannot be.
  static result<std::shared_ptr<audit_anchor_sink>> open(const std::string& to);

  explicit audit_anchor_sink(std::function<result<void>(std::string)> tell);
  audit_anchor_sink(const audit_anchor_sink&) = delete;
  audit_anchor_sink& operator=(const audit_anchor_sink&) = delete;
  /// The one that waits is still told.
  ~audit_anchor_sink();

  /// Of any thread; does not wait.
  void put(const audit_anchor& a);
  /// Waits until nothing is to be told any more.
  void flush();
  counts status() const;

private:
  void run();

  std::function<result<void>(std::string)> tell_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<audit_anchor> next_;
  bool busy_ = false;
  bool over_ = false;
  counts counts_;
  std::thread thread_;
};

} // namespace troupe
