#include <charconv>
#include <ctime>

#include "runtime/http/connection.hpp"

namespace troupe::http {

using boost::system::error_code;

namespace {

/// Of one write, which has one deadline.
constexpr auto piece_bytes = size_t{64} << 10;

// RFC 9110, section 5.6.7.
const std::string& date() {
  thread_local auto second = std::time_t{-1};
  thread_local auto text = std::string{};
  if (auto t = std::time(nullptr); t != second) {
    second = t;
    auto utc = std::tm{};
    gmtime_r(&t, &utc);
    char buffer[64];
    text.assign(buffer, std::strftime(buffer, sizeof(buffer),
                                      "%a, %d %b %Y %H:%M:%S GMT", &utc));
  }
  return text;
}

std::string_view reason_of(int status) {
  auto text = boost::beast::http::obsolete_reason(
      static_cast<boost::beast::http::status>(status));
  return {text.data(), text.size()};
}

} // namespace

void connection::append_head(int status, std::string_view type) {
  unsent_ += "HTTP/1.1 ";
  unsent_ += std::to_string(status);
  unsent_ += ' ';
  unsent_ += reason_of(status);
  unsent_ += "\r\ndate: ";
  unsent_ += date();
  unsent_ += "\r\ncontent-type: ";
  unsent_ += type;
  unsent_ += "\r\nx-request-id: ";
  unsent_ += id_;
  unsent_ += keep_alive_ ? "\r\n" : "\r\nconnection: close\r\n";
  unsent_ += headers_;
  // Whole seconds, of which a part is not enough.
  if (status == 429 || status == 503) {
    auto s = std::chrono::ceil<std::chrono::seconds>(retry_after_).count();
    unsent_ +=
        "retry-after: " + std::to_string(std::max<int64_t>(s, 1)) + "\r\n";
  }
}

void connection::account(int status) {
  server_.counts.requests.with({std::string{endpoint_}, std::to_string(status)})
      .add();
  if (!server_.options.log)
    return;
  auto ms = started_ == time_point{} ? 0. : to_ms(now() - started_);
  char took[32];
  auto end =
      std::to_chars(took, took + sizeof(took), ms, std::chars_format::fixed, 1)
          .ptr;
  server_.options.log(id_ + " " + (method_.empty() ? "-" : method_) + " "
                      + (path_.empty() ? "-" : path_.substr(0, 100)) + " "
                      + std::to_string(status) + " " + std::string{took, end}
                      + " ms");
}

void connection::respond(response r) {
  if (phase_ != phase::busy)
    return;
  account(r.status);
  append_head(r.status, r.type);
  if (!r.allow.empty()) {
    unsent_ += "allow: ";
    unsent_ += r.allow;
    unsent_ += "\r\n";
  }
  unsent_ += "content-length: " + std::to_string(r.body.size()) + "\r\n\r\n";
  if (method_ != "HEAD")
    unsent_ += r.body;
  phase_ = phase::answered;
  flush();
}

void connection::begin_stream() {
  if (phase_ != phase::busy)
    return;
  if (old_)
    keep_alive_ = false;
  append_head(200, "text/event-stream; charset=utf-8");
  unsent_ += "cache-control: no-cache\r\n";
  unsent_ += old_ ? "\r\n" : "transfer-encoding: chunked\r\n\r\n";
}

void connection::stream(std::string_view events, bool last) {
  if (phase_ != phase::busy)
    return;
  if (!events.empty() && old_) {
    unsent_ += events;
  } else if (!events.empty()) {
    char size[20];
    auto end = std::to_chars(size, size + sizeof(size), events.size(), 16).ptr;
    unsent_.append(size, end);
    unsent_ += "\r\n";
    unsent_ += events;
    unsent_ += "\r\n";
  }
  if (last && !old_)
    unsent_ += "0\r\n\r\n";
  if (last) {
    account(200);
    phase_ = phase::answered;
  }
  flush();
  // What is left waits for a client that has not taken what came before.
  if (!last && unsent_.size() > server_.options.max_unsent_bytes)
    close();
}

void connection::flush() {
  if (writing_ || closed() || unsent_.empty())
    return;
  std::swap(sending_, unsent_);
  unsent_.clear();
  sent_ = 0;
  write_piece();
}

void connection::write_piece() {
  writing_ = true;
  write_by_.set(now() + server_.options.write_deadline, weak_from_this(),
                &connection::on_write_late);
  auto left = std::min(sending_.size() - sent_, piece_bytes);
  stream_.write(boost::asio::buffer(sending_.data() + sent_, left),
                [self = shared_from_this()](error_code ec, size_t bytes) {
                  if (ec)
                    return self->close();
                  self->sent_ += bytes;
                  self->sent();
                });
}

void connection::sent() {
  if (closed())
    return;
  if (sent_ < sending_.size())
    return write_piece();
  writing_ = false;
  write_by_.clear();
  if (!unsent_.empty())
    return flush();
  // One large answer must not stay with an idle connection.
  if (sending_.capacity() > piece_bytes)
    sending_ = {};
  if (phase_ != phase::answered)
    return;
  auto self = std::exchange(self_, nullptr);
  work_.reset();
  answer_by_.clear();
  release();
  if (keep_alive_ && !server_.stopping)
    next();
  else
    linger();
}

} // namespace troupe::http
