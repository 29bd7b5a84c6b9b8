#pragma once

#include <vector>

#include "core/kv/handoff.hpp"

namespace troupe {

/// Source side of the move of a sequence that has KV already. Either it stops
/// at once (`finish` right after `start`), or it goes on generating while its
/// full blocks are copied ahead, and stops for the rest: pre-copy, as in live
/// migration of virtual machines (Clark et al., NSDI 2005) and of sequences
/// (Sun et al., "Llumnix", OSDI 2024). Blocks are copied once: a full one is
/// never written again.
class kv_move {
public:
  kv_move(kv_offer offer, handoff_timing timing)
      : sender_(std::move(offer), timing) {}

  /// Sends the offer.
  void start(time_point now, kv_outbox& out) { sender_.start(now, out); }

  /// Copies up to `most` full blocks of `table` ahead, once the destination has
  /// granted the move. Returns how many.
  uint32_t copy_ahead(const page_table& table, uint32_t most, time_point now,
                      kv_outbox& out);

  /// All full blocks of `table` are in place at the destination, so that little
  /// is left to copy: it is time to stop.
  bool caught_up(const page_table& table) const;

  /// The sequence has stopped, at `table.length()` tokens: sends what is
  /// missing, and the commit.
  void finish(const page_table& table, std::vector<token_id> generated,
              time_point now, kv_outbox& out);

  kv_sender& sender() { return sender_; }
  const kv_sender& sender() const { return sender_; }
  epoch_t epoch() const { return sender_.offer().epoch; }

private:
  kv_sender sender_;
  uint32_t copied_ = 0; ///< blocks
};

} // namespace troupe
