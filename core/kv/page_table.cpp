#include "core/kv/page_table.hpp"

namespace troupe {

bool page_table::grow(block_pool& pool, uint32_t tokens) {
  auto need = kv_layout::blocks_for(tokens);
  if (need <= blocks())
    return true;
  auto leases = pool.take(need - blocks());
  if (!leases)
    return false;
  for (auto& lease : *leases)
    blocks_.push_back(std::move(lease));
  return true;
}

void page_table::back(uint32_t tokens) {
  // Blocks get memory in order, so only the tail can lack it.
  for (auto i = kv_layout::blocks_for(tokens); i-- > 0;) {
    if (blocks_[i].has_memory())
      return;
    blocks_[i].materialise();
  }
}

} // namespace troupe
