#pragma once

#include <caf/node_id.hpp>

#include <cstdint>
#include <memory>
#include <vector>

#include "actors/tracing/buffers.hpp"
#include "core/base/bytes.hpp"
#include "core/trace/work_flags.hpp"

namespace troupe::tracing {

/// What one thread that runs actors has recorded, and what it is at. Lives as
/// long as the thread; others read its records only.
class thread_log {
public:
  thread_log();
  thread_log(const thread_log&) = delete;
  thread_log& operator=(const thread_log&) = delete;

  /// That of the calling thread.
  static thread_log& mine();
  /// Whether no thread handles a message.
  static bool all_idle();

  /// A record of `size` bytes, and what follows it; padded.
  void write(const void* record, uint32_t size, const_bytes extra);

  /// The next number of a handling, or of a message that leaves; none comes
  /// twice in a process.
  uint64_t next() { return base_ | ++last_; }

  /// The number of a node that messages are from, and of one that they go to:
  /// most are the same as before.
  uint32_t index_here(const caf::node_id& n) { return index(n, here_); }
  uint32_t index_there(const caf::node_id& n) {
    return n == here_.id ? here_.number : index(n, there_);
  }

  uint64_t current = 0;    ///< the handling under way; 0: none is
  std::vector<char> notes; ///< of it, after those of handlings around it
  std::vector<char> scratch;
  work_flags::flag works; ///< whether a handling is under way

private:
  struct known_node {
    caf::node_id id;
    uint32_t number = 0;
  };

  static uint32_t index(const caf::node_id& n, known_node& last);

  std::shared_ptr<ring> records_;
  uint64_t base_ = 0; ///< of its numbers
  uint64_t last_ = 0;
  known_node here_;
  known_node there_;
};

} // namespace troupe::tracing
