#include "core/parallel/shard_plan.hpp"

#include <algorithm>
#include <string>

namespace troupe {

namespace {

/// The largest encoded blocks of matrices that are cut between columns; they
/// are all multiples of the smaller ones.
struct blocks {
  uint32_t attention = 1;
  uint32_t ffn = 1;
  uint32_t expert = 1;
  uint32_t shared = 1;
};

blocks blocks_of(const model& m) {
  auto b = blocks{};
  auto merge = [](uint32_t& into, const matrix_view& w) {
    if (!w.empty())
      into = std::max(into, block_values(w.type));
  };
  for (auto& l : m.w.layers) {
    merge(b.attention, l.wo);
    merge(l.experts.empty() ? b.ffn : b.shared, l.down);
    for (auto& e : l.experts)
      merge(b.expert, e.down);
  }
  return b;
}

result<part> columns(const char* what, uint32_t width, uint32_t block,
                     uint32_t ranks, uint32_t rank) {
  if (width % block != 0 || width / block < ranks)
    return fail(errc::invalid_argument,
                std::string{what} + " of " + std::to_string(width)
                    + " columns cannot be split over " + std::to_string(ranks)
                    + " ranks on blocks of " + std::to_string(block)
                    + " values");
  return part_of(width, ranks, rank, block);
}

} // namespace

result<shard_plan> plan_shard(const model& whole, uint32_t ranks,
                              uint32_t rank) {
  if (rank >= ranks)
    return fail(errc::invalid_argument, "rank " + std::to_string(rank) + " of "
                                            + std::to_string(ranks));
  auto& p = whole.params;
  auto b = blocks_of(whole);
  auto plan = shard_plan{rank, ranks, {}, {}, {}, {}, {}};
  auto heads = heads_of(p, ranks, rank, b.attention);
  if (!heads)
    return heads.failure();
  plan.heads = *heads;
  auto set = [&](part& to, const char* what, uint32_t width,
                 uint32_t block) -> result<void> {
    if (width == 0)
      return {};
    auto mine = columns(what, width, block, ranks, rank);
    if (!mine)
      return mine.failure();
    to = *mine;
    return {};
  };
  auto& e = p.experts;
  auto has_dense = e.count == 0 || e.leading_dense > 0;
  if (auto ok = set(plan.ffn, "a feed-forward", has_dense ? p.ffn : 0, b.ffn);
      !ok)
    return ok.failure();
  if (e.count > 0) {
    if (auto ok = set(plan.expert_ffn, "an expert", e.ffn, b.expert); !ok)
      return ok.failure();
    if (auto ok = set(plan.shared_ffn, "a feed-forward of shared experts",
                      e.shared * e.ffn, b.shared);
        !ok)
      return ok.failure();
  }
  if (auto ok = set(plan.tokens, "a vocabulary", p.vocab, 1); !ok)
    return ok.failure();
  return plan;
}

} // namespace troupe
