#pragma once

#include <caf/node_id.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "actors/tracing/ring.hpp"
#include "core/base/result.hpp"

namespace troupe::tracing {

/// What is done with messages, in the whole process.
enum mode : uint32_t {
  recording = 1,
  payloads = 2,  ///< with all that replays need
  full_kv = 4,   ///< KV too
  replaying = 8, ///< see `seam`
};

/// 0: nothing is.
inline std::atomic<uint32_t> modes{0};

inline uint32_t mode_now() {
  return modes.load(std::memory_order_relaxed);
}

/// The rings of all threads of the process, and the names of its nodes.
class buffers {
public:
  static buffers& all();

  /// From now on messages are recorded. Errors: unsupported, if they are
  /// already, or if there is a replay.
  result<void> start(uint32_t how, size_t ring_bytes);
  void stop();

  /// Drawn for the life of the process.
  uint64_t process() const { return process_; }

  /// Counts recordings: what was told in an earlier one is told anew.
  uint32_t generation() const {
    return generation_.load(std::memory_order_relaxed);
  }

  /// A ring for the thread that asks, and a number for it.
  std::pair<std::shared_ptr<ring>, uint64_t> add_thread();

  /// The number of an actor system's name.
  uint32_t index_of(const caf::node_id& node);

  /// Appends all records that there are, thread by thread.
  void drain(raw_bytes& to);
  /// By this recording.
  uint64_t dropped();

  /// All names of nodes so far, in order of their numbers.
  std::vector<std::string> nodes();

private:
  buffers();
  uint64_t lost() const;

  std::mutex mutex_;
  uint64_t process_;
  std::atomic<uint32_t> generation_{0};
  size_t ring_bytes_ = size_t{16} << 20;
  std::vector<std::shared_ptr<ring>> rings_;
  uint64_t threads_ = 0;
  uint64_t dropped_ = 0; ///< of threads that are gone
  uint64_t before_ = 0;  ///< lost by earlier recordings
  std::vector<caf::node_id> nodes_;
};

} // namespace troupe::tracing
