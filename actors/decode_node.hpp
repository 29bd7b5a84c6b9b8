#pragma once

#include <caf/stateful_actor.hpp>

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "actors/node_options.hpp"
#include "actors/protocol/interfaces.hpp"
#include "core/sampling/fused_sampler.hpp"

namespace troupe {

/// What a decode node knows and does; messages to send pile up in `out`.
class decode_state {
public:
  static constexpr const char* name = "decode_node";

  struct effects {
    std::vector<std::pair<kv_source_actor, kv_message>> to_source;
    std::vector<std::pair<stream_actor, sequence_output>> outputs;
  };

  decode_state() = default;

  void init(node_options opts);

  void on(const handoff_offer& m, time_point now);
  void on(const kv_chunk& m, time_point now);
  void on(const kv_commit& m, time_point now);
  void on(const kv_abort& m, time_point now);
  void cancel(const cancel_sequence& m, time_point now);

  /// One token for each sequence of the batch.
  void step(time_point now);

  /// Looks at the handoffs' deadlines.
  void tick(time_point now);

  /// The prefill node at `peer` is gone.
  void peer_down(const caf::actor_addr& peer, time_point now);

  bool has_step() const { return !running_.empty(); }
  bool has_handoffs() const { return !incoming_.empty(); }
  node_status status() const;
  effects take_effects() { return std::exchange(out_, {}); }

private:
  struct incoming {
    handoff_offer what;
    kv_receiver receiver;
  };
  struct running {
    sequence_spec spec;
    std::vector<token_id> generated; ///< over the whole answer
    page_table table;
    stream_actor stream;
  };
  using incoming_map = std::map<seq_id, incoming>;

  bool fenced(seq_id seq, epoch_t epoch) const;
  void fence(seq_id seq, epoch_t epoch);
  bool open(const handoff_offer& m, time_point now);
  void retry_waiting(time_point now);
  void forget(seq_id seq, epoch_t epoch);
  void after(incoming_map::iterator i, kv_outbox box, time_point now);
  void join(incoming_map::iterator i, time_point now);
  void refuse(const handoff_offer& m, const error& e);
  incoming_map::iterator find(seq_id seq, epoch_t epoch);

  node_options opts_;
  std::optional<engine> engine_;
  std::optional<block_pool> pool_;
  fused_sampler sampler_;
  std::deque<handoff_offer> waiting_; ///< for free blocks, oldest first
  incoming_map incoming_;
  std::deque<running> running_; ///< the front rows go into the next step
  /// Newest epoch cancelled or finished here, for late messages; bounded.
  std::map<seq_id, epoch_t> fences_;
  std::deque<seq_id> fence_order_;
  std::vector<batch_row> rows_;
  effects out_;
  uint64_t steps_ = 0;
  uint32_t largest_batch_ = 0;
};

static_assert(!std::is_aggregate_v<decode_state>);

/// Behaviour of a decode node; spawn it detached, it computes.
decode_actor::behavior_type
decode_node(decode_actor::stateful_pointer<decode_state> self,
            node_options opts);

} // namespace troupe
