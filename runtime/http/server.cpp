#include "runtime/http/server.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <filesystem>
#include <random>
#include <thread>

#include "runtime/http/connection.hpp"
#include "runtime/http/state.hpp"

namespace troupe {

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

// The file's name without its ending, or the folder's.
std::string model_name_of(const std::string& path) {
  auto p = std::filesystem::path{path};
  if (!p.has_filename())
    p = p.parent_path();
  auto name =
      p.extension() == ".gguf" ? p.stem().string() : p.filename().string();
  return name.empty() ? "model" : name;
}

size_t longest_token(const tokenizer& text) {
  auto most = size_t{1};
  for (auto& t : text.vocab().tokens)
    most = std::max(most, t.size());
  return most;
}

} // namespace

struct http_server::impl {
  impl(runtime& rt, http_options o)
      : state(rt, std::move(o)), acceptor(state.io), pause(state.io) {}

  ~impl() {
    if (thread.joinable()) {
      boost::asio::post(state.io, [this] { stop(); });
      thread.join();
    }
    state.worker.join();
  }

  result<void> listen();
  void accept();
  void take(tcp::socket socket);
  void stop();

  http::server_state state;
  tcp::acceptor acceptor;
  boost::asio::steady_timer pause;
  uint16_t port = 0;
  std::thread thread;
};

result<void> http_server::impl::listen() {
  auto& o = state.options;
  auto ec = error_code{};
  auto host = o.host == "localhost" ? std::string{"127.0.0.1"} : o.host;
  auto address = boost::asio::ip::make_address(host, ec);
  if (ec)
    return fail(errc::invalid_argument,
                "\"" + o.host + "\" is not an IP address to listen at");
  auto at = tcp::endpoint{address, o.port};
  acceptor.open(at.protocol(), ec);
  if (!ec)
    acceptor.set_option(tcp::acceptor::reuse_address{true}, ec);
  if (!ec)
    acceptor.bind(at, ec);
  if (!ec)
    acceptor.listen(boost::asio::socket_base::max_listen_connections, ec);
  if (!ec)
    port = acceptor.local_endpoint(ec).port();
  if (ec)
    return fail(errc::io_error, "cannot listen at " + o.host + ":"
                                    + std::to_string(o.port) + ": "
                                    + ec.message());
  return {};
}

void http_server::impl::accept() {
  acceptor.async_accept([this](error_code ec, tcp::socket socket) {
    if (!acceptor.is_open())
      return;
    if (!ec) {
      take(std::move(socket));
      return accept();
    }
    // Out of files, most likely; some will be closed.
    pause.expires_after(std::chrono::milliseconds{50});
    pause.async_wait([this](error_code stopped) {
      if (!stopped)
        accept();
    });
  });
}

void http_server::impl::take(tcp::socket socket) {
  ++state.counts.connections_total;
  if (state.connections.size() < state.options.max_connections)
    return std::make_shared<http::connection>(state, std::move(socket))
        ->start();
  ++state.counts.connections_refused;
  constexpr auto full =
      std::string_view{"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n"
                       "connection: close\r\ncontent-length: 0\r\n\r\n"};
  auto ignored = error_code{};
  socket.non_blocking(true, ignored);
  socket.write_some(boost::asio::buffer(full.data(), full.size()), ignored);
}

void http_server::impl::stop() {
  state.stopping = true;
  auto ignored = error_code{};
  acceptor.close(ignored);
  pause.cancel();
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
  if (auto ok = p->listen(); !ok)
    return ok.failure();
  p->accept();
  p->thread = std::thread{[p = p.get()] { p->state.io.run(); }};
  return http_server{std::move(p)};
}

uint16_t http_server::port() const {
  return impl_->port;
}

const std::string& http_server::model_name() const {
  return impl_->state.card.id;
}

} // namespace troupe
