#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

#include "core/trace/options.hpp"

namespace troupe::cli {

/// Of commands that run actors.
struct trace_flags {
  std::string file;
  bool payloads = false;
  bool full_kv = false;
  uint64_t max_mb = 1024;
};

/// --trace and what belongs to it.
void add_trace_options(CLI::App* sub, trace_flags& f);

/// Nothing if nothing is to be recorded.
std::optional<trace_options> options_of(const trace_flags& f);

} // namespace troupe::cli
