#include "runtime/cluster/tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <cstring>

namespace troupe {

namespace {

// The oldest error is the cause; the queue is the thread's, so it is emptied.
std::string last_reason() {
  auto first = ERR_get_error();
  ERR_clear_error();
  // A missing file, say: OpenSSL has no text for the system's errors.
  if (ERR_SYSTEM_ERROR(first))
    return std::strerror(ERR_GET_REASON(first));
  auto* text = first == 0 ? nullptr : ERR_reason_error_string(first);
  return text == nullptr ? "unknown reason" : text;
}

error bad(const std::string& path) {
  return fail(errc::bad_file, path + ": " + last_reason());
}

// A terminal must never be asked for a passphrase.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

// Signed by the cluster's CA and valid now is all that a peer must be: nodes
// move between hosts, so names are not compared.
constexpr auto deepest_chain = 3; // CAs between the cluster's and a node
constexpr auto verify_mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;

} // namespace

result<tls_context> tls_context::load(const tls_files& files) {
  for (auto* path : {&files.certificate, &files.key, &files.ca})
    if (path->empty())
      return fail(errc::invalid_argument,
                  "TLS needs a certificate, a key and a CA");
  ERR_clear_error();
  auto context = std::shared_ptr<SSL_CTX>{SSL_CTX_new(TLS_method()),
                                          [](auto* c) { SSL_CTX_free(c); }};
  auto* c = context.get();
  if (c == nullptr)
    return fail(errc::io_error, "TLS: " + last_reason());
  SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
  // Those of TLS 1.2 that are no weaker than 1.3's.
  if (SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
    return fail(errc::io_error, "TLS: " + last_reason());
  SSL_CTX_set_verify(c, verify_mode, nullptr);
  SSL_CTX_set_verify_depth(c, deepest_chain);
  SSL_CTX_set_options(c, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION
                             | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(c, 0);
  // Idle connections give their buffers back.
  SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE
                          | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                          | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_default_passwd_cb(c, no_passphrase);
  if (SSL_CTX_use_certificate_chain_file(c, files.certificate.c_str()) != 1)
    return bad(files.certificate);
  if (SSL_CTX_use_PrivateKey_file(c, files.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return bad(files.key);
  if (SSL_CTX_check_private_key(c) != 1)
    return bad(files.key);
  if (SSL_CTX_load_verify_locations(c, files.ca.c_str(), nullptr) != 1)
    return bad(files.ca);
  // The peers would refuse it, but their logs are elsewhere.
  auto* own = SSL_CTX_get0_certificate(c);
  if (X509_cmp_current_time(X509_get0_notAfter(own)) <= 0)
    return fail(errc::bad_file,
                files.certificate + ": the certificate has expired");
  return tls_context{std::move(context)};
}

tls_session::tls_session(const tls_context& context, int socket, role as)
    : session_(SSL_new(context.get()), [](auto* s) { SSL_free(s); }) {
  auto* s = session_.get();
  if (s == nullptr || SSL_set_fd(s, socket) != 1) {
    session_.reset();
    failure_ = last_reason();
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
    failure_ = last_reason();
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
