#pragma once

#include <optional>
#include <set>
#include <vector>

#include "core/serving/token_stream.hpp"
#include "tests/support/core/handoff_world.hpp"

namespace troupe::testing::world {

/// One request. The rules of actors/session*.cpp, but that it never gives up.
class session {
public:
  session(context& c, seq_id seq, uint32_t prompt, uint32_t max_tokens);

  /// Where it may run is for the world to say.
  bool wants_place() const { return !where_ && !ended_; }
  void place(actor prefill, actor decode);
  void cancelled();

  void receive(const envelope& e);

  uint32_t ends() const { return ends_; }
  bool ended() const { return ended_; }
  bool complete() const {
    return stream_.ready() == tokens_of(spec_.seq, spec_.max_tokens);
  }
  bool was_cancelled() const { return was_cancelled_; }
  size_t tokens() const { return stream_.ready().size(); }
  seq_id seq() const { return spec_.seq; }

private:
  struct placed {
    actor prefill = 0;
    actor decode = 0; ///< 0: none beside
  };

  void take(const output& o);
  void take(const moved& m, actor from);
  bool lost(actor peer) const;
  void leave();
  void end();

  context* c_;
  spec spec_;
  token_stream stream_;
  std::optional<placed> where_;
  actor holder_ = 0;
  epoch_t held_since_ = 0;
  bool decoding_ = false;
  uint32_t placements_ = 0;
  uint32_t ends_ = 0;
  bool ended_ = false;
  bool was_cancelled_ = false;
};

} // namespace troupe::testing::world
