#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "actors/decode_batch.hpp"
#include "actors/fences.hpp"
#include "actors/node_options.hpp"
#include "actors/protocol/interfaces.hpp"

namespace troupe {

/// What a decode node knows and does; messages to send pile up as effects.
class decode_state {
public:
  static constexpr const char* name = "decode_node";

  struct effects {
    std::vector<std::pair<kv_source_actor, kv_message>> to_source;
    routed_outputs outputs;
  };

  decode_state() = default;

  void init(node_options opts);

  // -- handoff: `from` is whoever sent the message ----------------------------

  void on(const handoff_offer& m, time_point now);
  void on(const kv_chunk& m, const kv_source_actor& from, time_point now);
  void on(const kv_commit& m, const kv_source_actor& from, time_point now);
  void on(const kv_abort& m, const kv_source_actor& from, time_point now);
  void cancel(const cancel_sequence& m, time_point now);

  /// Looks at the handoffs' deadlines.
  void tick(time_point now);

  /// A prefill node or a gateway is gone.
  void peer_down(const caf::actor_addr& peer, time_point now);

  // -- compute ----------------------------------------------------------------

  /// One token for each sequence of the batch.
  void step();

  /// Lets in who fits now.
  void admit_waiting(time_point now);

  bool has_step() const { return batch_->size() > 0; }
  bool has_handoffs() const { return !incoming_.empty(); }
  node_status status() const;
  effects take_effects() { return std::exchange(out_, {}); }

  /// Offers that wait for blocks at most.
  static constexpr size_t max_waiting = 4096;

private:
  struct incoming {
    handoff_offer what;
    kv_receiver receiver;
  };
  using incoming_map = std::map<seq_id, incoming>;

  bool known(const handoff_offer& m, time_point now);
  bool open(const handoff_offer& m, time_point now);
  void forget(seq_id seq, epoch_t epoch);
  void after(incoming_map::iterator i, kv_outbox box, time_point now);
  void join(incoming_map::iterator i);
  void send(const kv_source_actor& to, kv_message m);
  void refuse(const handoff_offer& m, const error& e);
  void answer_late(seq_id seq, epoch_t epoch, bool commit,
                   const kv_source_actor& from);
  bool consistent(const kv_commit& m, const sequence_spec& spec) const;
  incoming_map::iterator find(seq_id seq, epoch_t epoch,
                              const kv_source_actor& from);

  node_options opts_;
  std::optional<block_pool> pool_;
  std::optional<decode_batch> batch_;
  std::deque<handoff_offer> waiting_; ///< for free blocks, oldest first
  incoming_map incoming_;
  fences over_;
  effects out_;
};

static_assert(!std::is_aggregate_v<decode_state>);

/// Behaviour of a decode node; spawn it detached, it computes.
decode_actor::behavior_type
decode_node(decode_actor::stateful_pointer<decode_state> self,
            node_options opts);

} // namespace troupe
