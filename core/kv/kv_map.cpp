#include "core/kv/kv_map.hpp"

#include <algorithm>

namespace troupe {

void kv_map::add(request_id request, const page_table& table) {
  using enum kv_run::kind;
  for (uint32_t i = 0; i < table.blocks(); ++i) {
    auto& lease = table.lease(i);
    if (auto slot = arena_.slot_of(lease.ref()))
      blocks_.push_back({request, *slot, 1, lease.shared() ? shared : held});
  }
}

void kv_map::add(const prefix_index& index) {
  index.for_each([this](const block_lease& lease) {
    if (lease.shared())
      return;
    if (auto slot = arena_.slot_of(lease.ref()))
      blocks_.push_back({0, *slot, 1, kv_run::kind::kept});
  });
}

std::vector<kv_run> kv_map::runs(size_t most) {
  std::ranges::stable_sort(blocks_, {}, &kv_run::first);
  auto all = std::vector<kv_run>{};
  for (auto& b : blocks_) {
    auto* last = all.empty() ? nullptr : &all.back();
    auto end = last ? last->first + last->blocks : 0;
    if (last && b.first < end)
      continue; // another one's already
    if (last && b.first == end && b.request == last->request
        && b.what == last->what)
      ++last->blocks;
    else if (all.size() < most)
      all.push_back(b);
    else
      break;
  }
  return all;
}

} // namespace troupe
