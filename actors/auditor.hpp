#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"
#include "core/trust/audit_anchor.hpp"
#include "core/trust/audit_log.hpp"

namespace troupe {

/// What becomes of requests whose records the disk refuses.
enum class audit_full : uint8_t {
  refuse, ///< they are refused
  go_on,  ///< they are served, and the log says later how many it lacks
};

struct auditor_options {
  /// Opened, and nobody else's.
  std::shared_ptr<audit_log> log;
  audit_full when_full = audit_full::refuse;
  /// Gets each checkpoint once it is durable; must not take long.
  std::function<void(const audit_anchor&)> anchor;
  /// Added to the actor's time it is Unix time.
  duration unix_offset = {};
};

/// The log, and who waits for it.
class auditor_state {
public:
  static constexpr const char* name = "auditor";

  auditor_state() = default;
  auditor_state(const auditor_state&) = delete;
  auditor_state& operator=(const auditor_state&) = delete;
  /// Closes the log, if nobody has.
  ~auditor_state();

  void init(auditor_options opts);

  /// How a commit went for those who waited for it.
  using outcome = result<audit_receipt>;

  /// Into the batch. What does not fit into a batch is committed first.
  result<void> add(const audit_record& r, time_point now);
  outcome commit(time_point now);
  /// Does what is due without records: a checkpoint, or another try.
  void tick(time_point now);
  /// Nothing is to be added after it.
  void close(time_point now);

  /// Whether records before that number are durable.
  bool is_durable(uint64_t number) const;
  /// Whether time alone gives it something to do.
  bool needs_ticks() const;
  audit_status status() const;

private:
  audit_time at(time_point now) const;
  void tell_anchor();

  auditor_options opts_;
  time_point last_; ///< when something was last done
  bool closed_ = false;
  uint64_t refused_ = 0;
  uint64_t anchored_ = 0;        ///< records of the last checkpoint told
  std::optional<error> dropped_; ///< of this batch, before its commit
};

static_assert(!std::is_aggregate_v<auditor_state>);

/// Behaviour of the auditor; spawn it detached, it writes files. When it ends,
/// it closes its log.
auditor_actor::behavior_type
auditor(actor_pointer<auditor_actor, auditor_state> self, auditor_options opts);

} // namespace troupe
