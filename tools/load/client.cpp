#include "tools/load/client.hpp"

#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <nlohmann/json.hpp>

namespace troupe::load {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using clock = std::chrono::steady_clock;
using nlohmann::json;

namespace {

// What a stream has said so far.
class stream {
public:
  explicit stream(clock::time_point begun) : begun_(begun) {}

  void take(std::string_view more) {
    unread_ += more;
    auto at = size_t{0};
    for (size_t end; (end = unread_.find("\n\n", at)) != std::string::npos;
         at = end + 2)
      event(std::string_view{unread_}.substr(at, end - at));
    unread_.erase(0, at);
  }

  outcome end(uint32_t wanted) {
    if (complaint_.empty() && !done_)
      complaint_ = "the stream ended before its end";
    if (complaint_.empty() && o_.tokens != wanted)
      complaint_ =
          std::to_string(o_.tokens) + " tokens of " + std::to_string(wanted);
    o_.is = complaint_.empty() ? outcome::kind::whole : outcome::kind::failed;
    o_.why = std::move(complaint_);
    return std::move(o_);
  }

private:
  void event(std::string_view text) {
    auto since = clock::now() - begun_;
    if (done_ || !text.starts_with("data: "))
      return complain("not an event", text);
    text.remove_prefix(6);
    if (text == "[DONE]") {
      done_ = true;
      return;
    }
    auto j = json::parse(text, nullptr, false);
    if (!j.is_object() || j.contains("error"))
      return complain("an error within the stream", text);
    if (o_.first.count() == 0)
      o_.first = since;
    if (j["usage"].is_object())
      o_.tokens = j["usage"].value("completion_tokens", 0u);
    else
      o_.last = since;
  }

  void complain(const char* what, std::string_view text) {
    if (complaint_.empty())
      complaint_ = std::string{what} + ": " + std::string{text.substr(0, 200)};
  }

  clock::time_point begun_;
  outcome o_;
  std::string complaint_;
  std::string unread_; ///< the beginning of an event
  bool done_ = false;
};

std::string request(const std::string& body) {
  return "POST /v1/completions HTTP/1.1\r\nhost: localhost\r\n"
         "content-type: application/json\r\ncontent-length: "
         + std::to_string(body.size()) + "\r\n\r\n" + body;
}

outcome refusal(const http::response<http::string_body>& r) {
  auto o = outcome{};
  if (r.result() == http::status::too_many_requests) {
    o.is = outcome::kind::turned_away;
    auto after = r["retry-after"];
    o.retry_after = std::chrono::seconds{std::atoi(std::string{after}.c_str())};
  } else {
    o.why = "status " + std::to_string(r.result_int()) + ": "
            + r.body().substr(0, 200);
  }
  return o;
}

} // namespace

asio::awaitable<outcome> client::ask(const std::string& body, uint32_t tokens) {
  if (!socket_.is_open()) {
    co_await socket_.async_connect(server_, asio::use_awaitable);
    socket_.set_option(asio::ip::tcp::no_delay{true});
  }
  auto begun = clock::now();
  auto text = request(body);
  co_await asio::async_write(socket_, asio::buffer(text), asio::use_awaitable);
  auto buffer = boost::beast::flat_buffer{};
  auto parser = http::response_parser<http::string_body>{};
  parser.body_limit(uint64_t{1} << 30);
  auto events = stream{begun};
  // Heard of while it reads: it comes back only once a chunk ends where what
  // has arrived ends.
  auto on_chunk = [&](uint64_t, boost::beast::string_view more, auto&) {
    events.take({more.data(), more.size()});
    return more.size();
  };
  parser.on_chunk_body(on_chunk);
  co_await http::async_read(socket_, buffer, parser, asio::use_awaitable);
  if (!parser.keep_alive())
    socket_.close();
  if (parser.get().result() != http::status::ok)
    co_return refusal(parser.get());
  co_return events.end(tokens);
}

} // namespace troupe::load
