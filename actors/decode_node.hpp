#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "actors/decode_batch.hpp"
#include "actors/node_options.hpp"
#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"
#include "core/engine/mean_pool.hpp"
#include "core/kv/fences.hpp"
#include "core/kv/kv_move.hpp"
#include "core/kv/prefix_index.hpp"
#include "core/serving/batch_controller.hpp"
#include "core/serving/node_load.hpp"
#include "core/serving/output_pace.hpp"
#include "core/serving/schedule_view.hpp"
#include "core/serving/step_plan.hpp"
#include "core/serving/waiting_line.hpp"

namespace troupe {

/// What a decode or mixed node knows and does; messages to send pile up as
/// effects. A sequence is in one place at a time:
///
///     line (a prompt, an offer, or parked in the store)
///       -> prefilling or incoming -> batch -> outgoing -> elsewhere, or parked
///
/// but that it stays in the batch while a move copies its full blocks ahead.
class decode_state {
public:
  static constexpr const char* name = "decode_node";
  static constexpr bool runs_on_lent_threads = true;

  struct effects {
    /// `holder` is this node, whoever sends it.
    std::vector<std::pair<stream_actor, sequence_moved>> moves;
    routed_outputs outputs;
    std::vector<std::pair<kv_source_actor, kv_message>> to_source;
    std::vector<std::pair<kv_destination_actor, kv_message>> to_destination;
    /// What offers in `to_destination` travel with.
    std::map<seq_id, sequence_spec> specs;
    std::map<seq_id, stream_actor> streams;
    /// To the store; a null `to` is this node.
    std::vector<fetch_sequence> fetches;
    std::vector<cancel_sequence> drops;
    /// How moves ended that were asked for.
    std::vector<std::pair<request_id, result<migrated>>> migrations;
    std::optional<drained> empty;
    std::optional<schedule_view> view;

    /// Whether there is nothing but outputs, as after most steps.
    bool only_outputs() const {
      return moves.empty() && to_source.empty() && to_destination.empty()
             && fetches.empty() && drops.empty() && migrations.empty() && !empty
             && !view;
    }
  };

  decode_state() = default;

  void init(node_options opts);

  // -- work -------------------------------------------------------------------

  /// A prompt to compute here.
  void submit(prefill_job&& job, time_point now);
  void cancel(const cancel_sequence& m, time_point now);

  /// A node, a gateway or the store is gone.
  void peer_down(const caf::actor_addr& peer, time_point now);

  /// Looks at the handoffs' deadlines.
  void tick(time_point now);

  // -- as a destination: `from` is whoever sent the message -------------------

  void on(const handoff_offer& m, time_point now);
  void on(const kv_chunk& m, const kv_source_actor& from, time_point now);
  void on(const kv_commit& m, const kv_source_actor& from, time_point now);

  // -- as a source ------------------------------------------------------------

  void on(const kv_grant& m, const kv_destination_actor& from, time_point now);
  void on(const kv_credit& m, const caf::actor_addr& from, time_point now);
  void on(const kv_accepted& m, const caf::actor_addr& from, time_point now);

  // -- as either --------------------------------------------------------------

  void on(const kv_abort& m, const caf::actor_addr& from, time_point now);

  // -- moves ------------------------------------------------------------------

  /// Begins to move a sequence that generates here: full blocks first, the
  /// rest with the sequence stopped. Answered in `effects::migrations`.
  void migrate(request_id request, const kv_destination_actor& to,
               time_point now);

  /// No new work from now on; sequences move to `peers`, or are given back to
  /// their sessions. Answered in `effects::empty`.
  void drain(std::vector<kv_destination_actor> peers, time_point now);

  /// Gives up the blocks of a sequence that holds some; it comes back as the
  /// line allows. No effect on others.
  void on(const preempt_sequence& m, time_point now);

  /// What the preempt scheduler wants.
  void on(const schedule_plan& plan, time_point now);

  /// Nobody decides who comes in but the node itself.
  void without_scheduler(time_point now);

  // -- compute ----------------------------------------------------------------

  /// Before a step: copies blocks of sequences that move ahead, and stops
  /// those of which all are there. False: none moves.
  bool advance_moves(time_point now);

  /// One token for each sequence of the batch that has room for it, and a
  /// chunk of prompts.
  void step(time_point now);

  /// The last step took so long. What a batch controller wants to know of it.
  step_report stepped(duration took, time_point now);

  /// What a batch controller wants.
  void on(const batch_limits& limits);

