#pragma once

#include <string>
#include <vector>

#include "core/model/mapped_file.hpp"
#include "core/trace/trace_model.hpp"
#include "runtime/cli/cli.hpp"

namespace troupe::cli {

/// A trace's files in memory, and what they say.
struct opened_trace {
  std::vector<mapped_file> files;
  std::vector<trace_input> inputs;
  trace_model model;
};

/// FILE, and FILE.1, FILE.2 … as far as they are there.
std::vector<std::string> with_siblings(const std::vector<std::string>& files);

/// Reads all files, with a progress bar on a terminal if they are large. Says
/// on stderr what is wrong with them. io_error, if one cannot be opened.
result<opened_trace> open_trace(const std::vector<std::string>& files);

/// exit_ok, or exit_failed if a file is damaged.
int exit_code_of(const opened_trace& t);

/// "250ns", "1.5us", "3ms", "2s", or a number of ms, as ns. invalid_argument.
result<int64_t> parse_trace_time(const std::string& text);

} // namespace troupe::cli
