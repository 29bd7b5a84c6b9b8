#include "runtime/post_json.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

namespace troupe {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

// How often it is looked at whether to go on.
constexpr auto glance = std::chrono::milliseconds{50};

// One request on a connection of its own.
class post {
public:
  post(const http_address& to, const std::string& path, const std::string& body)
      : resolver_(io_), stream_(io_),
        request_(http::verb::post, to.path + path, 11, body) {
    auto literal = to.host.find(':') != std::string::npos;
    request_.set(http::field::host,
                 (literal ? '[' + to.host + ']' : to.host) + ':' + to.port);
    request_.set(http::field::content_type, "application/json");
    request_.prepare_payload();
    parser_.body_limit(1 << 20);
  }

  result<void> run(const http_address& to, std::chrono::milliseconds most,
                   const std::atomic<bool>& stop) {
    resolver_.async_resolve(to.host, to.port, [this](auto bad, auto found) {
      if (over(bad))
        return;
      stream_.async_connect(found, [this](auto bad, auto) {
        if (!over(bad))
          exchange();
      });
    });
    auto end = std::chrono::steady_clock::now() + most;
    while (!done_ && !stop && std::chrono::steady_clock::now() < end)
      io_.run_for(glance);
    auto name = to.host + ":" + to.port;
    if (!done_)
      return fail(errc::timeout, name + ": no answer");
    if (bad_)
      return fail(errc::io_error, name + ": " + bad_.message());
    auto status = parser_.get().result_int();
    if (status / 100 == 2)
      return {};
    auto later = status / 100 != 4 || status == 408 || status == 429;
    return fail(later ? errc::io_error : errc::invalid_argument,
                name + ": answers with status " + std::to_string(status));
  }

private:
  void exchange() {
    http::async_write(stream_, request_, [this](auto bad, size_t) {
      if (!over(bad))
        http::async_read(stream_, buffer_, parser_, [this](auto bad, size_t) {
          over(bad);
          done_ = true;
        });
    });
  }

  bool over(beast::error_code bad) {
    bad_ = bad;
    done_ = done_ || bad;
    return static_cast<bool>(bad);
  }

  asio::io_context io_{1};
  asio::ip::tcp::resolver resolver_;
  beast::tcp_stream stream_;
  http::request<http::string_body> request_;
  beast::flat_buffer buffer_;
  http::response_parser<http::string_body> parser_;
  beast::error_code bad_;
  bool done_ = false;
};

} // namespace

result<void> post_json(const http_address& to, const std::string& path,
                       const std::string& body, std::chrono::milliseconds most,
                       const std::atomic<bool>& over) {
  return post{to, path, body}.run(to, most, over);
}

} // namespace troupe
