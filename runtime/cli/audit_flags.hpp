#pragma once

#include <CLI/CLI.hpp>

#include <optional>

#include "runtime/audit_options.hpp"

namespace troupe::cli {

/// --audit and what belongs to it.
void add_audit_options(CLI::App* sub, audit_options& o);

} // namespace troupe::cli
