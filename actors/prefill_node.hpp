#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "actors/formed_sampler.hpp"
#include "actors/node_ranks.hpp"
#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"
#include "actors/send_handoff.hpp"
#include "core/engine/mean_pool.hpp"
#include "core/kv/prefix_index.hpp"
#include "core/serving/node_load.hpp"

namespace troupe {

/// What a prefill node knows and does; messages to send pile up as effects.
class prefill_state {
public:
  static constexpr const char* name = "prefill_node";
  static constexpr bool runs_on_lent_threads = true;

  struct effects {
    std::vector<std::pair<kv_destination_actor, kv_message>> to_decode;
    /// Set beside a kv_offer in `to_decode`: what the offer travels with.
    std::map<seq_id, sequence_spec> specs;
    std::map<seq_id, stream_actor> streams;
    routed_outputs outputs;
    std::optional<drained> empty; ///< nothing is left, while draining
  };

  prefill_state() = default;

  void init(node_options opts);

  // -- handoff ----------------------------------------------------------------

  void submit(prefill_job job, time_point now);
  void cancel(const cancel_sequence& m);
  /// `from` is whoever granted.
  void on(const kv_grant& m, const kv_destination_actor& from, time_point now);
  void on(const kv_credit& m, time_point now);
  void on(const kv_accepted& m);
  void on(const kv_abort& m);

  /// No new work from now on. Answered in `effects::empty`, once the last
  /// handoff is over.
  void drain();

  /// Looks at the handoffs' deadlines.
  void tick(time_point now);

  /// A decode node or a gateway is gone.
  void peer_down(const caf::actor_addr& peer);

  // -- compute: a few layers of one chunk of the prompt that is next ----------

  /// If no chunk is under way: takes blocks, offers the sequence to its decode
  /// node, and starts on its next chunk.
  void begin_step(time_point now);
  /// The long part, the next layers or the logits; nothing is sent meanwhile.
  void compute();
  /// Hands over what was computed since `began`.
  void end_step(time_point began, time_point now);

  /// Why this node computes nothing any more: a rank was lost. Or null.
  const error* failure() const { return (*engine_)->failure(); }

  bool has_step() const;
  bool has_handoffs() const { return !jobs_.empty(); }
  node_status status(const status_query& q) const;
  node_load load() const;
  effects take_effects();

  /// For a person who looks at a replay.
  void tell(state_writer& w) const;

private:
  struct job {
    prefill_job what;
    std::vector<token_id> tokens; ///< prompt and emitted
    page_table table;
    uint32_t cached = 0; ///< tokens that were found, not computed
    uint32_t overtaken = 0;
    time_point arrived = {};
    time_point begun = {};           ///< its first chunk
    std::optional<kv_sender> sender; ///< none if it is embedded
    mean_pool pooled;                ///< of its tokens so far, if it is
  };
  using job_map = std::map<seq_id, job>;
  /// The chunk under way. Its job is there as long as it is: whatever ends the
  /// job meanwhile drops the engine's step.
  struct chunk {
    seq_id seq = 0;
    uint32_t first = 0;
    uint32_t count = 0;
    bool last = false;
    uint32_t at_once = 1; ///< layers computed between two looks at messages
    uint32_t pushed = 0;  ///< layers handed over
    uint32_t computed = 0;
    duration took = {};
    /// Once all layers are computed.
    std::optional<std::span<const float>> logits;
  };

  void enqueue(seq_id seq, job& j);
  /// Whose chunk is next; null: nobody's, for now.
  const seq_id* next() const;
  void start(job& j, time_point now);
  bool take_blocks(job& j, time_point now);
  void push(job& j, uint32_t first_block, uint32_t blocks, uint32_t first_layer,
            uint32_t layers, time_point now);
  uint32_t layers_at_once(uint32_t blocks) const;
  void pool_chunk(job& j, const chunk& c);
  void finish_prefill(job& j, std::span<const float> logits, time_point now);
  void send(job& j, kv_outbox box);
  void drop(job_map::iterator i, errc code, const std::string& reason);
  void erase(job_map::iterator i);
  void settle(seq_id seq);
  job* find(seq_id seq, epoch_t epoch);
  void fail(const prefill_job& j, const error& e);
  void fail_and_drop(seq_id seq, const error& e);

  node_options opts_;
  std::optional<node_engine> engine_;
  std::optional<block_pool> pool_;
  std::optional<prefix_index> index_;
  std::optional<formed_sampler> sampler_;
  job_map jobs_;
  /// Not wholly computed yet. Those whose clients have tokens already, and see
  /// a pause, before new ones, else oldest first. The first, if it waits for
  /// blocks, gets them next.
  std::deque<seq_id> queue_;
  std::optional<chunk> chunk_;
  effects out_;
  latency_predictor predictor_;
  bool draining_ = false;
  std::optional<drained> drained_; ///< owed
  uint64_t steps_ = 0;
  uint64_t hit_tokens_ = 0;
};

static_assert(!std::is_aggregate_v<prefill_state>);

/// Behaviour of a prefill node; spawn it detached, it computes.
prefill_actor::behavior_type
prefill_node(actor_pointer<prefill_actor, prefill_state> self,
             node_options opts);

} // namespace troupe
