#include "actors/local_ranks.hpp"

#include <caf/all.hpp>

#include "actors/shard_worker.hpp"
#include "core/parallel/shared_ranks.hpp"
#include "core/parallel/tensor_shard.hpp"

namespace troupe {

namespace {

class local_ranks : public node_ranks {
public:
  local_ranks(const rank_setup& s, std::vector<part> heads,
              std::shared_ptr<collective> mine, std::vector<rank_actor> others)
      : node_ranks(s.kind, s.weights[0], std::move(heads), std::move(mine),
                   [others](uint32_t rank, rank_command c) {
                     caf::anon_send(others[rank - 1], std::move(c));
                   }),
        others_(std::move(others)) {}

  ~local_ranks() override {
    for (auto& o : others_)
      caf::anon_send_exit(o, caf::exit_reason::user_shutdown);
  }

private:
  std::vector<rank_actor> others_; ///< ranks 1, 2, …
};

} // namespace

result<rank_setup> set_up_ranks(std::shared_ptr<const model> whole,
                                rank_kind kind, uint32_t ranks, kv_dtype kv) {
  auto s = rank_setup{kind, std::move(whole), {}, kv};
  if (auto heads = kv_heads_of(*s.whole, kind, ranks); !heads)
    return heads.failure();
  for (auto r = uint32_t{0}; r < ranks; ++r) {
    if (kind == rank_kind::sequence) {
      s.weights.push_back(s.whole);
      continue;
    }
    auto shard = load_shard(s.whole, ranks, r);
    if (!shard)
      return shard.failure();
    s.weights.push_back(std::move(*shard));
  }
  return s;
}

std::shared_ptr<node_ranks> start_local_ranks(caf::actor_system& system,
                                              const rank_setup& setup,
                                              const node_options& o) {
  auto n = static_cast<uint32_t>(setup.weights.size());
  auto group = shared_ranks{n};
  auto others = std::vector<rank_actor>{};
  for (auto r = uint32_t{1}; r < n; ++r) {
    auto w = shard_worker_options{};
    w.kind = setup.kind;
    w.whole = setup.whole;
    w.weights = [weights = setup.weights[r]] { return result{weights}; };
    w.ranks = group.join(r);
    w.threads = o.threads;
    w.max_tokens = limits_of(o).most_tokens();
    w.activations = o.activations;
    w.kv = setup.kv;
    others.push_back(system.spawn<caf::detached>(shard_worker, std::move(w)));
  }
  return std::make_shared<local_ranks>(
      setup, *kv_heads_of(*setup.whole, setup.kind, n), group.join(0),
      std::move(others));
}

} // namespace troupe
