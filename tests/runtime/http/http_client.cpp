#include "tests/runtime/http/http_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <stdexcept>

namespace troupe::testing {

struct http_client::secret {
  secret(int socket, const client_tls& t) {
    // OpenSSL writes without MSG_NOSIGNAL.
    std::signal(SIGPIPE, SIG_IGN);
    SSL_CTX_load_verify_locations(context.get(), t.ca.c_str(), nullptr);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    if (!t.certificate.empty()) {
      SSL_CTX_use_certificate_chain_file(context.get(), t.certificate.c_str());
      SSL_CTX_use_PrivateKey_file(context.get(), t.key.c_str(),
                                  SSL_FILETYPE_PEM);
    }
    session.reset(SSL_new(context.get()));
    SSL_set1_host(session.get(), "localhost");
    auto wire = static_cast<char>(t.protocol.size()) + t.protocol;
    SSL_set_alpn_protos(session.get(),
                        reinterpret_cast<const unsigned char*>(wire.data()),
                        static_cast<unsigned>(wire.size()));
    SSL_set_fd(session.get(), socket);
    if (SSL_connect(session.get()) != 1) {
      ERR_clear_error();
      throw std::runtime_error{"no handshake"};
    }
  }

  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context{
      SSL_CTX_new(TLS_client_method()), &SSL_CTX_free};
  std::unique_ptr<SSL, decltype(&SSL_free)> session{nullptr, &SSL_free};
};

http_client::http_client(uint16_t port, int receive_buffer) {
  socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
  if (receive_buffer > 0)
    setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer,
               sizeof(receive_buffer));
  auto one = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  auto most = timeval{
      std::chrono::duration_cast<std::chrono::seconds>(patience).count(), 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
  auto at = sockaddr_in{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<sockaddr*>(&at), sizeof(at)) != 0)
    throw std::runtime_error{"cannot connect"};
}

http_client::http_client(uint16_t port, const client_tls& tls,
                         int receive_buffer)
    : http_client(port, receive_buffer) {
  tls_ = std::make_shared<secret>(socket_, tls);
}

http_client::~http_client() {
  close();
}

void http_client::close() {
  if (socket_ >= 0)
    ::close(socket_);
  socket_ = -1;
}

bool http_client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    auto n = write_bytes(bytes.data(), bytes.size());
    if (n <= 0)
      return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

long http_client::write_bytes(const void* from, size_t n) {
  if (!tls_)
    return ::send(socket_, from, n, MSG_NOSIGNAL);
  ERR_clear_error();
  return SSL_write(tls_->session.get(), from, static_cast<int>(n));
}

// Over TLS, an end without a last word is a reset.
long http_client::read_bytes(void* to, size_t most) {
  if (!tls_)
    return ::recv(socket_, to, most, 0);
  ERR_clear_error();
  errno = 0;
  auto* s = tls_->session.get();
  auto n = SSL_read(s, to, static_cast<int>(most));
  if (n > 0)
    return n;
  if (ended_well())
    return 0;
  if (errno == 0)
    errno = ECONNRESET;
  return -1;
}

bool http_client::ended_well() const {
  return tls_
         && (SSL_get_shutdown(tls_->session.get()) & SSL_RECEIVED_SHUTDOWN);
}

std::string http_client::protocol() const {
  auto* name = static_cast<const unsigned char*>(nullptr);
  auto size = 0u;
  SSL_get0_alpn_selected(tls_->session.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

void http_client::finish() {
  if (tls_)
    SSL_shutdown(tls_->session.get());
  ::shutdown(socket_, SHUT_WR);
}

int http_client::fill() {
  char chunk[16384];
  auto n = read_bytes(chunk, sizeof(chunk));
  if (n > 0)
    in_.append(chunk, static_cast<size_t>(n));
  return n > 0 ? 1 : static_cast<int>(n);
}

bool http_client::read_until(std::string_view mark) {
  while (in_.find(mark) == std::string::npos)
    if (fill() <= 0)
      return false;
  return true;
}

bool http_client::read_to_end() {
  for (;;) {
    auto r = fill();
    if (r == 0)
      return true;
    // A reset is an end as well.
    if (r < 0)
      return errno == ECONNRESET;
  }
}

bool http_client::wait(std::chrono::milliseconds most) {
  auto p = pollfd{socket_, POLLIN, 0};
  return ::poll(&p, 1, static_cast<int>(most.count())) == 1;
}

http_client::answer http_client::read(bool has_body) {
  auto a = answer{};
  if (!read_until("\r\n\r\n"))
    return a;
  auto end = in_.find("\r\n\r\n") + 4;
  a.head = in_.substr(0, end);
  a.status = std::stoi(a.head.substr(9, 3));
  in_.erase(0, end);
  auto take = [&](size_t n) {
    while (in_.size() < n)
      if (fill() <= 0)
        return false;
    a.body += in_.substr(0, n);
    in_.erase(0, n);
    return true;
  };
  if (auto at = a.head.find("content-length: "); at != std::string::npos) {
    a.whole = !has_body || take(std::stoul(a.head.substr(at + 16)));
    return a;
  }
  while (read_until("\r\n")) {
    auto size = std::stoul(in_, nullptr, 16);
    in_.erase(0, in_.find("\r\n") + 2);
    if (!take(size) || !read_until("\r\n"))
      return a;
    in_.erase(0, 2);
    if (size == 0) {
      a.whole = true;
      return a;
    }
  }
  return a;
}

http_client::answer http_client::get(const std::string& path) {
  send("GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n");
  return read();
}

std::string http_client::post_text(const std::string& path,
                                   const std::string& body) {
  return "POST " + path + " HTTP/1.1\r\nHost: test\r\nContent-Length: "
         + std::to_string(body.size()) + "\r\n\r\n" + body;
}

http_client::answer http_client::post(const std::string& path,
                                      const std::string& body) {
  send(post_text(path, body));
  return read();
}

} // namespace troupe::testing
