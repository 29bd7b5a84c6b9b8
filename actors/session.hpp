#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <map>
#include <memory>
#include <optional>

#include "actors/audit_trail.hpp"
#include "actors/cache_turn.hpp"
#include "actors/form_grammar.hpp"
#include "actors/node_book.hpp"
#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"
#include "actors/request_path.hpp"
#include "actors/tenant_budget.hpp"
#include "actors/version_choice.hpp"
#include "core/base/time.hpp"
#include "core/serving/answer_stream.hpp"
#include "core/serving/request_place.hpp"
#include "core/text/tokenizer.hpp"

namespace troupe {

struct session_options {
  /// How long the registry may take.
  std::chrono::milliseconds patience{5000};
  /// Placements of one request before it is given up.
  uint32_t max_placements = 4;
  /// Wait before the second placement, unless the node is known to be gone, so
  /// that the registry can learn what the session knows already; doubled for
  /// each further one.
  std::chrono::milliseconds backoff{5};
  /// How long a request may wait while there is no node for it: those of a
  /// cluster come back.
  std::chrono::milliseconds node_patience{0};
  /// Until it asks again.
  std::chrono::milliseconds node_retry{50};
  /// What tenants may use, asked by each session directly; null: there are no
  /// limits. Sessions share it.
  std::shared_ptr<rate_limiter> limits;
  /// Nodes keep KV for prompts that begin alike: a request goes to one that has
  /// some of its own, if it can.
  bool prefix_cache = false;
  /// Which version of the model a request is on; null: there is one, 1.
  model_manager_actor versions;
  /// What the registry and the model manager keep. Sessions choose from it
  /// themselves, which saves a question and an answer each that a request's
  /// first token would wait for. These two are asked where it is null or has
  /// nothing to choose, and while messages are recorded, for replays.
  std::shared_ptr<node_book> nodes;
  std::shared_ptr<version_desk> desk;
  /// Where answers are kept; null: nowhere.
  response_cache_actor cache;
  /// Hears what each request went through; null: nobody does.
  profiler_actor profiler;
  /// Where decisions about requests are recorded; null: nowhere. None begins
  /// before its admission is durable.
  std::shared_ptr<const audit_sink> audit;
};

/// What a session is begun with. In one piece, so that it is handed on without
/// being moved member by member.
struct session_task {
  gateway_actor gateway;
  registry_actor registry;
  client_actor client;
  generate_request request;
  /// Complete but for its epoch.
  sequence_spec spec;
  /// May be null, then events carry tokens alone.
  std::shared_ptr<const tokenizer> text;
  /// Sessions share them.
  std::shared_ptr<const session_options> options;
};

/// One request: where it runs, which tokens its client has.
class session_state {
public:
  static constexpr const char* name = "session";

  session_state() = default;

  struct reaction {
    std::vector<token_event> tokens;
    std::optional<finish_event> finish;
    /// The node failed the sequence in a way that another might not.
    bool place_again = false;
  };

  void init(std::unique_ptr<session_task> task, time_point now);

  // -- limits -----------------------------------------------------------------

  /// Reserves what the request may use, once in its life, however often it is
  /// placed. How it ends if its tenant's limits are against it, that is
  /// overloaded, or invalid_argument if they always will be.
  std::optional<finish_event> reserve(time_point now);

  /// How the request ends if its answer's form is none, or cannot be kept to.
  std::optional<finish_event> check_form(time_point now);

  // -- version ----------------------------------------------------------------

  /// Whether the version is yet to be chosen, and what the model manager has to
  /// be asked then.
  bool wants_version() const { return version_.version() == 0; }
  route_version wanted_version() const {
    return version_choice::question(asked());
  }
  void on(const routed_version& v, time_point now);
  /// The same, without the manager. Errors: no_node.
  result<void> take_version(time_point now);
  /// Once, after the end.
  std::optional<version_done> take_verdict() {
    return version_.end(end_reason_, end_code_);
  }

  // -- cache ------------------------------------------------------------------

