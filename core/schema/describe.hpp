#pragma once

#include "core/schema/check_state.hpp"
#include "core/schema/json_schema.hpp"

namespace troupe::schema {

/// Writes a finding behind what is in `to`, for people. REQUIRES: it is of
/// this program and tape.
schema_error::parts describe(const program& p, const json_tape& tape,
                             const finding& f, std::string& to);

} // namespace troupe::schema
