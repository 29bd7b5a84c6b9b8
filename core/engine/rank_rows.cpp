#include "core/engine/rank_rows.hpp"

#include <algorithm>

#include "core/parallel/partition.hpp"

namespace troupe {

namespace {

// Counts what each rank has of `some`, which are in order, and keeps this
// rank's, counted from its first row.
void keep_own(const collective& ranks, uint32_t tokens, uint32_t hidden,
              std::vector<uint32_t>& some, std::vector<size_t>& counts) {
  counts.assign(ranks.ranks(), 0);
  auto next = some.begin();
  for (auto r = uint32_t{0}; r < ranks.ranks(); ++r) {
    auto first = next;
    next = std::lower_bound(first, some.end(),
                            part_of(tokens, ranks.ranks(), r).end());
    counts[r] = static_cast<size_t>(next - first) * hidden;
  }
  auto own = part_of(tokens, ranks.ranks(), ranks.rank());
  std::erase_if(
      some, [&](uint32_t row) { return row < own.first || row >= own.end(); });
  for (auto& row : some)
    row -= own.first;
}

} // namespace

void keep_own_rows(const collective& ranks, uint32_t hidden, step_rows& rows,
                   std::vector<size_t>& wanted, std::vector<size_t>& pooled) {
  keep_own(ranks, rows.tokens(), hidden, rows.wanted, wanted);
  keep_own(ranks, rows.tokens(), hidden, rows.pooled, pooled);
  auto own = part_of(rows.tokens(), ranks.ranks(), ranks.rank());
  auto keep = [&](auto& all) {
    all.erase(all.begin() + own.end(), all.end());
    all.erase(all.begin(), all.begin() + own.first);
  };
  keep(rows.ids);
  keep(rows.positions);
}

} // namespace troupe
