#pragma once

#include <caf/fwd.hpp>

#include <memory>

#include "actors/audit_trail.hpp"
#include "core/base/result.hpp"
#include "runtime/audit_anchor.hpp"
#include "runtime/audit_options.hpp"

namespace troupe {

/// The audit log of a process, and the auditor that keeps it.
class audit_service {
public:
  /// Opens the log, or begins one. Errors: as `open_audit_log` and the reading
  /// of keys; invalid_argument, of the anchor.
  static result<audit_service> start(caf::actor_system& system,
                                     audit_options options);

  audit_service(audit_service&&) noexcept = default;
  audit_service& operator=(audit_service&&) = delete;
  /// Waits for a moment until those who record have ended, and until the log is
  /// closed.
  ~audit_service();

  const std::shared_ptr<const audit_sink>& sink() const { return sink_; }

  /// What an operator has done that no actor knows of.
  void admin(const std::string& action, const std::string& detail) const;

  /// Which weights the process serves from now on.
  void serves(const std::string& model, version_id version,
              const std::string& digest) const;

private:
  audit_service(caf::actor_system& system, std::shared_ptr<audit_sink> sink)
      : system_(&system), sink_(std::move(sink)) {}

  caf::actor_system* system_;
  std::shared_ptr<const audit_sink> sink_; ///< null: moved from
};

} // namespace troupe
