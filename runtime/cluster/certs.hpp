#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.hpp"

struct evp_pkey_st;
struct x509_st;

namespace troupe {

/// A certificate and its private key, both as PEM.
struct pem_pair {
  std::string certificate;
  std::string key;
};

/// From when until when, relative to now.
struct validity {
  /// Clocks of a cluster's hosts differ a little.
  std::chrono::seconds from{-300};
  std::chrono::seconds until{std::chrono::hours{24 * 365}};
};

/// A CA of one cluster's own: who has a certificate of it is a node. Keys are
/// ECDSA over P-256.
class certificate_authority {
public:
  /// A new one that has signed nothing yet.
  static result<certificate_authority> create(const validity& when);

  /// One that `pem` gave. bad_file without a path.
  static result<certificate_authority> from_pem(const pem_pair& files);

  result<pem_pair> pem() const;

  /// A node's certificate, good as a client's and a server's.
  result<pem_pair> issue(const std::string& node, const validity& when) const;

private:
  std::shared_ptr<x509_st> certificate_;
  std::shared_ptr<evp_pkey_st> key_;
};

struct certs_options {
  std::string directory; ///< is made if it isn't there
  std::vector<std::string> nodes;
  int days = 365;
};

/// Makes `ca.pem` and `ca.key` in a directory unless it has both, and
/// `NAME.pem` and `NAME.key` for each node. Keys can be read by their owner
/// only. Never overwrites a file: if one is in the way, nothing is made.
/// Returns the paths of the new files.
/// invalid_argument for names that aren't letters, digits, `.`, `_` and `-`;
/// io_error, bad_file as `PATH: reason`.
result<std::vector<std::string>> make_certs(const certs_options& options);

} // namespace troupe
