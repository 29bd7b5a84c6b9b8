#include "runtime/http/server.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <random>
#include <thread>

#include "runtime/http/connection.hpp"
#include "runtime/http/state.hpp"
#include "runtime/http/tls.hpp"
#include "runtime/model_path.hpp"

namespace troupe {

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

/// Connections beyond those of clients.
constexpr auto operators_more = size_t{16};

size_t longest_token(const tokenizer& text) {
  auto most = size_t{1};
  for (auto& t : text.vocab().tokens)
    most = std::max(most, t.size());
  return most;
}

} // namespace

namespace {

/// Takes connections at one port.
class listener {
public:
  listener(http::server_state& server, http::plane at)
      : server_(server), plane_(at), acceptor_(server.io), pause_(server.io) {}

  result<void> open(const std::string& host, uint16_t port);
  void accept();
  void close();
  uint16_t port() const { return port_; }

private:
  void take(tcp::socket socket);

  http::server_state& server_;
  http::plane plane_;
  tcp::acceptor acceptor_;
  boost::asio::steady_timer pause_;
  uint16_t port_ = 0;
};

result<void> listener::open(const std::string& host, uint16_t port) {
  auto ec = error_code{};
  auto numbers = host == "localhost" ? std::string{"127.0.0.1"} : host;
  auto address = boost::asio::ip::make_address(numbers, ec);
  if (ec)
    return fail(errc::invalid_argument,
                "\"" + host + "\" is not an IP address to listen at");
  auto at = tcp::endpoint{address, port};
  acceptor_.open(at.protocol(), ec);
  if (!ec)
    acceptor_.set_option(tcp::acceptor::reuse_address{true}, ec);
  if (!ec)
    acceptor_.bind(at, ec);
  if (!ec)
    acceptor_.listen(boost::asio::socket_base::max_listen_connections, ec);
  if (!ec)
    port_ = acceptor_.local_endpoint(ec).port();
  if (ec)
    return fail(errc::io_error, "cannot listen at " + host + ":"
                                    + std::to_string(port) + ": "
                                    + ec.message());
  return {};
}

void listener::accept() {
  acceptor_.async_accept([this](error_code ec, tcp::socket socket) {
    if (!acceptor_.is_open())
      return;
    if (!ec) {
      take(std::move(socket));
      return accept();
    }
    // Out of files, most likely; some will be closed.
    pause_.expires_after(std::chrono::milliseconds{50});
    pause_.async_wait([this](error_code stopped) {
      if (!stopped)
        accept();
    });
  });
}

void listener::take(tcp::socket socket) {
  server_.counts.connections.add();
  // Operators get in when clients have taken all there is.
  auto most = server_.options.max_connections
              + (plane_ == http::plane::admin ? operators_more : 0);
  if (server_.connections.size() < most)
    return std::make_shared<http::connection>(server_, std::move(socket),
                                              plane_)
        ->start();
  server_.counts.connections_refused.add();
  // A handshake only to say no is not worth it.
  if (server_.tls && plane_ == http::plane::api)
    return;
  constexpr auto full =
      std::string_view{"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n"
                       "connection: close\r\ncontent-length: 0\r\n\r\n"};
  auto ignored = error_code{};
  socket.non_blocking(true, ignored);
  socket.write_some(boost::asio::buffer(full.data(), full.size()), ignored);
}

void listener::close() {
  auto ignored = error_code{};
  acceptor_.close(ignored);
  pause_.cancel();
}

} // namespace

struct http_server::impl {
  impl(runtime& rt, http_options o)
      : state(rt, std::move(o)), clients(state, http::plane::api),
        operators(state, http::plane::admin) {}

  ~impl() {
    if (thread.joinable()) {
      boost::asio::post(state.io, [this] { stop(); });
      thread.join();
    }
    state.worker.join();
    state.watchers.join();
    state.operators.join();
    state.readers.join();
    state.movers.join();
  }

  result<void> listen();
  void stop();

  http::server_state state;
  listener clients;
  listener operators;
  std::thread thread;
};

result<void> http_server::impl::listen() {
  auto& o = state.options;
  if (auto ok = clients.open(o.host, o.port); !ok)
    return ok;
  clients.accept();
  if (!o.admin_port)
    return {};
  if (auto ok = operators.open("127.0.0.1", *o.admin_port); !ok)
    return ok;
  operators.accept();
  return {};
}

void http_server::impl::stop() {
  state.stopping = true;
  clients.close();
  operators.close();
  auto all = std::vector<http::connection*>(state.connections.begin(),
                                            state.connections.end());
  for (auto* c : all)
    c->close();
}

http_server::http_server(std::unique_ptr<impl> p) : impl_(std::move(p)) {}
http_server::http_server(http_server&&) noexcept = default;
http_server& http_server::operator=(http_server&&) noexcept = default;
http_server::~http_server() = default;

result<http_server> http_server::start(runtime& rt, http_options options) {
  auto p = std::make_unique<impl>(rt, std::move(options));
  auto& s = p->state;
  s.card.id = s.options.model_name.empty() ? model_name_of(rt.model_path())
                                           : s.options.model_name;
  s.card.created = std::chrono::duration_cast<std::chrono::seconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  s.card.context = rt.weights().params.context;
  s.longest_token = longest_token(rt.text());
  auto device = std::random_device{};
  s.random_key = (uint64_t{device()} << 32) | device();
  if (s.options.tls) {
    auto tls = http::load_tls(*s.options.tls);
    if (!tls)
      return tls.failure();
    s.tls = std::move(*tls);
  }
  if (auto ok = p->listen(); !ok)
    return ok.failure();
  p->thread = std::thread{[p = p.get()] { p->state.io.run(); }};
  return http_server{std::move(p)};
}

uint16_t http_server::port() const {
  return impl_->clients.port();
}

uint16_t http_server::admin_port() const {
  return impl_->operators.port();
}

const std::string& http_server::model_name() const {
  return impl_->state.card.id;
}

} // namespace troupe
