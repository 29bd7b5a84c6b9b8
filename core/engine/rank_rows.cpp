#include "core/engine/rank_rows.hpp"

#include <algorithm>

#include "core/parallel/partition.hpp"

namespace troupe {

void keep_own_rows(const collective& ranks, uint32_t hidden, step_rows& rows,
                   std::vector<size_t>& wanted) {
  wanted.assign(ranks.ranks(), 0);
  auto next = rows.wanted.begin();
  for (auto r = uint32_t{0}; r < ranks.ranks(); ++r) {
    auto first = next;
    next = std::lower_bound(first, rows.wanted.end(),
                            part_of(rows.tokens(), ranks.ranks(), r).end());
    wanted[r] = static_cast<size_t>(next - first) * hidden;
  }
  auto own = part_of(rows.tokens(), ranks.ranks(), ranks.rank());
  auto keep = [&](auto& all) {
    all.erase(all.begin() + own.end(), all.end());
    all.erase(all.begin(), all.begin() + own.first);
  };
  keep(rows.ids);
  keep(rows.positions);
  std::erase_if(rows.wanted, [&](uint32_t row) {
    return row < own.first || row >= own.end();
  });
  for (auto& row : rows.wanted)
    row -= own.first;
}

} // namespace troupe
