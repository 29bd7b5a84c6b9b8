#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/result.hpp"
#include "runtime/replay/actors.hpp"
#include "runtime/replay/script.hpp"

namespace troupe {

struct replay_options {
  /// Files of models; empty: those that the recording names.
  std::vector<std::string> models;
  /// Only actors of this kind, or only this one ("session", "session#12").
  std::string actor;
  /// Only actors that had to do with this request; 0: all.
  uint64_t request = 0;
  /// Stops before this message is handled.
  std::optional<uint32_t> until;
  /// Stops after a message of this type was handled.
  std::string break_on;
  /// Tells of each step.
  bool states = false;
};

/// One step, for whoever looks.
struct replay_look {
  uint32_t message = 0;
  std::string before; ///< the actor's state, in JSON
  std::string after;
};

/// Where a replay was not what was recorded.
struct replay_difference {
  uint32_t message = 0; ///< in whose handling
  std::string actor;
  std::string what;
  std::string recorded; ///< what was sent then; may be empty
  std::string replayed; ///< what was sent now; may be empty
  std::string before;   ///< the actor's state before that message, in JSON
  std::string after;
  std::vector<uint32_t> history; ///< what led to it, the oldest first
};

struct replay_report {
  uint64_t actors = 0;
  uint64_t steps = 0;
  uint64_t compared = 0; ///< messages that were sent again, and were the same
  uint64_t tokens = 0;   ///< of them, that went to clients
  /// Kinds that took part only as those who send, with how many there were.
  std::map<std::string, uint64_t> outside;
  std::optional<replay_difference> difference;
  std::optional<replay_look> stopped; ///< at `until` or `break_on`
};

/// May be null.
struct replay_watchers {
  std::function<void(uint64_t step, uint64_t steps)> progress;
  std::function<void(const replay_look&)> look; ///< with `states`
};

/// Plays a recording again, up to the first difference. Errors: bad_file, if
/// the recording or a model lacks what is needed; unsupported.
result<replay_report>
replay(const replay_script& script, const replay_options& options,
       const replay_watchers& watchers = {},
       const replay_factories& factories = all_replay_factories());

} // namespace troupe
