#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/trust/audit_log.hpp"
#include "core/trust/ed25519.hpp"

namespace troupe {

/// Makes an Ed25519 key in `base`.key, which only its owner can read, and
/// `base`.pub; returns both paths. Overwrites nothing. Errors: io_error,
/// unsupported.
result<std::vector<std::string>> make_audit_key(const std::string& base);

/// Errors: io_error, bad_file.
result<signing_key> read_signing_key(const std::string& path);
result<ed25519_public_key> read_public_key(const std::string& path);

using audit_salt = std::array<uint8_t, 32>;

/// The secret salt of a log's digests, `log`.salt; a new log gets one, which
/// only its owner can read. Errors: io_error, bad_file, unsupported.
result<audit_salt> audit_salt_of(const std::string& log);

/// Opens the log whose first file is `path`, or begins one, which gets a random
/// id. Errors: as `audit_log::open`, and unsupported without randomness.
result<std::shared_ptr<audit_log>> open_audit_log(const std::string& path,
                                                  signing_key key,
                                                  audit_log_options options,
                                                  audit_time now);

/// What the clocks say.
audit_time audit_now();

} // namespace troupe
