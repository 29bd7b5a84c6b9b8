#include "runtime/http/tls.hpp"

#include <boost/asio/ssl/context.hpp>

#include "runtime/tls_setup.hpp"

namespace troupe::http {

namespace {

// Clients that know other protocols alone are told so; those that name none
// speak HTTP/1.1.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size,
                    const unsigned char* offered, unsigned int offered_size,
                    void*) {
  static constexpr unsigned char ours[] = "\x08http/1.1";
  auto* found = static_cast<unsigned char*>(nullptr);
  if (SSL_select_next_proto(&found, size, ours, sizeof(ours) - 1, offered,
                            offered_size)
      != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

result<void> ask_clients(SSL_CTX& setup, const std::string& ca) {
  if (auto ok = demand_certificates(setup, ca); !ok)
    return ok;
  // Clients with several certificates choose by these names.
  SSL_CTX_set_client_CA_list(&setup, SSL_load_client_CA_file(ca.c_str()));
  return {};
}

} // namespace

result<std::shared_ptr<boost::asio::ssl::context>> load_tls(const http_tls& t) {
  auto setup = new_tls_setup(t.certificate, t.key);
  if (!setup)
    return setup.failure();
  auto* c = setup->get();
  if (!t.client_ca.empty())
    if (auto ok = ask_clients(*c, t.client_ca); !ok)
      return ok.failure();
  SSL_CTX_set_alpn_select_cb(c, choose_protocol, nullptr);
  // Asio's context has a count of its own.
  SSL_CTX_up_ref(c);
  return std::make_shared<boost::asio::ssl::context>(c);
}

} // namespace troupe::http
