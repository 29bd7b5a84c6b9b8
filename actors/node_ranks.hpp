#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "actors/node_options.hpp"
#include "core/engine/rank_leader.hpp"
#include "core/parallel/rank_kind.hpp"

namespace troupe {

/// A node's share in a group of ranks of which it is rank 0, for one life of
/// the node. The group ends with it.
class node_ranks {
public:
  node_ranks(rank_kind kind, std::shared_ptr<const model> weights,
             std::vector<part> heads, std::shared_ptr<collective> ranks,
             rank_leader::send tell)
      : kind_(kind), weights_(std::move(weights)), heads_(std::move(heads)),
        ranks_(std::move(ranks)), tell_(std::move(tell)) {}
  node_ranks(const node_ranks&) = delete;
  node_ranks& operator=(const node_ranks&) = delete;
  virtual ~node_ranks() = default;

  rank_kind kind() const { return kind_; }
  /// Rank 0's.
  const std::shared_ptr<const model>& weights() const { return weights_; }
  /// [ranks]: KV heads of each.
  const std::vector<part>& heads() const { return heads_; }
  collective& ranks() { return *ranks_; }
  const rank_leader::send& tell() const { return tell_; }

private:
  rank_kind kind_;
  std::shared_ptr<const model> weights_;
  std::vector<part> heads_;
  std::shared_ptr<collective> ranks_;
  rank_leader::send tell_;
};

/// The engine of a node, with those of its other ranks if it has some.
class node_engine {
public:
  node_engine(const node_options& o, uint32_t max_tokens);

  engine* operator->() { return &engine_; }
  const engine* operator->() const { return &engine_; }

private:
  std::shared_ptr<node_ranks> ranks_;
  std::unique_ptr<rank_leader> leader_;
  engine engine_;
};

} // namespace troupe
