#include "actors/node_ranks.hpp"

namespace troupe {

namespace {

std::unique_ptr<rank_leader> leader_for(const node_options& o) {
  if (!o.ranks)
    return nullptr;
  return std::make_unique<rank_leader>(o.arena->layout(), o.ranks->heads(),
                                       o.ranks->tell());
}

engine_options options_for(const node_options& o, uint32_t max_tokens,
                           rank_leader* leader) {
  auto e = engine_options{};
  e.threads = o.threads;
  e.max_tokens_per_step = max_tokens;
  e.activations = o.activations;
  if (!o.ranks)
    return e;
  e.leader = leader;
  if (o.ranks->kind() == rank_kind::sequence) {
    e.sequence_ranks = &o.ranks->ranks();
  } else {
    e.tensor_ranks = &o.ranks->ranks();
    e.whole = o.weights.get();
  }
  return e;
}

} // namespace

node_engine::node_engine(const node_options& o, uint32_t max_tokens)
    : ranks_(o.ranks), leader_(leader_for(o)),
      engine_(o.ranks ? o.ranks->weights() : o.weights,
              options_for(o, max_tokens, leader_.get())) {}

} // namespace troupe
