#pragma once

#include "core/schema/program.hpp"
#include "core/schema/schema_options.hpp"

namespace troupe::schema {

/// Compiles a schema and all that it refers to. "schema URL#/pointer: reason"
/// with errc::invalid_argument, or errc::unsupported for what is valid but not
/// done here: lookaround in patterns, unknown vocabularies, too much of all.
result<program> compile_schema(std::string text, const schema_options& options);

/// The pointer's reason, if a schema asks for itself about the same value, so
/// that no check of it would end. `$dynamicRef` is followed when it is run.
result<void> refuse_endless(const program& p);

} // namespace troupe::schema