  /// Whether tokens may wait here at all.
  bool keeps_tokens() const { return pace_.keeps_any(); }

  /// Whether the step that ended then, after so long, leaves nothing to send
  /// now: its tokens are kept for the next one to send with its own.
  bool keeps_outputs(time_point ended, duration took);

  /// Asks the scheduler, if there is something to decide and it owes no plan.
  void look(time_point now);

  /// Why this node computes nothing any more: a rank was lost. Or null.
  const error* failure() const { return batch_->failure(); }

  /// The last step computed prompts, so that some may be there.
  bool has_first_tokens() const { return !chunks_.empty(); }
  bool has_step() const {
    return !stuck_ && batch_->size() + prefilling_.size() > 0;
  }
  bool has_handoffs() const {
    return incoming_.size() + outgoing_.size() + parked_.size() > 0;
  }
  node_status status(const status_query& q) const;
  node_load load();
  effects take_effects();
  /// Only the outputs, if there is nothing else; takes less than all.
  std::optional<routed_outputs> take_outputs();

  /// Sequences that wait for blocks at most.
  static constexpr size_t max_waiting = 4096;
  /// Sequences that a scheduler sees at most.
  static constexpr size_t max_view = 512;
  /// Free blocks for each running sequence with which nothing is decided.
  static constexpr size_t calm_blocks = 8;
  /// Steps between two looks at how blocks lie in memory.
  static constexpr uint64_t compact_every = 256;
  /// Blocks that compaction copies after a step at most.
  static constexpr uint32_t compact_copies = 8;
  /// Memory given back after a step at most, and free blocks that keep theirs.
  static constexpr size_t trim_bytes = size_t{1} << 20;
  static constexpr uint32_t spare_blocks = 64;
  /// Bytes that moves copy ahead in one step at most.
  static constexpr size_t copy_ahead_bytes = size_t{1} << 20;

  /// For a person who looks at a replay.
  void tell(state_writer& w) const;

private:
  struct prompt {
    sequence_spec spec;
    stream_actor stream;
    std::vector<token_id> tokens; ///< prompt and emitted
    page_table table;
    uint32_t cached = 0; ///< tokens that were found, not computed
    bool over = false;   ///< computed, or failed
    int64_t arrival_ns = 0;
    int64_t begun_ns = 0; ///< its first chunk; 0: none yet
    mean_pool pooled;     ///< of its tokens so far, if it is embedded

    /// What others may have computed of it. Of one that is embedded every state
    /// is wanted, so all of it is computed.
    std::span<const token_id> shareable() const {
      return spec.embed ? std::span<const token_id>{} : std::span{tokens};
    }
  };
  /// Tokens of a prompt that are being computed.
  struct chunk {
    seq_id seq = 0;
    uint32_t tokens = 0;
    bool last = false;
  };
  struct offered {
    handoff_offer what;
    int64_t arrival_ns = 0;
  };
  struct incoming {
    handoff_offer what;
    kv_receiver receiver;
    int64_t arrival_ns = 0;
  };
  /// Its KV is in the store.
  struct parked {
    sequence_spec spec; ///< of the epoch under which it was stored
    std::vector<token_id> generated;
    stream_actor stream;
    int64_t arrival_ns = 0;
    bool fetching = false;
    time_point asked{};   ///< when it was last sent for
    uint32_t fetches = 0; ///< how often: so many epochs the store may have used
  };
  struct outgoing {
    request_id request = 0;
    kv_destination_actor to;
    kv_move move;
    bool swap = false; ///< to the store
    std::optional<decoding> stopped;
    time_point began{};
    time_point stopped_at{};
  };
  using incoming_map = std::map<seq_id, incoming>;
  using outgoing_map = std::map<seq_id, outgoing>;

  /// Something happened: nodes that had nothing to do look again.
  void stir() {
    stuck_ = false;
    news_ = true;
  }

  // the line
  result<void> accept(const sequence_spec& spec) const;
  prompt& enqueue(prompt&& p);
  void join_line(seq_id seq);
  bool may_enter() const;
  bool enter(seq_id seq, time_point now);
  void admit(time_point now);
  uint32_t blocks_to_start(seq_id seq) const;
  uint32_t room_for(const sequence_spec& spec, size_t tokens) const;
  uint32_t free_blocks() const;
  bool make_room(page_table& table);
  epoch_t newest(seq_id seq) const;
  void forget(seq_id seq, epoch_t epoch);

