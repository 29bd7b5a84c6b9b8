#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "core/base/result.hpp"

// OpenSSL's own names, so that its headers stay in one source file.
struct ssl_st;
struct ssl_ctx_st;

namespace troupe {

/// What mutual TLS needs: PEM files of this node and of the cluster.
struct tls_files {
  std::string certificate; ///< this node's, with its chain if it has one
  std::string key;         ///< its private key, without a passphrase
  std::string ca;          ///< whom to trust: the cluster's own CA
};

/// Certificate, key and CA, read once and shared by all connections. Whoever
/// connects, either way, must show a certificate that the CA signed and that
/// is valid now, in either role; at least TLS 1.2; no resumption, which would
/// outlive both.
class tls_context {
public:
  /// bad_file, as `PATH: reason`, when one of the files can't be read, isn't
  /// PEM, has expired, or the key isn't the certificate's.
  static result<tls_context> load(const tls_files& files);

  ssl_ctx_st* get() const { return context_.get(); }

private:
  explicit tls_context(std::shared_ptr<ssl_ctx_st> c)
      : context_(std::move(c)) {}

  std::shared_ptr<ssl_ctx_st> context_;
};

/// How far a call on a socket that doesn't block has come.
enum class io_step {
  done,       ///< some bytes have moved, or the handshake is complete
  want_read,  ///< again when the socket can be read
  want_write, ///< again when the socket can be written
  closed,     ///< the peer has closed the connection
  failed,     ///< no more use; `failure()` says why
};

/// One connection's TLS over a socket that it doesn't own and that doesn't
/// block. Writing to a closed socket raises SIGPIPE unless the thread blocks
/// it.
class tls_session {
public:
  enum class role { client, server };

  tls_session(const tls_context& context, int socket, role as);

  /// Begins or goes on with the handshake, which includes the peer's
  /// certificate.
  io_step handshake();

  /// At least one byte into `n` when done.
  io_step read(void* to, size_t most, size_t& n);
  io_step write(const void* from, size_t most, size_t& n);

  /// Bytes that are decrypted already.
  size_t pending() const;

  /// Why the last call failed, for a person.
  const std::string& failure() const { return failure_; }

private:
  io_step step(int returned);

  std::shared_ptr<ssl_st> session_;
  std::string failure_;
};

} // namespace troupe
