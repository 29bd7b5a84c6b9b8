#pragma once

#include <caf/stateful_actor.hpp>

#include <memory>
#include <optional>

#include "actors/protocol/interfaces.hpp"
#include "core/serving/token_stream.hpp"
#include "core/text/stop_matcher.hpp"
#include "core/text/stream_decoder.hpp"
#include "core/text/tokenizer.hpp"

namespace troupe {

struct session_options {
  /// How long the registry may take.
  std::chrono::milliseconds patience{5000};
  /// Placements of one request before it is given up.
  uint32_t max_placements = 4;
};

/// One request: where it runs, which tokens its client has.
class session_state {
public:
  static constexpr const char* name = "session";

  session_state() = default;

  /// `spec` is complete but for its epoch; `text` may be null, then events
  /// carry tokens alone.
  void init(generate_request request, sequence_spec spec,
            std::shared_ptr<const tokenizer> text, session_options opts);

  /// The specification for the next placement: a new epoch, with all tokens
  /// emitted so far. Nullopt: too many placements already.
  std::optional<sequence_spec> next_placement();

  void placed(placement where) { where_ = std::move(where); }
  const std::optional<placement>& where() const { return where_; }
  std::optional<placement> take_where() {
    return std::exchange(where_, std::nullopt);
  }
  bool runs_on(const caf::actor_addr& peer) const;

  struct reaction {
    std::optional<token_event> tokens;
    std::optional<finish_event> finish;
    /// The node failed the sequence in a way that another might not.
    bool place_again = false;
  };

  /// Takes what a node produced.
  reaction take(const sequence_output& o);

  /// Ends the request, if it has not ended.
  std::optional<finish_event> finish(finish_reason reason, error why = {});

  bool finished() const { return finished_; }
  cancel_sequence cancellation() const { return {spec_.seq, spec_.epoch}; }

private:
  std::string decode(uint32_t first, uint32_t count, bool& stopped);

  generate_request request_;
  sequence_spec spec_;
  session_options opts_;
  std::shared_ptr<const tokenizer> text_;
  std::optional<stream_decoder> decoder_;
  std::optional<stop_matcher> stops_;
  token_stream stream_;
  std::vector<sampled> details_; ///< by position, if asked for
  /// The end that a node announced; it counts once all tokens are here.
  std::optional<std::pair<uint32_t, finish_reason>> end_;
  std::optional<placement> where_;
  uint32_t placements_ = 0;
  bool finished_ = false;
};

static_assert(!std::is_aggregate_v<session_state>);

session_actor::behavior_type
session(session_actor::stateful_pointer<session_state> self,
        gateway_actor gateway, registry_actor registry, client_actor client,
        generate_request request, sequence_spec spec,
        std::shared_ptr<const tokenizer> text, session_options opts);

} // namespace troupe
