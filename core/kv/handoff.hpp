#pragma once

#include <limits>
#include <map>
#include <optional>
#include <vector>

#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/kv/handoff_messages.hpp"
#include "core/kv/page_table.hpp"

namespace troupe {

/// Digest of the chunk's bytes, wherever they lie, and of where they belong.
kv_digest digest_of(const kv_layout& layout, const kv_chunk& chunk);

/// Digest over the digests of all chunks, in order, and what a commit says
/// beside them.
kv_digest digest_of(const std::vector<kv_digest>& chunks,
                    const kv_commit& commit);

struct handoff_timing {
  /// What was sent and not answered for this long is sent again.
  duration resend = std::chrono::milliseconds{500};
  /// Without a sign of life of the destination for this long the source gives
  /// the handoff up. Must exceed the destination's longest step.
  duration lease = std::chrono::seconds{30};
  /// The same for the destination, whose source may compute for long between
  /// two messages. That peers die is noticed otherwise, and at once.
  duration compute_lease = std::chrono::minutes{5};
};

/// Source side of one handoff. Pure: messages and the time go in, messages to
/// send come out in an outbox. Copes with loss, repetition and reordering.
/// The caller keeps the sequence's blocks until `done()`.
class kv_sender {
public:
  enum class state : uint8_t { offered, sending, committing, done, failed };

  kv_sender(kv_offer offer, handoff_timing timing);

  /// Sends the offer. Chunks may be pushed before it is granted.
  void start(time_point now, kv_outbox& out);

  /// Queues layers [first_layer, +layers) of `table`'s blocks
  /// [first_block, +blocks) as chunks of at most `max_chunk_bytes` (but at
  /// least one layer of one block); they go out as credit allows. Those bytes
  /// must not change any more, and may be pushed once.
  void push(const page_table& table, uint32_t first_block, uint32_t blocks,
            uint32_t first_layer, uint32_t layers, time_point now,
            kv_outbox& out);

  /// No chunk will follow: commit once all are sent.
  void finish(uint32_t tokens, std::vector<token_id> emitted, time_point now,
              kv_outbox& out);

  void on(const kv_grant& m, time_point now, kv_outbox& out);
  void on(const kv_credit& m, time_point now, kv_outbox& out);
  void on(const kv_accepted& m);
  void on(const kv_abort& m);

  /// Resends what is overdue; gives up when the lease has run out.
  void tick(time_point now, kv_outbox& out);

  /// Ends the handoff and tells the peer. No effect once done or failed.
  void abort(errc code, std::string reason, kv_outbox& out);

  state now_in() const { return state_; }
  bool done() const { return state_ == state::done; }
  bool failed() const { return state_ == state::failed; }
  /// Why, when failed().
  const error& failure() const { return failure_; }
  /// When failed(): the commit was sent, and nothing says that the destination
  /// did not take the sequence over. It must not go on here.
  bool may_be_taken() const { return may_be_taken_; }
  const kv_offer& offer() const { return offer_; }
  /// Everything pushed so far is in place at the destination.
  bool idle() const { return acknowledged_count_ == chunks_.size(); }
  /// Chunks sent, resends not counted.
  uint32_t chunks_sent() const { return next_; }

  static constexpr size_t max_chunk_bytes = size_t{1} << 20;
  /// Whatever a destination grants, no more chunks are in flight.
  static constexpr uint32_t max_window = 64;

private:
  void queue(const page_table& table, uint32_t first_block, uint32_t blocks,
             uint32_t first_layer, uint32_t layers);
  void alive(time_point now);
  void failed_with(errc code, std::string reason);
  bool ours(seq_id seq, epoch_t epoch) const;
  bool over() const { return done() || failed(); }
  void pump(time_point now, kv_outbox& out);

  kv_offer offer_;
  handoff_timing timing_;
  state state_ = state::offered;
  error failure_;
  std::vector<kv_chunk> chunks_; // payload dropped once acknowledged
  std::vector<kv_digest> digests_;
  std::vector<bool> acknowledged_;
  uint32_t acknowledged_count_ = 0;
  uint32_t next_ = 0;   // first chunk never sent
  uint32_t window_ = 0; // chunks that may be unacknowledged
  std::optional<kv_commit> commit_;
  time_point last_progress_{};
  time_point last_send_{};
  uint32_t unanswered_ = 0; // resends since the last sign of life
  bool queued_ = false;     // the destination said that the offer waits
  bool may_be_taken_ = false;
};

/// Destination side of one handoff. Owns the blocks it reserved until the
/// sequence is taken from it; destroying it frees them. The caller opens one
/// receiver an epoch and remembers which epochs are over: a late offer of one
/// must not start it again.
class kv_receiver {
public:
  enum class state : uint8_t { receiving, accepted, failed };

  struct options {
    std::string model;
    uint32_t window = 4;
    handoff_timing timing;
    /// Blocks to reserve at once, within what is offered; more are taken as
    /// they arrive.
    uint32_t reserve = std::numeric_limits<uint32_t>::max();
  };

  /// Whether the offer is of this protocol, model and layout, and makes sense.
  /// layout_mismatch, invalid_argument.
  static result<void> check(const kv_offer& offer, const kv_layout& layout,
                            const std::string& model);

  /// Checks the offer and reserves blocks, at least those it will send as far
  /// as known. `no_free_blocks` may be tried again later, `layout_mismatch`
  /// may not.
  /// REQUIRES: `pool` outlives the receiver.
  static result<kv_receiver> open(const kv_offer& offer, block_pool& pool,
                                  options opts, time_point now, kv_outbox& out);

  /// A repeated offer: answers again.
  void on(const kv_offer& m, time_point now, kv_outbox& out);
  void on(const kv_chunk& m, time_point now, kv_outbox& out);
  void on(const kv_commit& m, time_point now, kv_outbox& out);
  void on(const kv_abort& m);
  void tick(time_point now, kv_outbox& out);
  void abort(errc code, std::string reason, kv_outbox& out);

  state now_in() const { return state_; }
  bool accepted() const { return state_ == state::accepted; }
  bool failed() const { return state_ == state::failed; }
  const error& failure() const { return failure_; }
  epoch_t epoch() const { return offer_.epoch; }
  seq_id seq() const { return offer_.seq; }

  /// The received KV; length() is the committed number of tokens, and whatever
  /// else was reserved follows. REQUIRES: accepted(), once.
  page_table take_table();
  const kv_commit& committed() const { return commit_; }

private:
  kv_receiver(kv_offer offer, options opts, block_pool& pool,
              std::vector<block_lease> leases, time_point now);
  bool ours(seq_id seq, epoch_t epoch) const;
  bool extend(uint32_t blocks);
  bool fits(const kv_chunk& m) const;
  void place(const kv_chunk& m);
  void alive(time_point now);
  void fail_with(errc code, std::string reason, kv_outbox& out);

  kv_offer offer_;
  options opts_;
  state state_ = state::receiving;
  error failure_;
  block_pool* pool_;
  std::vector<block_lease> leases_;
  std::map<uint32_t, kv_digest> received_; // by chunk index
  // Which layers of which block are in place: [leases * layers].
  std::vector<bool> filled_;
  std::optional<bool> by_reference_; // all chunks come the same way
  kv_commit commit_;
  std::optional<kv_commit> early_; // came before the last chunk
  time_point last_progress_{};
  bool suspect_ = false; // the lease ran out, noticed once
};

} // namespace troupe
