#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "actors/embedder.hpp"
#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"
#include "actors/session.hpp"
#include "core/base/result.hpp"

namespace troupe {

struct gateway_options {
  registry_actor registry;
  /// Tokens of the model's vocabulary.
  uint32_t vocab = 0;
  /// Tokens that prompt and answer may have together.
  uint32_t context = 0;
  /// Any of these ends an answer.
  std::vector<token_id> end_tokens;
  /// Null: events carry tokens alone, and stop strings are refused.
  std::shared_ptr<const tokenizer> text;
  session_options session;
  /// Requests under way at a time; more are refused as `overloaded`.
  uint32_t max_sessions = 1024;
  /// Requests and sequences are numbered from here; gateways of one cluster
  /// must not share numbers.
  uint64_t first_id = 1;

  static constexpr size_t max_stop_strings = 16;
  static constexpr size_t max_stop_bytes = 1024;
};

/// What a gateway knows: which requests are under way, and for whom.
class gateway_state {
public:
  static constexpr const char* name = "gateway";

  gateway_state() = default;

  void init(gateway_options opts) {
    opts_ = std::move(opts);
    for_sessions_ = std::make_shared<const session_options>(opts_.session);
    next_seq_ = std::max<uint64_t>(1, opts_.first_id);
    next_id_ = first_unnamed + next_seq_;
    next_input_ = first_input | next_seq_;
  }

  /// Checks a request, numbers it where it has no number, and says what is to
  /// run. Errors: invalid_argument, context_exceeded, unsupported, overloaded.
  result<sequence_spec> admit(generate_request& r);
  /// The same; its inputs are numbered from what this returns.
  result<request_id> admit(embed_request& r);

  struct entry {
    session_actor session;
    client_actor client;
  };
  struct embed_entry {
    embedder_actor embedder;
    embed_client_actor client;
  };

  void started(request_id id, session_actor session, client_actor client);
  void started(request_id id, embedder_actor embedder,
               embed_client_actor client);

  /// Null if no such request is under way.
  const session_actor* find(request_id id) const;
  const embedder_actor* find_embedder(request_id id) const;

  template <class Visit>
  void for_each(Visit visit) const {
    for (auto& [id, e] : sessions_)
      visit(e.session);
  }

  /// A session or an embedder said goodbye.
  void done(request_id id);

  /// Whose request has lost its session or its embedder.
  struct orphan {
    request_id request = 0;
    client_actor client;
    embed_client_actor embed_client; ///< in place of `client`
  };

  /// One died: its request, if it had not said goodbye.
  std::optional<orphan> died(const caf::actor_addr& peer);

  const gateway_options& options() const { return opts_; }
  std::shared_ptr<const session_options> for_sessions() const {
    return for_sessions_;
  }

  /// Inputs are numbered from here, so that nobody who numbers requests of his
  /// own meets their numbers.
  static constexpr auto first_input = request_id{1} << 63;
  /// So are requests that come without a number.
  static constexpr auto first_unnamed = request_id{1} << 40;

  /// For a person who looks at a replay.
  void tell(state_writer& w) const;

private:
  result<void> check_room(request_id wanted) const;
  request_id unused_id();
  bool knows(request_id id) const {
    return sessions_.contains(id) || embedders_.contains(id);
  }

  gateway_options opts_;
  std::shared_ptr<const session_options> for_sessions_; ///< of `opts_`
  seq_id next_seq_ = 1;
  request_id next_id_ = first_unnamed;
  request_id next_input_ = first_input;
  std::map<request_id, entry> sessions_;
  std::map<request_id, embed_entry> embedders_;
  std::map<caf::actor_addr, request_id> by_address_;
};

static_assert(!std::is_aggregate_v<gateway_state>);

/// Behaviour of the gateway.
gateway_actor::behavior_type
gateway(actor_pointer<gateway_actor, gateway_state> self, gateway_options opts);

} // namespace troupe
