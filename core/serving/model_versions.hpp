#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/ids.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"
#include "core/serving/canary_evidence.hpp"
#include "core/serving/recent_map.hpp"
#include "core/serving/ticket_slab.hpp"

namespace troupe {

/// What a version is for.
enum class version_role : uint8_t {
  standby, ///< takes no requests
  canary,  ///< takes a share of them, to be compared
  active,  ///< takes the rest
  leaving, ///< takes none; goes when it is loaded and those it has have ended
};

/// Whether it can.
enum class version_state : uint8_t { loading, warming, ready };

std::string_view to_string(version_role r);
std::string_view to_string(version_state s);

/// What the owner is to do about a version.
enum class version_action : uint8_t { load, warm, unload };

struct version_task {
  version_action what = version_action::load;
  version_id version = 0;
  bool operator==(const version_task&) const = default;
};

/// What happened to it, for the audit log.
enum class version_event : uint8_t {
  loading,
  loaded,
  ready,
  failed, ///< to load or to warm up
  canary,
  promoted,
  rolled_back,
  unloading,
  unloaded,
};

std::string_view to_string(version_event e);

struct version_record {
  time_point at = {};
  version_event what = version_event::loading;
  version_id version = 0;
  std::string name;
  std::string why; ///< with the figures that decided, or a command's reason
};

struct version_options {
  /// All loaded versions together.
  uint64_t memory_budget = ~uint64_t{0};
  /// No canary is promoted before that.
  duration least_time = std::chrono::seconds{60};
  /// Promotes and rolls back by itself; otherwise only on command.
  bool automatic = true;
  /// After a promotion the former version stays on standby, in memory.
  bool keep_previous = false;
  canary_options canary = {};
};

struct version_status {
  version_id id = 0;
  std::string name;
  std::string source;
  uint64_t bytes = 0;
  version_role role = version_role::standby;
  version_state state = version_state::loading;
  uint64_t under_way = 0; ///< requests
};

/// Which versions of a model there are, and who gets which. Loads one beside
/// the other, gives it a share of the requests, promotes it when it is shown
/// not to be worse, and rolls it back when it is shown to be; with no data it
/// goes on as it is.
///
/// - Requests with the same key go to the same version while the shares are the
///   same, and a larger share only adds keys to the canary.
/// - A request ends on the version that it began on. A promotion changes who is
///   active in one step; nothing fails by it.
/// - If the canary is not ready, the active version serves its keys; if that is
///   not ready, nobody does: a canary never stands in for it.
/// - KV and cached answers belong to one version: its id is part of their keys.
///
/// One thread at a time.
class model_versions {
public:
  /// A request on its version.
  struct ticket {
    uint64_t id = 0;
    version_id version = 0;
  };

  static constexpr auto most_versions = size_t{16};
  static constexpr auto longest_name = size_t{256};
  static constexpr auto longest_source = size_t{4096};
  /// Requests that wait for one that came before them; if there are more, it is
  /// not waited for.
  static constexpr auto most_waiting = size_t{512};
  /// Keys that count once in a comparison; those seen longest ago count again.
  static constexpr auto remembered_keys = size_t{1} << 15;

  explicit model_versions(const version_options& options = {})
      : options_(options), counted_(0) {}

  // -- commands ---------------------------------------------------------------

  /// Begins to load a version that needs `bytes`; `source` is where from, for
  /// the owner. Errors: invalid_argument (the name is empty, or either too
  /// long, or the name taken), overloaded (no room in the budget).
  result<version_id> load(std::string name, uint64_t bytes, time_point now,
                          std::string source = {});
  /// What became of a task; `failure` is empty if it is done. No effect where
  /// none of that kind is under way.
  void loaded(version_id v, time_point now, const std::string& failure = {});
  void warmed(version_id v, time_point now, const std::string& failure = {});
  void unloaded(version_id v, time_point now);

