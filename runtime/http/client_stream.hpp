#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <functional>
#include <memory>
#include <string>

namespace boost::asio::ssl {
class context;
}

namespace troupe::http {

/// A client's bytes, in the clear or over TLS, so that a connection need not
/// know which. One read and one write at a time; what is called back keeps the
/// owner, and so this, alive.
class client_stream {
public:
  using error_code = boost::system::error_code;
  using done = std::function<void(error_code, size_t)>;

  /// Over TLS if there is `tls`, which must outlive this.
  client_stream(boost::asio::ip::tcp::socket socket,
                boost::asio::ssl::context* tls);
  ~client_stream();

  /// Writes leave at once; the kernel holds so many bytes of them.
  void tune(int send_buffer_bytes);

  /// `then(error_code)` once bytes can be read and written: the handshake, or
  /// at once.
  template <class Then>
  void open(Then then) {
    if (tls_)
      shake_hands(
          [then = std::move(then)](error_code ec, size_t) { then(ec); });
    else
      then(error_code{});
  }

  /// Of a handshake that failed: what OpenSSL says; empty: the client left.
  std::string failure(error_code ec) const;
  /// After a handshake that failed. Bytes are read as they come, for nobody to
  /// use.
  void give_up_tls();

  /// `then(error_code, size_t)` with at least one byte; eof, once the client
  /// sends no more.
  template <class Then>
  void read_some(boost::asio::mutable_buffer to, Then then) {
    if (tls_ && !finished_)
      read_secret(to, std::move(then));
    else
      socket_.async_read_some(to, std::move(then));
  }

  /// `then(error_code, size_t)` with all of them.
  template <class Then>
  void write(boost::asio::const_buffer from, Then then) {
    if (tls_)
      write_secret(from, std::move(then));
    else
      boost::asio::async_write(socket_, boost::asio::buffer(from),
                               std::move(then));
  }

  /// Says that nothing more will be written. Reads go on, so that the client
  /// may send until it hears that, but of bytes that are for nobody to use.
  /// REQUIRES: no write is under way.
  void finish(std::shared_ptr<void> owner);
  /// At once, whatever is under way.
  void close();

private:
  struct secret;

  void shake_hands(done then);
  void read_secret(boost::asio::mutable_buffer to, done then);
  void write_secret(boost::asio::const_buffer from, done then);

  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<secret> tls_;
  bool finished_ = false; ///< TLS is
};

} // namespace troupe::http
