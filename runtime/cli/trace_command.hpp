#pragma once

#include "runtime/cli/cli.hpp"

namespace troupe::cli {

// Each declares one subcommand of `troupe trace`.
void add_trace_show(CLI::App& trace, action& chosen);
void add_trace_diagram(CLI::App& trace, action& chosen);
void add_trace_export(CLI::App& trace, action& chosen);
void add_trace_stats(CLI::App& trace, action& chosen);
void add_trace_why(CLI::App& trace, action& chosen);
void add_trace_check(CLI::App& trace, action& chosen);

/// FILE..., which all of them have.
void add_trace_files(CLI::App* sub, std::vector<std::string>& files);

} // namespace troupe::cli