  /// Makes a version on standby the active one at once. Errors:
  /// invalid_argument (it is not on standby and ready, or there is a canary).
  result<void> activate(version_id v, time_point now, const std::string& why);
  /// Gives it a share of the requests, above 0 and below 1. `seed` decides
  /// which keys. Errors: invalid_argument (it is not on standby and ready,
  /// there is no active version or there is a canary).
  result<void> start_canary(version_id v, double share, uint64_t seed,
                            time_point now);
  /// Requests that began with the former share count by that. Errors:
  /// invalid_argument (there is no canary, or that is no share).
  result<void> set_share(double share);
  /// The canary becomes active, or leaves. Errors: invalid_argument (there is
  /// none, or it is to be promoted and is not ready).
  result<void> promote(time_point now, const std::string& why);
  result<void> roll_back(time_point now, const std::string& why);
  /// A version on standby leaves. Errors: invalid_argument.
  result<void> remove(version_id v, time_point now);

  // -- requests ---------------------------------------------------------------

  /// Books a request; nothing if no version is ready for it. `key` is what is
  /// to stay together. In the comparison a key counts once with an answer and
  /// once with a failure: best is a conversation's or request's own.
  std::optional<ticket> route(std::string_view key);
  /// Whether the key makes a difference.
  bool compares() const;
  /// It has ended; nothing is said of how it went if the client cancelled it,
  /// or was at fault. May roll the canary back. False, and no effect, if it had
  /// ended before.
  bool complete(const ticket& t, const std::optional<request_outcome>& outcome,
                time_point now);
  /// To be called every second or so. May promote.
  void tick(time_point now);

  // -- state ------------------------------------------------------------------

  version_id active() const { return active_; }
  version_id canary() const { return canary_; }
  double share() const { return canary_ == 0 ? 0 : share_; }
  /// What the comparison has so far, in a line; empty without a canary.
  std::string evidence_text() const {
    return canary_ == 0 ? std::string{} : figures();
  }
  const canary_evidence& evidence() const { return evidence_; }
  std::vector<version_status> versions() const;
  /// What is to be done, and what has happened, since the last call.
  std::vector<version_task> take_tasks();
  std::vector<version_record> take_events();

  /// All of it but requests under way, as text; see docs/serving.md.
  std::string save(time_point now) const;
  /// The state that was saved. Its versions have to be loaded again, as tasks
  /// say; those that were leaving are gone. Errors: bad_file, with the line.
  static result<model_versions> restore(std::string_view text,
                                        const version_options& options,
                                        time_point now);

private:
  friend class versions_reader;

  struct version {
    std::string name;
    std::string source;
    uint64_t bytes = 0;
    version_role role = version_role::standby;
    version_state state = version_state::loading;
    uint64_t under_way = 0;
    bool unloading = false; ///< the task is given out
  };
  struct booking {
    version_id at = 0;
    uint64_t rollout = 0; ///< 0: was not part of one
    uint64_t arrival = 0; ///< its number there
  };
  /// A request of the rollout, in the order in which they came.
  struct arrival {
    uint64_t key = 0; ///< its hash
    double share = 0;
    bool canary = false;
    bool over = false;
    std::optional<request_outcome> outcome = {};
  };

  version* find(version_id v);
  const version* find(version_id v) const {
    return const_cast<model_versions*>(this)->find(v);
  }
  bool is(version_id v, version_role role, version_state state) const;
  void note(version_id v, version_event what, time_point now,
            const std::string& why = {});
  void advance(version_id v, version_state from, bool to_ready, time_point now,
               const std::string& failure);
  bool use_share(double share);
  void retire(version_id v, time_point now);
  void unload_if_idle(version_id v, time_point now);
  void make_active(version_id v, time_point now, const std::string& why);
  void settle(time_point now);
  void weigh(const arrival& a);
  std::string figures() const;

  version_options options_;
  std::map<version_id, version> versions_;
  version_id last_ = 0;
  version_id active_ = 0;
  version_id canary_ = 0;
  // The rollout under way.
  uint64_t rollout_ = 0; ///< its number
  uint64_t seed_ = 0;
  double share_ = 0;
  uint64_t below_ = 0; ///< keys whose hash is less are the canary's
  time_point began_ = {};
  canary_evidence evidence_;
  std::deque<arrival> arrivals_; ///< that are not weighed yet
  uint64_t first_arrival_ = 0;   ///< number of the first one there
  recent_map<uint8_t> counted_;  ///< keys: 1 for a failure, 2 for an answer

  ticket_slab<booking> bookings_;
  std::vector<version_task> tasks_;
  std::vector<version_record> events_;
};

} // namespace troupe
