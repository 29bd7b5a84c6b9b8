#pragma once

#include <functional>
#include <string>

#include "core/base/time.hpp"

namespace troupe {

/// Where traces of requests, and how long their stages take, are sent.
struct otlp_options {
  /// As in http://127.0.0.1:4318; `/v1/traces` and `/v1/metrics` follow.
  std::string endpoint;
  duration interval = std::chrono::seconds{5};
  /// Hears what could not be sent, in a line, once until it works again; may be
  /// empty. Must not block.
  std::function<void(const std::string&)> log;
};

} // namespace troupe
