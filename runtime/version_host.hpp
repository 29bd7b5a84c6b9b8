#pragma once

#include <functional>
#include <memory>
#include <string>

#include "actors/audit_trail.hpp"
#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"
#include "core/serving/model_versions.hpp"
#include "runtime/generation_impl.hpp"
#include "runtime/version_nodes.hpp"

namespace troupe {

struct version_host_options {
  std::shared_ptr<version_nodes> nodes;
  registry_actor registry;
  response_cache_actor cache; ///< null: there is none
  /// Where warming requests go; the runtime's, which opens it.
  std::shared_ptr<front_door> front;
  /// Of the version that was there first: others must have the same text, since
  /// prompts are made tokens of once.
  std::shared_ptr<const model> first;
  /// Hears which weights a version is; null: nobody does.
  std::shared_ptr<const audit_sink> audit;
  /// Where the state is kept; empty: nowhere.
  std::string state_file;
  /// Hears what could not be done, in a line; may be empty.
  std::function<void(const std::string&)> log;
};

class version_host_state {
public:
  static constexpr const char* name = "version_host";
  version_host_state() = default;
};

static_assert(!std::is_aggregate_v<version_host_state>);

/// Behaviour of the version host; spawn it detached.
version_host_actor::behavior_type
version_host(actor_pointer<version_host_actor, version_host_state> self,
             version_host_options opts);

/// Versions as they begin, and which of them the runtime loads by itself.
struct first_versions {
  model_versions versions = model_versions{};
  version_id active = 0;
  std::string model;
};

/// Those that the file keeps, or `model` alone, under `name` or as its file is
/// called, where there is no such file. Errors: bad_file, io_error.
result<first_versions> find_versions(const std::string& state_file,
                                     const std::string& model,
                                     const std::string& name,
                                     const version_options& options,
                                     time_point now);

} // namespace troupe
