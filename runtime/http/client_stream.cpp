#include "runtime/http/client_stream.hpp"

#include <boost/asio/ssl/stream.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace troupe::http {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

// A client's last word of a handshake has no answer, and its request may wait
// until it knows that it came (Nagle): 40 ms, left to the kernel.
void acknowledge(int socket) {
  auto at_once = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_QUICKACK, &at_once, sizeof(at_once));
}

} // namespace

struct client_stream::secret {
  secret(tcp::socket& socket, asio::ssl::context& tls) : stream(socket, tls) {}

  asio::ssl::stream<tcp::socket&> stream;
};

client_stream::client_stream(tcp::socket socket, asio::ssl::context* tls)
    : socket_(std::move(socket)) {
  if (tls)
    tls_ = std::make_unique<secret>(socket_, *tls);
}

client_stream::~client_stream() = default;

void client_stream::tune(int send_buffer_bytes) {
  auto ignored = error_code{};
  socket_.set_option(tcp::no_delay{true}, ignored);
  socket_.set_option(asio::socket_base::send_buffer_size{send_buffer_bytes},
                     ignored);
}

void client_stream::shake_hands(done then) {
  tls_->stream.async_handshake(asio::ssl::stream_base::server,
                               [this, then = std::move(then)](error_code ec) {
                                 acknowledge(socket_.native_handle());
                                 then(ec, 0);
                               });
}

std::string client_stream::failure(error_code ec) const {
  if (!tls_ || ec.category() != asio::error::get_ssl_category())
    return {};
  // What is wrong with the client's certificate says more.
  if (auto v = SSL_get_verify_result(tls_->stream.native_handle());
      v != X509_V_OK)
    return X509_verify_cert_error_string(v);
  auto* text = ERR_reason_error_string(static_cast<unsigned long>(ec.value()));
  return text ? text : "unknown reason";
}

void client_stream::give_up_tls() {
  tls_.reset();
}

void client_stream::read_secret(asio::mutable_buffer to, done then) {
  tls_->stream.async_read_some(
      to, [this, to, then = std::move(then)](error_code ec, size_t n) {
        if (ec && finished_)
          return socket_.async_read_some(to, then);
        // Requests say where they end, so that a client that leaves without a
        // last word of TLS hides nothing.
        if (ec == asio::ssl::error::stream_truncated)
          ec = asio::error::eof;
        then(ec, n);
      });
}

void client_stream::write_secret(asio::const_buffer from, done then) {
  asio::async_write(tls_->stream, asio::buffer(from), std::move(then));
}

void client_stream::finish(std::shared_ptr<void> owner) {
  auto end = [this] {
    auto ignored = error_code{};
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  };
  if (!tls_)
    return end();
  finished_ = true;
  // As if the client's last word had come: this side's is sent, and nothing is
  // waited for.
  SSL_set_shutdown(tls_->stream.native_handle(), SSL_RECEIVED_SHUTDOWN);
  tls_->stream.async_shutdown(
      [owner = std::move(owner), end](error_code) { end(); });
}

void client_stream::close() {
  auto ignored = error_code{};
  socket_.close(ignored);
}

} // namespace troupe::http
