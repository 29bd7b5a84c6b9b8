#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace troupe {

/// Where traces of requests, and how long their stages take, are sent.
struct otlp_options {
  /// As in http://127.0.0.1:4318; `/v1/traces` and `/v1/metrics` follow.
  std::string endpoint;
  std::chrono::milliseconds interval{5000};
  /// Hears what could not be sent, in a line, once until it works again; may be
  /// empty. Must not block.
  std::function<void(const std::string&)> log;
};

} // namespace troupe
