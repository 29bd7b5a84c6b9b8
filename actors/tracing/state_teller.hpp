#pragma once

#include <string>

namespace troupe::tracing {

/// An actor that can say what it knows.
class state_teller {
public:
  virtual ~state_teller() = default;

  /// A JSON object. REQUIRES: the actor has not ended.
  virtual std::string state_json() const = 0;
};

} // namespace troupe::tracing
