#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.hpp"

namespace troupe {

/// Where a process keeps the KV of sequences that were preempted.
struct store_plan {
  /// KV blocks in memory; 0: the runtime's default.
  uint32_t blocks = 0;
  /// Holds a nameless file for more of them; empty: none.
  std::string directory;
  /// Blocks in that file at most.
  uint32_t file_blocks = 0;
};

/// One node of a process.
struct node_plan {
  /// Threads that compute, the node's own included; 0: the runtime's default.
  unsigned threads = 0;
  /// KV blocks the node may hold; 0: the runtime's default.
  uint32_t blocks = 0;
  /// Of these, blocks kept for prompts that begin alike; 0: none. Without it
  /// the runtime's default.
  std::optional<uint32_t> cache;
  /// Ranks that share the tokens of a step, for long prompts; each has the
  /// whole model, and `threads` threads. See docs/parallel.md.
  uint32_t sequence_ranks = 1;
  static constexpr uint32_t max_ranks = 64;
};

/// Which nodes a process runs; none at all: the runtime's default. Requests go
/// to a mixed node, or to a prefill and a decode node.
struct topology {
  std::vector<node_plan> prefill;
  std::vector<node_plan> decode;
  /// These do both.
  std::vector<node_plan> mixed;
  /// Without it preempted sequences are computed again.
  std::optional<store_plan> store = store_plan{};
  /// Most nodes of one role.
  static constexpr size_t max_nodes = 64;
};

/// Reads "2" (2 mixed nodes), "2x3" (2 prefill and 3 decode nodes), or else the
/// JSON file of that name: {"mixed": 1} or
/// {"prefill": 2, "decode": [{"threads": 1, "blocks": 512, "cache": 0}, {}]},
/// each role a number of nodes or a list of them; beside them
/// {"store": {"blocks": 512, "directory": "/var/tmp", "file_blocks": 4096}} or
/// {"store": false}. Errors name the file, the key
/// and what was expected there: io_error, bad_file.
result<topology> read_topology(const std::string& shape_or_path);

/// The JSON text itself; `name` stands for the file in errors.
result<topology> parse_topology(const std::string& text,
                                const std::string& name);

} // namespace troupe
