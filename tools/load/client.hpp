#pragma once

#include <utility> // which Boost 1.74 forgets

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace troupe::load {

/// How one request went.
struct outcome {
  enum class kind : uint8_t { whole, turned_away, failed };
  kind is = kind::failed;
  std::string why; ///< it failed
  uint32_t tokens = 0;
  std::chrono::nanoseconds first = {}; ///< from the request to its first token
  std::chrono::nanoseconds last = {};  ///< to the last
  std::chrono::seconds retry_after = {};
};

/// Asks for a stream of `tokens` tokens by `body` and reads it to its end, on a
/// connection that stays open. Throws what the network throws.
class client {
public:
  client(boost::asio::any_io_executor on, boost::asio::ip::tcp::endpoint server)
      : socket_(on), server_(server) {}

  boost::asio::awaitable<outcome> ask(const std::string& body, uint32_t tokens);

private:
  boost::asio::ip::tcp::socket socket_;
  boost::asio::ip::tcp::endpoint server_;
};

} // namespace troupe::load
