#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace troupe::testing {

/// A client that speaks TLS. PEM files.
struct client_tls {
  std::string ca;          ///< whom it trusts
  std::string certificate; ///< empty: it has none
  std::string key;
  std::string protocol = "http/1.1"; ///< that it offers (ALPN)
};

/// One blocking connection to 127.0.0.1; whatever takes longer than `patience`
/// fails.
class http_client {
public:
  static constexpr auto patience = std::chrono::seconds{20};

  explicit http_client(uint16_t port, int receive_buffer = 0);
  /// Throws if the handshake fails, or the server's certificate is not for
  /// localhost.
  http_client(uint16_t port, const client_tls& tls, int receive_buffer = 0);
  ~http_client();
  http_client(const http_client&) = delete;
  http_client& operator=(const http_client&) = delete;

  /// False if the other end has gone.
  bool send(std::string_view bytes);
  /// Nothing more will be sent.
  void finish();
  void close();

  struct answer {
    int status = 0;     ///< 0: the connection ended first
    std::string head;   ///< lower-cased names are not promised
    std::string body;   ///< chunks put together
    bool whole = false; ///< all of it came
  };

  /// Reads one answer. `has_body`: false after HEAD.
  answer read(bool has_body = true);
  /// Reads at least up to `mark`; false if the connection ended first.
  bool read_until(std::string_view mark);
  /// Reads until the other end closes; false if it does not within patience.
  bool read_to_end();
  /// Whether TLS was ended by the other end, not merely cut off.
  bool ended_well() const;
  /// What was agreed on (ALPN).
  std::string protocol() const;
  /// Whether anything comes, or the connection ends, before `most` is over.
  bool wait(std::chrono::milliseconds most);
  /// What has come and was not taken by `read`.
  const std::string& received() const { return in_; }

  answer get(const std::string& path);
  answer post(const std::string& path, const std::string& body);

  static std::string post_text(const std::string& path,
                               const std::string& body);

private:
  /// 1: something came, 0: the end, -1: too late or broken.
  int fill();
  long read_bytes(void* to, size_t most);
  long write_bytes(const void* from, size_t n);

  struct secret; ///< the TLS of it

  int socket_ = -1;
  std::shared_ptr<secret> tls_;
  std::string in_;
};

} // namespace troupe::testing
