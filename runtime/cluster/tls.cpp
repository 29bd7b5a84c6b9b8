#include "runtime/cluster/tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <algorithm>

#include "runtime/tls_setup.hpp"

namespace troupe {

namespace {

// Those of TLS 1.2 that are no weaker than 1.3's.
constexpr auto ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

} // namespace

result<tls_context> tls_context::load(const tls_files& files) {
  for (auto* path : {&files.certificate, &files.key, &files.ca})
    if (path->empty())
      return fail(errc::invalid_argument,
                  "TLS needs a certificate, a key and a CA");
  auto made = new_tls_setup(files.certificate, files.key);
  if (!made)
    return made.failure();
  if (SSL_CTX_set_cipher_list(made->get(), ciphers) != 1)
    return fail(errc::io_error, "TLS: " + last_tls_reason());
  // Signed by the cluster's CA and valid now is all that a peer must be: nodes
  // move between hosts, so names are not compared.
  if (auto ok = demand_certificates(**made, files.ca); !ok)
    return ok.failure();
  return tls_context{std::move(*made)};
}

tls_session::tls_session(const tls_context& context, int socket, role as)
    : session_(SSL_new(context.get()), [](auto* s) { SSL_free(s); }) {
  auto* s = session_.get();
  if (s == nullptr || SSL_set_fd(s, socket) != 1) {
    session_.reset();
    failure_ = last_tls_reason();
    return;
  }
  if (as == role::server)
    SSL_set_accept_state(s);
  else
    SSL_set_connect_state(s);
}

io_step tls_session::step(int returned) {
  auto* s = session_.get();
  switch (SSL_get_error(s, returned)) {
  case SSL_ERROR_NONE:
    return io_step::done;
  case SSL_ERROR_WANT_READ:
    return io_step::want_read;
  case SSL_ERROR_WANT_WRITE:
    return io_step::want_write;
  case SSL_ERROR_ZERO_RETURN:
    return io_step::closed;
  case SSL_ERROR_SYSCALL:
    if (ERR_peek_error() == 0)
      return io_step::closed;
    [[fallthrough]];
  default:
    failure_ = last_tls_reason();
    // What is wrong with the peer's certificate says more.
    if (auto v = SSL_get_verify_result(s); v != X509_V_OK)
      failure_ = X509_verify_cert_error_string(v);
    return io_step::failed;
  }
}

io_step tls_session::handshake() {
  if (!session_)
    return io_step::failed;
  ERR_clear_error();
  return step(SSL_do_handshake(session_.get()));
}

io_step tls_session::read(void* to, size_t most, size_t& n) {
  n = 0;
  ERR_clear_error();
  return step(SSL_read_ex(session_.get(), to, most, &n));
}

io_step tls_session::write(const void* from, size_t most, size_t& n) {
  n = 0;
  ERR_clear_error();
  return step(SSL_write_ex(session_.get(), from, most, &n));
}

size_t tls_session::pending() const {
  return static_cast<size_t>(std::max(0, SSL_pending(session_.get())));
}

} // namespace troupe
