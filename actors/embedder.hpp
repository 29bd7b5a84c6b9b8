#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <optional>

#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"
#include "actors/session.hpp"

namespace troupe {

/// One request to embed: which of its inputs are under way, and which are done.
class embedder_state {
public:
  static constexpr const char* name = "embedder";

  embedder_state() = default;

  /// `first` numbers the sessions of the inputs, in their order: nobody else
  /// uses these numbers.
  void init(embed_request request, request_id first, session_options opts,
            time_point now);

  /// Reserves what all inputs use together. How it ends if its tenant's limits
  /// are against it; see session_state::reserve.
  std::optional<finish_event> reserve(time_point now);

  // -- version ----------------------------------------------------------------

  /// All inputs are on one version of the model: vectors of different ones
  /// cannot be compared. What the model manager has to be asked; nothing if the
  /// version is known.
  std::optional<route_version> wanted_version() const;
  void on(const routed_version& v) { version_.chosen(v); }
  /// Once, after the end.
  std::optional<version_done> take_verdict() {
    return version_.end(end_reason_, end_code_);
  }

  // -- inputs -----------------------------------------------------------------

  /// The next input's request; nothing if enough are under way, or none is
  /// left.
  std::optional<generate_request> next();

  struct reaction {
    std::optional<embedding_event> embedding;
    std::optional<finish_event> finish;
  };

  /// An input's session has ended.
  reaction take(const finish_event& e, time_point now);

  /// An input was not let in. If there were only too many requests, it waits
  /// until another one of these has ended.
  std::optional<finish_event> refused(request_id input, const error& why,
                                      time_point now);

  /// Ends the request, if it has not ended.
  std::optional<finish_event> finish(finish_reason reason, time_point now,
                                     error why = {});

  bool finished() const { return finished_; }
  request_id request() const { return request_.request; }
  const session_options& options() const { return opts_; }

  /// Inputs under way at a time: enough to fill the steps of a few nodes, few
  /// enough to let others in between.
  static constexpr uint32_t at_once = 16;

  /// For a person who looks at a replay.
  void tell(state_writer& w) const;

private:
  enum class phase : uint8_t { waiting, under_way, done };

  std::optional<uint32_t> index_of(request_id input) const;

  embed_request request_;
  request_id first_ = 0;
  session_options opts_;
  tenant_budget budget_;
  version_choice version_;
  std::vector<phase> inputs_; ///< [inputs]
  uint32_t first_waiting_ = 0;
  uint32_t under_way_ = 0;
  uint32_t most_ = at_once;
  uint32_t left_ = 0; ///< inputs that are not done
  bool finished_ = false;
  finish_reason end_reason_ = finish_reason::none;
  errc end_code_ = errc::none;
};

static_assert(!std::is_aggregate_v<embedder_state>);

/// Behaviour of an embedder. It ends itself after its one finish_event to
/// `client` and a session_done to `gateway`; sessions of inputs that are under
/// way then end with it, since it is their client.
embedder_actor::behavior_type
embedder(actor_pointer<embedder_actor, embedder_state> self,
         gateway_actor gateway, embed_client_actor client,
         embed_request request, request_id first, session_options opts);

} // namespace troupe
