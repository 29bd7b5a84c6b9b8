#include "runtime/tls_setup.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <cstring>

namespace troupe {

namespace {

constexpr auto security_level = 2; // 112 bits
constexpr auto deepest_chain = 3;  // CAs between the trusted one and a peer

// A terminal must never be asked for a passphrase.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

error bad(const std::string& path, const std::string& remedy) {
  return fail(errc::bad_file, path + ": " + last_tls_reason() + "; " + remedy);
}

void set_rules(SSL_CTX* c) {
  SSL_CTX_set_security_level(c, security_level);
  SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
  SSL_CTX_set_options(c, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION
                             | SSL_OP_NO_TICKET);
  // A session that is resumed would outlive certificates.
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(c, 0);
  // Idle connections give their buffers back.
  SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE
                          | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                          | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_default_passwd_cb(c, no_passphrase);
}

result<void> use_files(SSL_CTX* c, const std::string& certificate,
                       const std::string& key) {
  if (SSL_CTX_use_certificate_chain_file(c, certificate.c_str()) != 1)
    return bad(certificate,
               "it must be a PEM file of a certificate, with its chain");
  if (SSL_CTX_use_PrivateKey_file(c, key.c_str(), SSL_FILETYPE_PEM) != 1
      || SSL_CTX_check_private_key(c) != 1)
    return bad(key, "it must be a PEM file of the private key of " + certificate
                        + ", without a passphrase");
  // The peers would refuse it, but their logs are elsewhere.
  auto* own = SSL_CTX_get0_certificate(c);
  if (X509_cmp_current_time(X509_get0_notAfter(own)) <= 0)
    return fail(errc::bad_file, certificate
                                    + ": the certificate has expired; it must "
                                      "be issued anew");
  return {};
}

} // namespace

// The oldest error is the cause; the queue is the thread's, so it is emptied.
std::string last_tls_reason() {
  auto first = ERR_get_error();
  ERR_clear_error();
  // A missing file, say: OpenSSL has no text for the system's errors.
  if (ERR_SYSTEM_ERROR(first))
    return std::strerror(ERR_GET_REASON(first));
  auto* text = first == 0 ? nullptr : ERR_reason_error_string(first);
  return text == nullptr ? "unknown reason" : text;
}

result<std::shared_ptr<SSL_CTX>> new_tls_setup(const std::string& certificate,
                                               const std::string& key) {
  ERR_clear_error();
  auto setup = std::shared_ptr<SSL_CTX>{SSL_CTX_new(TLS_method()),
                                        [](auto* c) { SSL_CTX_free(c); }};
  if (!setup)
    return fail(errc::io_error, "TLS: " + last_tls_reason());
  set_rules(setup.get());
  if (auto ok = use_files(setup.get(), certificate, key); !ok)
    return ok.failure();
  return setup;
}

result<void> demand_certificates(SSL_CTX& setup, const std::string& ca) {
  ERR_clear_error();
  if (SSL_CTX_load_verify_locations(&setup, ca.c_str(), nullptr) != 1)
    return bad(ca, "it must be a PEM file of the CA to trust");
  SSL_CTX_set_verify(&setup, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     nullptr);
  SSL_CTX_set_verify_depth(&setup, deepest_chain);
  return {};
}

} // namespace troupe
