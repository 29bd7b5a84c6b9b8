#pragma once

#include "core/schema/check_state.hpp"
#include "core/schema/json_schema.hpp"

namespace troupe::schema {

/// A finding, for people. REQUIRES: it is of this program and tape.
schema_error describe(const program& p, const json_tape& tape,
                      const finding& f);

} // namespace troupe::schema
