#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"
#include "actors/version_desk.hpp"
#include "core/base/result.hpp"
#include "core/serving/model_versions.hpp"

namespace troupe {

struct model_manager_options {
  /// What there is at the beginning: restored, or with the version that is
  /// loaded already. Null: nothing, and nobody but the manager has it.
  std::shared_ptr<version_desk> desk;
  /// Added to the actor's time it is Unix time.
  duration unix_offset = {};
  /// Decides which keys a canary gets; each rollout counts on from it.
  uint64_t seed = 0;
  /// Null: nothing can be loaded.
  version_host_actor host;
  /// Hears of each step; null: nobody does.
  auditor_actor audit;
};

/// The versions of a model, and whose request is on which.
class model_manager_state {
public:
  static constexpr const char* name = "model_manager";

  model_manager_state() = default;

  void init(model_manager_options opts);

  // -- requests ---------------------------------------------------------------

  /// Errors: no_node. `session` has it until it says how it ended, or dies.
  result<routed_version> route(const route_version& m,
                               const caf::actor_addr& session);
  void done(const version_done& m, const caf::actor_addr& session,
            time_point now);
  void down(const caf::actor_addr& session, time_point now);

  // -- commands ---------------------------------------------------------------

  result<version_started> load(const load_version& m, time_point now);
  result<versions_status> command(const version_command& m, time_point now);
  versions_status status() const;

  void on(const version_report& m, time_point now);
  void tick(time_point now);

  /// What the host is to do, since the last call.
  std::vector<version_order> take_orders();
  /// The state, if it has changed in a way that should outlive the process.
  std::optional<keep_versions> take_state(time_point now);
  /// Steps since the last call that the audit log is to hold.
  std::vector<audit_record> take_records() {
    return std::exchange(records_, {});
  }

  static constexpr auto most_notes = size_t{200};

private:
  void note_events();

  std::shared_ptr<version_desk> desk_;
  duration unix_offset_ = {};
  uint64_t seed_ = 0;
  std::deque<version_note> notes_; ///< the last ones
  std::vector<audit_record> records_;
  std::map<caf::actor_addr, model_versions::ticket> sessions_;
  bool audited_ = false;
  bool changed_ = false;
  std::optional<time_point> kept_; ///< when the state was given out last
};

static_assert(!std::is_aggregate_v<model_manager_state>);

/// Behaviour of the model manager: decides at every request's end, and once a
/// second, and has the host do what follows.
model_manager_actor::behavior_type
model_manager(actor_pointer<model_manager_actor, model_manager_state> self,
              model_manager_options opts);

} // namespace troupe
