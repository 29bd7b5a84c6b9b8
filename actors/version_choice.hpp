#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "actors/protocol/messages.hpp"
#include "actors/version_desk.hpp"
#include "core/base/time.hpp"

namespace troupe {

/// Which version of the model a session has, and how that did.
class version_choice {
public:
  version_choice() = default;
  version_choice(const version_choice&) = delete;
  version_choice& operator=(const version_choice&) = delete;
  ~version_choice() {
    if (desk_ && ticket_.ticket != 0)
      desk_->abandon({ticket_.ticket, ticket_.version});
  }

  /// What the model manager is asked. Requests without a session are on their
  /// own.
  static route_version question(const generate_request& r);

  /// The request is on that version from now on.
  void chosen(const routed_version& v) { ticket_ = v; }
  /// The same, taken from there without its manager, who is told of the end
  /// even if nobody asks for it.
  void taken(const routed_version& v, std::shared_ptr<version_desk> from) {
    ticket_ = v;
    desk_ = std::move(from);
  }
  /// The same, of one that no manager was asked for.
  void fixed(version_id v) { ticket_ = {0, v}; }

  /// 0: none yet.
  version_id version() const { return ticket_.version; }

  /// The session begins.
  void begin(time_point now) { began_ = now; }
  /// Tokens went out.
  void delivered(uint32_t count, time_point now);

  /// What comes says nothing about the version.
  void answered_elsewhere() { counts_ = false; }

  /// What the manager is told; nothing if it was not asked. Once.
  std::optional<version_done> end(finish_reason reason, errc code);

private:
  routed_version ticket_;
  std::shared_ptr<version_desk> desk_;
  time_point began_ = {};
  time_point first_ = {};
  time_point last_ = {};
  uint32_t tokens_ = 0;
  bool counts_ = true;
};

} // namespace troupe
