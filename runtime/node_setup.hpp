#pragma once

#include <caf/fwd.hpp>

#include <map>
#include <memory>

#include "actors/local_ranks.hpp"
#include "runtime/runtime.hpp"

namespace troupe {

/// What the nodes of one process have in common, made of a runtime's options
/// and its model.
class node_setup {
public:
  node_setup(const runtime_options& options,
             std::shared_ptr<const model> weights);

  /// A KV store for the nodes, if the options want one. Errors: io_error.
  result<void> start_store(caf::actor_system& system);

  /// What the nodes of these plans need to have ranks. invalid_argument,
  /// unsupported, if the model or the options do not allow them.
  result<void> prepare_ranks(const std::vector<node_plan>& plans);

  node_options node(const node_plan& plan, node_id id, node_role role) const;

  /// The same, with its ranks started if the plan wants some.
  node_options start_node(caf::actor_system& system, const node_plan& plan,
                          node_id id, node_role role) const;

  const kv_layout& layout() const { return layout_; }
  const kv_store_actor& store() const { return store_; }
  void forget_store() { store_ = nullptr; }

private:
  runtime_options options_;
  std::shared_ptr<const model> weights_;
  kv_layout layout_;
  std::shared_ptr<block_arena> arena_;
  kv_store_actor store_;
  std::map<std::pair<rank_kind, uint32_t>, rank_setup> ranks_;
};

/// How many ranks a node has, and how they share a step.
struct rank_choice {
  rank_kind kind = rank_kind::tensor;
  uint32_t ranks = 1;
};
rank_choice ranks_of(const runtime_options& options, const node_plan& plan);

/// How nodes keep the model's KV.
kv_layout layout_of(const runtime_options& options, const model& weights);

/// Of the processors that compute the same bits.
inline constexpr auto isa_class = "x86_64";

/// Fills in what is 0 for "the default", and rounds. Errors: invalid_argument.
result<runtime_options> completed(runtime_options options);

/// What all nodes that a sequence may come to have to be the same in, beside
/// the KV's layout: "DIGEST:i8",
/// of two ranks and more "DIGEST:i8:2".
std::string fingerprint(const model& weights, activation_type activations,
                        uint32_t tensor_ranks = 1);

} // namespace troupe
