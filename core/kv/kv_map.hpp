#pragma once

#include <cstdint>
#include <tuple>
#include <vector>

#include "core/base/ids.hpp"
#include "core/kv/page_table.hpp"
#include "core/kv/prefix_index.hpp"

namespace troupe {

/// KV blocks side by side in memory that one request holds, or none.
struct kv_run {
  enum class kind : uint8_t {
    held,   ///< by one request alone
    shared, ///< by it and others, or kept as well
    kept,   ///< for prompts to come, and held by nobody
  };
  request_id request = 0; ///< 0: nobody's
  uint32_t first = 0;     ///< slot of the arena
  uint32_t blocks = 0;
  kind what = kind::held;
  auto fields() { return std::tie(request, first, blocks, what); }
};

/// Who holds which block of an arena, for a person to look at. Of what several
/// hold, whoever is added first counts.
class kv_map {
public:
  explicit kv_map(const block_arena& arena) : arena_(arena) {}

  /// Blocks without memory are left out.
  void add(request_id request, const page_table& table);
  /// Those that nobody holds.
  void add(const prefix_index& index);

  /// In order of their place, the first `most` of them.
  std::vector<kv_run> runs(size_t most);

private:
  const block_arena& arena_;
  std::vector<kv_run> blocks_; ///< of one block each
};

} // namespace troupe
