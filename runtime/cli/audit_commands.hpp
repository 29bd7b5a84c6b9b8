#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/trust/audit_files.hpp"
#include "core/trust/audit_verify.hpp"
#include "runtime/cli/cli.hpp"

namespace troupe::cli {

// Each declares one subcommand of `troupe audit`.
void add_audit_verify(CLI::App& audit, action& chosen);
void add_audit_prove(CLI::App& audit, action& chosen);
void add_audit_show(CLI::App& audit, action& chosen);

/// A log's files, mapped.
struct audit_input {
  std::vector<audit_bytes> owners;
  std::vector<audit_source> sources;
};

/// The files named; those that follow a log's first file are found by
/// themselves, if it is the only one named. io_error.
result<audit_input> open_audit_input(const std::vector<std::string>& files);

/// The key in a PEM file; none if there is no path. io_error, bad_file.
result<std::optional<ed25519_public_key>>
read_key_option(const std::string& path);

/// "2024-01-31T12:00:00.123456Z"
std::string utc(int64_t wall_ns);

} // namespace troupe::cli