  // as a destination
  bool known(const handoff_offer& m, time_point now);
  bool open(const handoff_offer& m, int64_t arrival_ns, time_point now);
  void after(incoming_map::iterator i, kv_outbox box, time_point now);
  void join(incoming_map::iterator i, time_point now);
  void send(const kv_source_actor& to, kv_message m);
  void refuse(const handoff_offer& m, const error& e);
  void answer_late(seq_id seq, epoch_t epoch, bool commit,
                   const kv_source_actor& from);
  incoming_map::iterator find(seq_id seq, epoch_t epoch,
                              const kv_source_actor& from);

  // as a source
  outgoing* find_outgoing(seq_id seq, epoch_t epoch,
                          const caf::actor_addr& from);
  outgoing& begin_move(const decoding& s, const kv_destination_actor& to,
                       time_point now);
  void send(outgoing& o, const decoding& s, kv_outbox box);
  void swap_out(decoding s, time_point now);
  void recompute(decoding s);
  void unpark(seq_id seq);
  void tick_outgoing(seq_id seq, time_point now);
  void finish_move(outgoing& o, time_point now);
  void settle(seq_id seq, time_point now);
  void handed_over(outgoing_map::iterator i, time_point now);
  void keep_here(outgoing_map::iterator i, error why);
  void call_off(outgoing_map::iterator i, const error& why);
  void drop_outgoing(outgoing_map::iterator i, const error& why);
  void answer(request_id request, result<migrated> how);
  void give_back(const sequence_spec& spec, const stream_actor& stream,
                 const std::vector<token_id>& generated);
  void move_away(decoding& s, time_point now);

  void preempt(seq_id seq, preempt_way way, time_point now);
  void tell_preempted(const sequence_spec& spec, const stream_actor& stream,
                      put_away how);

  // compute
  bool comes_anyway(const prompt& p) const;
  void plan(step_plan budget, time_point now);
  void finish_chunk(const chunk& c, std::span<const float>& logits,
                    std::span<const float>& states);
  void first_token(prompt& p, std::span<const float> logits);
  void ended(decoding s);
  void tidy();
  void learn();
  void before_sending();
  void unstick(bool progress, time_point now);
  schedule_entry entry_of(const sequence_spec& spec, size_t generated,
                          int64_t arrival_ns) const;

  node_options opts_;
  step_limits limits_;
  std::optional<block_pool> pool_;
  std::optional<prefix_index> index_;
  std::optional<decode_batch> batch_;
  std::optional<formed_sampler> sampler_;

  std::map<seq_id, prompt> prompts_; ///< in the line, or prefilling
  std::map<seq_id, offered> offers_;
  std::map<seq_id, parked> parked_; ///< in the line, or on its way back
  waiting_line line_;               ///< for blocks
  std::deque<seq_id> prefilling_;   ///< prompts that have blocks, oldest first
  incoming_map incoming_;
  outgoing_map outgoing_;
  fences over_;

  std::vector<chunk> chunks_;   ///< of the step under way
  std::vector<batch_row> rows_; ///< the same, for the engine
  step_shape shape_;            ///< of the last step
  latency_predictor predictor_;
  duration unlearned_{};   ///< what that took, where it is yet to be recorded
  bool stuck_ = false;     ///< nothing can be computed until something comes
  bool scheduled_ = false; ///< a preempt scheduler answers
  bool view_pending_ = false; ///< it owes a plan
  bool news_ = false;         ///< something happened since the last view
  bool draining_ = false;
  drained drained_;
  std::vector<kv_destination_actor> peers_; ///< to which a drain moves
  size_t next_peer_ = 0;

  effects out_;
  output_pace pace_;
  size_t kept_ = 0; ///< outputs in `out_` that are kept from earlier steps
  schedule_view measured_; ///< what the next view reports
  uint64_t views_ = 0;
  uint64_t hit_tokens_ = 0;
  uint64_t swaps_ = 0;
  uint64_t recomputes_ = 0;
  uint64_t since_look_ = 0; ///< steps since one at how blocks lie
  bool compacting_ = false;
  bool trimming_ = false;
  uint64_t compacted_ = 0; ///< blocks copied by that
};

static_assert(!std::is_aggregate_v<decode_state>);

/// Behaviour of a decode node, or of a mixed one; spawn it detached, it
/// computes.
decode_actor::behavior_type
decode_node(actor_pointer<decode_actor, decode_state> self, node_options opts);

} // namespace troupe
