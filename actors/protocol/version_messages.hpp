#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "core/base/ids.hpp"
#include "core/kv/layout.hpp"
#include "core/serving/model_versions.hpp"

namespace troupe {

// Versions of the model.

/// Nodes of other processes may have this model.
struct admit_version {
  version_id version = 0;
  std::string model; ///< as nodes name it when they join
  kv_layout layout;
  auto fields() {
    return std::tie(version, model, layout.layers, layout.kv_heads,
                    layout.k_dim, layout.v_dim, layout.dtype);
  }
};

/// They may no longer; those that have are fenced.
struct dismiss_version {
  version_id version = 0;
  auto fields() { return std::tie(version); }
};

/// Which version is a request's? Those with the same key have the same, while
/// the shares are the same.
struct route_version {
  std::string key;
  auto fields() { return std::tie(key); }
};

struct routed_version {
  uint64_t ticket = 0;
  version_id version = 0;
  auto fields() { return std::tie(ticket, version); }
};

/// A request's end, as far as versions are compared by it.
struct version_done {
  uint64_t ticket = 0;
  version_id version = 0;
  bool counts = false; ///< not if the client cancelled it or was at fault
  bool failed = false;
  bool cut_off = false;
  int64_t ttft_ns = 0; ///< 0: not known, as below
  int64_t tpot_ns = 0;
  auto fields() {
    return std::tie(ticket, version, counts, failed, cut_off, ttft_ns, tpot_ns);
  }
};

struct load_version {
  std::string name;
  std::string path; ///< of the model
  uint64_t bytes = 0;
  auto fields() { return std::tie(name, path, bytes); }
};

/// It is being loaded.
struct version_started {
  version_id version = 0;
  auto fields() { return std::tie(version); }
};

struct version_command {
  enum class kind : uint8_t {
    activate,
    canary,
    share,
    promote,
    roll_back,
    remove
  };
  kind what = kind::canary;
  version_id version = 0; ///< of activate, canary, remove
  double share = 0;       ///< of canary, share
  std::string why;
  auto fields() { return std::tie(what, version, share, why); }
};

struct versions_query {
  uint8_t detail = 0;
  auto fields() { return std::tie(detail); }
};

/// One version, as it stands.
struct version_info {
  version_id version = 0;
  std::string name;
  std::string path;
  uint64_t bytes = 0;
  version_role role = version_role::standby;
  version_state state = version_state::loading;
  uint64_t under_way = 0; ///< requests
  auto fields() {
    return std::tie(version, name, path, bytes, role, state, under_way);
  }
};

/// Something that happened to one.
struct version_note {
  int64_t unix_ms = 0;
  version_event what = version_event::loading;
  version_id version = 0;
  std::string name;
  std::string why;
  auto fields() { return std::tie(unix_ms, what, version, name, why); }
};

struct versions_status {
  version_id active = 0;
  version_id canary = 0;
  double share = 0;     ///< of the canary
  std::string evidence; ///< a line of figures; empty without a canary
  std::vector<version_info> versions;
  std::vector<version_note> notes; ///< the last ones, oldest first
  auto fields() {
    return std::tie(active, canary, share, evidence, versions, notes);
  }
};

/// Model manager -> host: do this, and report.
struct version_order {
  version_action what = version_action::load;
  version_id version = 0;
  std::string name;
  std::string path;
  auto fields() { return std::tie(what, version, name, path); }
};

/// The order is carried out, or has failed.
struct version_report {
  version_action what = version_action::load;
  version_id version = 0;
  std::string failure; ///< empty: none
  auto fields() { return std::tie(what, version, failure); }
};

/// Model manager -> host: what has to outlive the process.
struct keep_versions {
  std::string state;
  auto fields() { return std::tie(state); }
};

} // namespace troupe
