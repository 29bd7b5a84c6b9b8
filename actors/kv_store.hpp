#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"
#include "core/kv/fences.hpp"
#include "core/kv/kv_move.hpp"
#include "core/kv/store.hpp"
#include "core/model/model.hpp"

namespace troupe {

/// What a KV store is made of.
struct kv_store_options {
  node_id id = 0;
  /// Whose KV it keeps.
  std::shared_ptr<const model> weights;
  /// Shared by the nodes of one process, so that KV moves by reference.
  std::shared_ptr<block_arena> arena;
  /// KV blocks in memory.
  uint32_t blocks = 0;
  /// Where more go; null: nowhere. See open_nameless_file.
  std::shared_ptr<random_access_file> file;
  /// Blocks in it at most.
  uint32_t file_blocks = 0;
  handoff_timing timing;
};

/// What a KV store knows and does; messages to send pile up as effects.
class kv_store_state {
public:
  static constexpr const char* name = "kv_store";

  struct effects {
    std::vector<std::pair<kv_source_actor, kv_message>> to_source;
    std::vector<std::pair<kv_destination_actor, kv_message>> to_destination;
    /// Set beside a kv_offer in `to_destination`.
    std::map<seq_id, sequence_spec> specs;
    std::map<seq_id, stream_actor> streams;
  };

  kv_store_state() = default;

  void init(kv_store_options opts);

  // -- in: `from` is whoever sent the message ---------------------------------

  void on(const handoff_offer& m, time_point now);
  void on(const kv_chunk& m, const kv_source_actor& from, time_point now);
  void on(const kv_commit& m, const kv_source_actor& from, time_point now);

  // -- out --------------------------------------------------------------------

  void on(const fetch_sequence& m, time_point now);
  void on(const kv_grant& m, const kv_destination_actor& from, time_point now);
  void on(const kv_credit& m, const caf::actor_addr& from, time_point now);
  void on(const kv_accepted& m, const caf::actor_addr& from);

  // -- either -----------------------------------------------------------------

  void on(const kv_abort& m, const caf::actor_addr& from);
  void cancel(const cancel_sequence& m);

  /// Looks at the handoffs' deadlines.
  void tick(time_point now);

  /// A node or a gateway is gone.
  void peer_down(const caf::actor_addr& peer);

  bool has_handoffs() const;
  node_status status() const;
  effects take_effects() { return std::exchange(out_, {}); }

  /// For a person who looks at a replay.
  void tell(state_writer& w) const;

private:
  struct incoming {
    handoff_offer what;
    kv_receiver receiver;
    uint32_t reserved = 0; ///< blocks
  };
  /// A sequence on its way to a node.
  struct outgoing {
    kv_destination_actor to;
    kv_move move;
  };
  /// A stored sequence; its KV is in `store_`.
  struct entry {
    sequence_spec spec; ///< in the epoch in which it was stored
    uint32_t tokens = 0;
    kv_source_actor owner;
    bool owner_gone = false;
    stream_actor stream;
    epoch_t last_sent = 0; ///< epoch of the last attempt to send it on
    std::optional<outgoing> on_its_way;
  };
  using incoming_map = std::map<seq_id, incoming>;
  using entry_map = std::map<seq_id, entry>;

  bool known(const handoff_offer& m, time_point now);
  result<void> open(const handoff_offer& m, time_point now);
  void make_room_for(incoming& in, const kv_chunk& m);
  void after(incoming_map::iterator i, kv_outbox box);
  void keep(incoming_map::iterator i);
  void answer_late(seq_id seq, epoch_t epoch, bool commit,
                   const kv_source_actor& from);
  incoming_map::iterator find(seq_id seq, epoch_t epoch,
                              const caf::actor_addr& from);
  void refuse(const handoff_offer& m, const error& e);
  void forget(seq_id seq, epoch_t epoch);

  entry_map::iterator find_sent(seq_id seq, epoch_t epoch,
                                const caf::actor_addr& from);
  void start(entry& e, const page_table& table, const kv_destination_actor& to,
             time_point now);
  void send(entry& e, kv_outbox box);
  void tick_outgoing(time_point now);
  void stay(entry_map::iterator i);
  void drop(entry_map::iterator i);

  kv_store_options opts_;
  std::optional<sequence_store> store_;
  incoming_map incoming_;
  entry_map entries_;
  uint32_t outgoing_ = 0; ///< entries on their way
  fences over_;
  uint64_t refused_ = 0;
  effects out_;
};

static_assert(!std::is_aggregate_v<kv_store_state>);

/// Behaviour of a KV store; spawn it detached, it reads and writes files.
kv_store_actor::behavior_type
kv_store(actor_pointer<kv_store_actor, kv_store_state> self,
         kv_store_options opts);

} // namespace troupe
