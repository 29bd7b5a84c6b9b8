#include "runtime/http/connection.hpp"

#include <boost/asio/error.hpp>

#include "core/api/local_site.hpp"
#include "runtime/http/routes.hpp"

namespace troupe::http {

namespace beast_http = boost::beast::http;
using boost::system::error_code;

namespace {

/// Of pipelined requests, and of lines within a chunked body.
constexpr auto most_ahead = size_t{64} << 10;

api::head_limits limits_of(const http_options& o) {
  auto l = api::head_limits{};
  l.body = o.max_body_bytes;
  return l;
}

bool is_good_id(std::string_view id) {
  constexpr auto good = std::string_view{
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:"};
  return !id.empty() && id.size() <= 128
         && id.find_first_not_of(good) == std::string_view::npos;
}

std::string_view view(boost::beast::string_view s) {
  return {s.data(), s.size()};
}

} // namespace

// -- deadline ----------------------------------------------------------------

void deadline::set(time_point at, std::weak_ptr<connection> owner,
                   void (connection::*expired)()) {
  at_ = at;
  if (at >= armed_)
    return;
  armed_ = at;
  timer_.expires_at(at);
  timer_.async_wait([this, owner = std::move(owner), expired](error_code ec) {
    auto alive = owner.lock();
    if (ec || !alive)
      return;
    armed_ = never;
    if (at_ <= now())
      ((*alive).*expired)();
    else if (at_ != never)
      set(at_, owner, expired);
  });
}

void deadline::stop() {
  clear();
  timer_.cancel();
}

// -- connection --------------------------------------------------------------

connection::connection(server_state& server,
                       boost::asio::ip::tcp::socket socket, plane at)
    : server_(server), plane_(at),
      stream_(std::move(socket), at == plane::api ? server.tls.get() : nullptr),
      read_by_(server.io), write_by_(server.io), answer_by_(server.io) {
  server_.connections.insert(this);
}

connection::~connection() {
  close();
}

void connection::start() {
  stream_.tune(server_.options.send_buffer_bytes);
  // One deadline for the handshake and the first head.
  enter(phase::head, server_.options.header_deadline);
  stream_.open(
      [self = shared_from_this()](error_code ec) { self->on_open(ec); });
}

void connection::on_open(error_code ec) {
  if (ec)
    server_.counts.handshakes_failed.add();
  if (closed())
    return;
  if (!ec)
    return read();
  auto why = stream_.failure(ec);
  if (why.empty())
    return close();
  if (server_.options.log)
    server_.options.log("TLS: " + why);
  stream_.give_up_tls();
  linger();
}

void connection::close() {
  if (closed())
    return;
  if (phase_ == phase::busy)
    account(499);
  phase_ = phase::closed;
  read_by_.stop();
  write_by_.stop();
  answer_by_.stop();
  release();
  stream_.close();
  server_.connections.erase(this);
  // They may be what calls this.
  auto w = std::exchange(work_, nullptr);
  auto self = std::exchange(self_, nullptr);
  if (w || self)
    boost::asio::post(server_.io,
                      [w = std::move(w), self = std::move(self)] {});
}

void connection::work(std::shared_ptr<job> w) {
  work_ = std::move(w);
  answer_by_.set(started_ + server_.options.answer_deadline, weak_from_this(),
                 &connection::on_answer_late);
}

void connection::on_answer_late() {
  if (phase_ == phase::busy && work_)
    work_->expire(*this);
}

// -- reading -----------------------------------------------------------------

void connection::enter(phase p, duration most) {
  phase_ = p;
  read_by_.set(now() + most, weak_from_this(), &connection::on_read_late);
}

void connection::on_read_late() {
  if (phase_ == phase::body || (phase_ == phase::head && !in_.empty()))
    refuse(408, "the request did not come in time");
  else if (phase_ == phase::idle)
    linger();
  else
    close();
}

void connection::read() {
  if (reading_ || closed())
    return;
  reading_ = true;
  stream_.read_some(boost::asio::buffer(chunk_),
                    [self = shared_from_this()](error_code ec, size_t bytes) {
                      self->reading_ = false;
                      // A client that sends no more may still take its answer.
                      if (ec == boost::asio::error::eof
                          && self->phase_ == phase::answered)
                        self->keep_alive_ = false;
                      else if (ec)
                        self->close();
                      else
                        self->on_read(bytes);
                    });
}

void connection::on_read(size_t bytes) {
  if (closed())
    return;
  if (phase_ == phase::lingering)
    return read();
  in_.append(chunk_.data(), bytes);
  if (phase_ == phase::idle)
    enter(phase::head, server_.options.header_deadline);
  if (phase_ == phase::head || phase_ == phase::body)
    advance();
  // To hear of a client that leaves.
  else if (phase_ != phase::asking && in_.size() < most_ahead)
    read();
}

void connection::advance() {
  if (phase_ == phase::head)
    read_head();
  else
    read_body();
}

void connection::read_head() {
  using verdict = api::head_scanner::verdict;
  auto limits = limits_of(server_.options);
  if (started_ == time_point{} && !in_.empty())
    started_ = now();
  auto v = scanner_.scan(in_);
  if (v == verdict::broken)
    return refuse(400, "the request is not HTTP");
  if (v == verdict::incomplete && in_.size() > limits.bytes)
    return refuse(431, "the head of the request is too large");
  if (v == verdict::incomplete)
    return read();
  auto head = std::string_view{in_}.substr(0, scanner_.size());
  if (auto bad = api::check_head(head, limits))
    return refuse(bad->status, bad->reason);
  take_head(head);
}

// `head` is what `in_` begins with.
void connection::take_head(std::string_view head) {
  auto limits = limits_of(server_.options);
  parser_.emplace();
  parser_->eager(true);
  parser_->header_limit(static_cast<uint32_t>(limits.bytes + 1));
  parser_->body_limit(limits.body);
  auto ec = error_code{};
  auto used = parser_->put(boost::asio::buffer(head), ec);
  if (!parser_->is_header_done() || (ec && ec != beast_http::error::need_more))
    return refuse(400, "the head of the request is malformed");
  in_.erase(0, used);
  auto& m = parser_->get();
  old_ = m.version() < 11;
  keep_alive_ = !old_ && m.keep_alive();
  auto id = view(m["x-request-id"]);
  id_ = is_good_id(id) ? std::string{id} : "req-" + server_.random_name();
  authorization_ = view(m["authorization"]);
  content_type_ = view(m["content-type"]);
  trace_ = parse_traceparent(view(m["traceparent"]));
  auto target = view(m.target());
  method_ = view(m.method_string());
  path_ = target.substr(0, target.find('?'));
  endpoint_ = endpoint_of(path_);
  auto host = view(m["host"]);
  at_home_ =
      api::is_local_host(host) && api::is_own_origin(view(m["origin"]), host);
  // The admin plane asks nobody who they are, so pages of other sites must not
  // get there through an operator's browser.
  if (plane_ == plane::admin && !at_home_)
    return refuse(403, "this is for pages and programs of this machine alone");
  admit();
}

// Whether what the client expects can be met.
bool connection::expects() {
  auto expected = parser_->get()[beast_http::field::expect];
  if (expected.empty() || old_)
    return true;
  if (!boost::beast::iequals(expected, "100-continue"))
    return false;
  if (!parser_->is_done() && in_.empty()) {
    unsent_ += "HTTP/1.1 100 Continue\r\n\r\n";
    flush();
  }
  return true;
}

void connection::read_body() {
  while (!parser_->is_done()) {
    if (in_.empty())
      return read();
    auto ec = error_code{};
    auto used = parser_->put(boost::asio::buffer(in_), ec);
    in_.erase(0, used);
    hold(used);
    if (ec == beast_http::error::body_limit)
      return refuse(413, "the body is too large");
    if (ec && ec != beast_http::error::need_more)
      return refuse(400, "the body is malformed");
    if (server_.body_bytes > server_.options.max_bodies_bytes)
      return refuse(503, "too many bytes of requests are held");
    if (in_.size() > most_ahead)
      return refuse(400, "a line of the body is too long");
    if (used == 0)
      return read();
  }
  take_request();
}

void connection::hold(size_t bytes) {
  held_ += bytes;
  server_.body_bytes += bytes;
}

void connection::release() {
  server_.body_bytes -= std::exchange(held_, 0);
}

void connection::take_request() {
  phase_ = phase::busy;
  read_by_.clear();
  auto r = request{method_ == "HEAD" ? "GET" : method_,
                   path_,
                   std::move(parser_->get().body()),
                   id_,
                   started_,
                   std::exchange(content_type_, {}),
                   plane_,
                   at_home_,
                   who_,
                   std::exchange(trace_, {})};
  parser_.reset();
  self_ = shared_from_this();
  read();
  dispatch(server_, self_, std::move(r));
}

// The connection ends with this.
void connection::refuse(int status, std::string_view reason) {
  if (id_.empty())
    id_ = "req-" + server_.random_name();
  keep_alive_ = false;
  phase_ = phase::busy;
  read_by_.clear();
  parser_.reset();
  release();
  auto e = api::api_error{status, std::string{reason}, {}, "bad_request"};
  respond(to_response(e));
}

// -- after an answer ---------------------------------------------------------

void connection::next() {
  scanner_ = {};
  id_.clear();
  method_.clear();
  path_.clear();
  authorization_.clear();
  who_ = nullptr;
  content_type_.clear();
  trace_.reset();
  headers_.clear();
  retry_after_ = {};
  endpoint_ = "none";
  started_ = {};
  if (in_.empty()) {
    enter(phase::idle, server_.options.idle_deadline);
    read();
  } else {
    enter(phase::head, server_.options.header_deadline);
    advance();
  }
}

// Closing while bytes are unread would reset the connection, and the client
// might not see the answer.
void connection::linger() {
  if (server_.stopping)
    return close();
  stream_.finish(shared_from_this());
  in_.clear();
  enter(phase::lingering, server_.options.linger);
  read();
}

} // namespace troupe::http
