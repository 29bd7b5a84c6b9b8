#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <deque>
#include <optional>
#include <vector>

#include "actors/decode_batch.hpp"
#include "actors/node_options.hpp"
#include "actors/protocol/interfaces.hpp"
#include "core/kv/prefix_index.hpp"
#include "core/serving/step_plan.hpp"

namespace troupe {

/// What a mixed node knows and does; outputs pile up until they are taken.
class mixed_state {
public:
  static constexpr const char* name = "mixed_node";

  mixed_state() = default;

  void init(node_options opts);

  void submit(prefill_job job);
  void cancel(const cancel_sequence& m);

  /// A gateway is gone.
  void peer_down(const caf::actor_addr& peer);

  /// One token for each sequence that generates, and a chunk of prompts.
  void step();

  bool has_step() const { return batch_->size() + admitted_ > 0; }
  node_status status() const;
  routed_outputs take_outputs() { return std::exchange(out_, {}); }

  /// Prompts that wait for blocks at most.
  static constexpr size_t max_waiting = 4096;

private:
  struct prompt {
    sequence_spec spec;
    stream_actor stream;
    std::vector<token_id> tokens; ///< prompt and emitted
    page_table table;             ///< blocks for the whole answer
    uint32_t cached = 0;          ///< tokens that were found, not computed
    bool over = false;            ///< computed, or failed
  };
  /// Tokens of prompts_[index] that are being computed.
  struct chunk {
    size_t index = 0;
    uint32_t tokens = 0;
  };

  result<void> accept(const sequence_spec& spec) const;
  void admit();
  template <class Predicate>
  void erase_if(Predicate gone);
  bool comes_anyway(const prompt& p) const;
  void plan(step_plan budget);
  void first_token(prompt& p, std::span<const float> logits);
  void keep(decoding s);

  node_options opts_;
  step_limits limits_;
  std::optional<block_pool> pool_;
  std::optional<prefix_index> index_;
  std::optional<decode_batch> batch_;
  fused_sampler sampler_;
  /// Not wholly computed yet, oldest first; nobody overtakes. The first
  /// `admitted_` have their blocks.
  std::deque<prompt> prompts_;
  size_t admitted_ = 0;
  std::vector<chunk> chunks_;   ///< of the step under way
  std::vector<batch_row> rows_; ///< the same, for the engine
  routed_outputs out_;
  uint64_t hit_tokens_ = 0;
};

static_assert(!std::is_aggregate_v<mixed_state>);

/// Behaviour of a mixed node; spawn it detached, it computes.
mixed_actor::behavior_type
mixed_node(mixed_actor::stateful_pointer<mixed_state> self, node_options opts);

} // namespace troupe
