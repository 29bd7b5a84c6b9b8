#pragma once

#include <memory>
#include <string>

#include "core/base/result.hpp"

// OpenSSL's own name, so that its headers stay in source files.
struct ssl_ctx_st;

namespace troupe {

// What all TLS of this runtime has in common, between nodes and over HTTP.

/// Settings with this side's certificate and key, PEM files both: TLS 1.2 or
/// later at OpenSSL's security level 2, nothing compressed, renegotiated or
/// resumed. bad_file, as `PATH: reason; remedy`, when one of the files can't be
/// read, isn't PEM or has expired, or the key isn't the certificate's.
result<std::shared_ptr<ssl_ctx_st>>
new_tls_setup(const std::string& certificate, const std::string& key);

/// Peers must show certificates that those of a PEM file signed and that are
/// valid now. bad_file, as `PATH: reason; remedy`.
result<void> demand_certificates(ssl_ctx_st& setup, const std::string& ca);

/// Why the last call of OpenSSL in this thread failed, for a person; forgets
/// it.
std::string last_tls_reason();

} // namespace troupe
