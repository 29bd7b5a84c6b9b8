#include "core/parallel/partition.hpp"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <string>

namespace troupe {

namespace {

/// How many in a row of things of `size` values end on a multiple of `block`.
uint32_t unit_of(uint32_t block, uint32_t size) {
  return block / std::gcd(block, size);
}

} // namespace

part part_of(uint32_t total, uint32_t ranks, uint32_t rank, uint32_t unit) {
  assert(total % unit == 0 && rank < ranks);
  auto units = total / unit;
  auto each = units / ranks;
  auto more = units % ranks;
  return {(rank * each + std::min(rank, more)) * unit,
          (each + (rank < more ? 1 : 0)) * unit};
}

result<head_part> heads_of(const hparams& p, uint32_t ranks, uint32_t rank,
                           uint32_t block) {
  auto group = p.heads / p.kv_heads;
  auto size = p.values_of_head();
  auto refuse = [&] {
    return fail(errc::invalid_argument,
                std::to_string(p.heads) + " heads of " + std::to_string(size)
                    + " values, " + std::to_string(group)
                    + " to each KV head, cannot be split over "
                    + std::to_string(ranks) + " ranks on blocks of "
                    + std::to_string(block) + " values");
  };
  if (ranks == 0 || ranks > p.heads)
    return refuse();
  auto groups = unit_of(block, group * size);
  if (p.kv_heads % groups == 0 && p.kv_heads / groups >= ranks) {
    auto kv = part_of(p.kv_heads, ranks, rank, groups);
    return head_part{{kv.first * group, kv.count * group}, kv};
  }
  auto unit = unit_of(block, size);
  if (p.kv_heads > ranks || group % unit != 0)
    return refuse();
  // Ranks r with r * kv_heads / ranks == head share it.
  auto first_rank_of = [&](uint32_t head) {
    return (head * ranks + p.kv_heads - 1) / p.kv_heads;
  };
  for (auto h = uint32_t{0}; h < p.kv_heads; ++h)
    if (first_rank_of(h + 1) - first_rank_of(h) > group / unit)
      return refuse();
  auto head = rank * p.kv_heads / ranks;
  auto first = first_rank_of(head);
  auto mine =
      part_of(group, first_rank_of(head + 1) - first, rank - first, unit);
  return head_part{{head * group + mine.first, mine.count}, {head, 1}};
}

} // namespace troupe
