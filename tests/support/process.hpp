#pragma once

#include <string>
#include <vector>

namespace troupe::testing {

struct process_options {
  std::string input; ///< standard input
  /// Where standard output goes instead of into `out`; empty: into `out`.
  std::string output_file;
  /// Sends this signal once that many bytes of output have come; 0: never.
  int signal = 0;
  size_t signal_after = 1;
};

struct process_result {
  int code = -1; ///< exit status, or 128 + the signal that ended it
  std::string out;
  std::string err;
  long peak_kb = 0; ///< largest resident set
};

/// Runs a program to its end; `argv[0]` is its path.
process_result run_process(const std::vector<std::string>& argv,
                           const process_options& options = {});

void write_file(const std::string& path, const std::string& bytes);
std::string read_file(const std::string& path);

} // namespace troupe::testing
