#include "core/parallel/rank_kind.hpp"

#include "core/parallel/sequence_scatter.hpp"
#include "core/parallel/shard_plan.hpp"

namespace troupe {

result<std::vector<part>> kv_heads_of(const model& whole, rank_kind kind,
                                      uint32_t ranks) {
  auto& p = whole.params;
  if (kind == rank_kind::sequence)
    if (auto ok = sequence_scatter::check(p, ranks); !ok)
      return ok.failure();
  auto all = std::vector<part>{};
  for (auto r = uint32_t{0}; r < ranks; ++r) {
    if (kind == rank_kind::sequence) {
      all.push_back(heads_of(p, ranks, r)->kv);
      continue;
    }
    auto plan = plan_shard(whole, ranks, r);
    if (!plan)
      return plan.failure();
    all.push_back(p.mla.kv_rank > 0 ? part{0, 1} : plan->heads.kv);
  }
  return all;
}

} // namespace troupe
