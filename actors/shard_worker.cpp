#include "actors/shard_worker.hpp"

#include <caf/all.hpp>

#include <optional>

#include "core/engine/rank_follower.hpp"

namespace troupe {

namespace {

class performer {
public:
  performer(rank_actor::pointer self, shard_worker_options opts)
      : self_(self), opts_(std::move(opts)) {
    auto weights = opts_.weights();
    if (!weights) {
      give_up(weights.failure());
      return;
    }
    auto e = engine_options{};
    e.threads = opts_.threads;
    e.max_tokens_per_step = opts_.max_tokens;
    e.activations = opts_.activations;
    if (opts_.kind == rank_kind::sequence) {
      e.sequence_ranks = opts_.ranks.get();
    } else {
      e.tensor_ranks = opts_.ranks.get();
      e.whole = opts_.whole.get();
    }
    follower_.emplace(std::move(*weights), e, opts_.kv);
  }

  void on(const rank_command& c) {
    if (!follower_)
      return;
    if (auto ok = follower_->on(c); !ok)
      give_up(ok.failure());
  }

private:
  void give_up(const error& why) {
    opts_.ranks->leave(why);
    if (opts_.failed)
      opts_.failed(why);
    follower_.reset();
    self_->quit();
  }

  rank_actor::pointer self_;
  shard_worker_options opts_;
  std::optional<rank_follower> follower_;
};

} // namespace

rank_actor::behavior_type shard_worker(rank_actor::pointer self,
                                       shard_worker_options opts) {
  auto p = std::make_shared<performer>(self, std::move(opts));
  return {[p](const rank_command& c) { p->on(c); }};
}

} // namespace troupe
