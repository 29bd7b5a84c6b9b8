#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

#include "core/base/result.hpp"
#include "runtime/cluster/options.hpp"

namespace troupe::cli {

/// `--tls-cert`, `--tls-key` and `--tls-ca`: all of them, or none.
struct tls_flags {
  std::string certificate;
  std::string key;
  std::string ca;
};

void add_tls_options(CLI::App* sub, tls_flags& f);

/// Errors: invalid_argument, if some are missing.
result<std::optional<tls_files>> files_of(const tls_flags& f);

/// `--at`: a cluster's front.
CLI::Option* add_at_option(CLI::App* sub, std::string& at);

} // namespace troupe::cli