  /// What the response cache has to be asked; nothing if it can't help.
  std::optional<cache_lookup> cached_question(time_point now);
  /// What it says; a hit is taken as if a node had said it.
  reaction on(cache_reply r, time_point now);
  /// Once, after the end: what others who ask the same may have.
  std::optional<cache_fill> take_fill() {
    return cache_.fill(end_reason_, budget_.exhausted());
  }

  /// Once, after the end: what the request went through.
  std::optional<request_profile> take_profile(time_point now);

  /// Decisions since the last call that the audit log is to hold.
  std::vector<audit_record> take_records() { return trail_.take(); }

  // -- placement --------------------------------------------------------------

  /// The specification for the next placement: a new epoch, with all tokens
  /// emitted so far. Nullopt: too many placements already.
  std::optional<sequence_spec> next_placement(time_point now);

  /// So far.
  uint32_t placements() const { return place_.placements(); }

  /// What to ask the registry for.
  place_request wish() const;

  /// What can be used in place of the registry, and of the model manager; null:
  /// they have to be asked.
  node_book* nodes() const;
  version_desk* desk() const;

  void placed(placement where, time_point now);
  const std::optional<placement>& where() const { return where_; }
  std::optional<placement> take_where() {
    return std::exchange(where_, std::nullopt);
  }
  sequence_holder take_holder() { return std::exchange(holder_, nullptr); }

  /// How long to wait before the next placement.
  std::chrono::milliseconds backoff() const { return place_.backoff(); }

  /// There is no node for it now. False: it has waited long enough.
  bool wait_for_node(time_point now) { return place_.wait(now); }

  /// A node says that the sequence runs there now. False: it is none of this
  /// placement, and must go.
  bool moved(const sequence_moved& m, time_point now);
  /// Where it has moved to since it was placed; null: nowhere.
  const sequence_holder& holder() const { return holder_; }

  /// A node died. True if the request cannot go on where it is.
  bool lost(const caf::actor_addr& peer, time_point now);

  /// What went wrong with the last placement.
  const error& last_error() const { return place_.last_error(); }

  // -- tokens -----------------------------------------------------------------

  /// Takes what a node produced, of whatever epoch.
  reaction take(const sequence_output& o, time_point now);

  /// Ends the request, if it has not ended.
  std::optional<finish_event> finish(finish_reason reason, time_point now,
                                     error why = {});

  bool finished() const { return finished_; }
  /// Its prompt is all that is computed.
  bool embeds() const { return spec().embed; }
  request_id request() const { return asked().request; }
  const session_task& task() const { return *task_; }
  const session_options& options() const { return *task_->options; }
  /// Of this placement, wherever the sequence has moved since.
  cancel_sequence cancellation() const {
    return {spec().seq, last_move(spec().epoch)};
  }

  /// For a person who looks at a replay.
  void tell(state_writer& w) const;

private:
  std::optional<place_part> part_of(const caf::actor_addr& peer) const;
  reaction failed(const sequence_output& o, time_point now);
  std::optional<token_event> advance(time_point now, size_t most);
  reaction take_state(const sequence_output& o, time_point now);

  const generate_request& asked() const { return task_->request; }
  const sequence_spec& spec() const { return task_->spec; }

  std::unique_ptr<session_task> task_;
  tenant_budget budget_;
  version_choice version_;
  cache_turn cache_;
  request_path path_;
  audit_trail trail_;
  answer_stream answer_;
  form_check form_;
  std::string said_; ///< all of the text, where the form is to be checked
  request_place place_;
  std::optional<placement> where_;
  sequence_holder holder_;
  uint32_t cached_ = 0; ///< tokens of the prompt that were not computed
  bool finished_ = false;
  finish_reason end_reason_ = finish_reason::none;
  errc end_code_ = errc::none;
};

static_assert(!std::is_aggregate_v<session_state>);

/// Behaviour of a session. It ends itself after its one finish_event to the
/// client and a session_done to the gateway.
session_actor::behavior_type
session(actor_pointer<session_actor, session_state> self,
        std::unique_ptr<session_task> task);

} // namespace troupe
