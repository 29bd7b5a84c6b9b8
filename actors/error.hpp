#pragma once

#include <caf/error.hpp>

#include "core/base/error.hpp"
#include "core/base/result.hpp"

namespace troupe {

/// Core's error as CAF carries it; code and sentence survive the trip.
caf::error to_caf(const error& e);

/// Back again. Errors of CAF's own (timeouts, dead receivers) become the errc
/// that a caller would expect.
error from_caf(const caf::error& e);

} // namespace troupe
