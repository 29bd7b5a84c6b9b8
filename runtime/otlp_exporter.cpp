#include "runtime/otlp_exporter.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <caf/all.hpp>

namespace troupe {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

constexpr auto deadline = std::chrono::seconds{5};

// One request on a connection of its own.
class post {
public:
  post(const http_address& to, const std::string& path, const std::string& body)
      : resolver_(io_), stream_(io_),
        request_(http::verb::post, to.path + path, 11, body) {
    request_.set(http::field::host, to.host);
    request_.set(http::field::content_type, "application/json");
    request_.prepare_payload();
    parser_.body_limit(1 << 20);
  }

  result<void> run(const http_address& to, std::chrono::milliseconds most) {
    resolver_.async_resolve(to.host, to.port, [this](auto bad, auto found) {
      if (over(bad))
        return;
      stream_.async_connect(found, [this](auto bad, auto) {
        if (!over(bad))
          exchange();
      });
    });
    io_.run_for(most);
    auto name = to.host + ":" + to.port;
    if (!done_)
      return fail(errc::timeout, name + ": no answer");
    if (bad_)
      return fail(errc::io_error, name + ": " + bad_.message());
    auto status = parser_.get().result_int();
    if (status / 100 != 2)
      return fail(errc::io_error,
                  name + ": answers with status " + std::to_string(status));
    return {};
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

result<http_address> parse_http_address(const std::string& url) {
  constexpr auto scheme = std::string_view{"http://"};
  auto bad = fail(errc::invalid_argument,
                  "'" + url + "' is no address like http://127.0.0.1:4318");
  if (!url.starts_with(scheme))
    return bad;
  auto rest = url.substr(scheme.size());
  auto a = http_address{};
  if (auto slash = rest.find('/'); slash != std::string::npos) {
    a.path = rest.substr(slash);
    rest.resize(slash);
  }
  while (a.path.ends_with('/'))
    a.path.pop_back();
  auto colon = rest.rfind(':');
  a.host = rest.substr(0, colon);
  a.port = colon == std::string::npos ? "80" : rest.substr(colon + 1);
  auto digits = a.port.find_first_not_of("0123456789") == std::string::npos;
  if (a.host.empty() || a.port.empty() || a.port.size() > 5 || !digits
      || url.find_first_of(" \r\n\t") != std::string::npos)
    return bad;
  return a;
}

result<void> post_json(const http_address& to, const std::string& path,
                       const std::string& body,
                       std::chrono::milliseconds most) {
  return post{to, path, body}.run(to, most);
}

// -- actor --------------------------------------------------------------------

namespace {

using pointer = actor_pointer<otlp_exporter_actor, otlp_exporter_state>;

void tell(otlp_exporter_state& s, const result<void>& sent) {
  if (sent) {
    s.complained = false;
  } else if (!std::exchange(s.complained, true) && s.options.log) {
    s.options.log("traces and times of stages are not exported: "
                  + sent.failure().message);
  }
}

void send_traces(otlp_exporter_state& s, std::string text) {
  if (!s.unsent.empty()) {
    auto sent = post_json(s.to, "/v1/traces", s.unsent, deadline);
    tell(s, sent);
    if (!sent)
      return;
    s.unsent.clear();
  }
  if (text.empty())
    return;
  auto sent = post_json(s.to, "/v1/traces", text, deadline);
  tell(s, sent);
  if (!sent)
    s.unsent = std::move(text);
}

void export_all(pointer self, const profiler_actor& profiler) {
  using enum profile_query::kind;
  auto ask = [=](profile_query::kind what, auto then) {
    self->request(profiler, deadline, profile_query{what})
        .then([=](profile_report& r) { then(std::move(r.text)); },
              [](const caf::error&) {
                // It has gone, and soon so has this.
              });
  };
  // What could not be sent waits here, and the rest there.
  if (self->state.unsent.empty())
    ask(otlp_traces,
        [=](std::string text) { send_traces(self->state, std::move(text)); });
  else
    send_traces(self->state, {});
  ask(otlp_metrics, [=](std::string text) {
    tell(self->state, post_json(self->state.to, "/v1/metrics", text, deadline));
  });
}

} // namespace

otlp_exporter_actor::behavior_type otlp_exporter(pointer self,
                                                 profiler_actor profiler,
                                                 http_address to,
                                                 otlp_options options) {
  self->state.to = std::move(to);
  self->state.options = std::move(options);
  self->delayed_send(self, self->state.options.interval, deadline_tick{});
  return {
      [=](const deadline_tick&) {
        export_all(self, profiler);
        self->delayed_send(self, self->state.options.interval, deadline_tick{});
      },
  };
}

} // namespace troupe
