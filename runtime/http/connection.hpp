#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "core/api/http_check.hpp"
#include "runtime/http/client_stream.hpp"
#include "runtime/http/message.hpp"
#include "runtime/http/state.hpp"

namespace troupe::http {

class connection;

/// What makes an answer.
class job {
public:
  virtual ~job() = default;
  /// It has had its time: the answer ends with an error.
  virtual void expire(connection& to) = 0;
};

/// A point of time at which something must have happened. Moving it later costs
/// nothing: the timer looks when it wakes.
class deadline {
public:
  explicit deadline(boost::asio::io_context& io) : timer_(io) {}

  /// `expired` is called at `at`, unless this is set anew or cleared. `owner`
  /// holds this.
  void set(time_point at, std::weak_ptr<connection> owner,
           void (connection::*expired)());
  void clear() { at_ = never; }
  /// For good.
  void stop();

private:
  static constexpr auto never = time_point::max();
  boost::asio::steady_timer timer_;
  time_point at_ = never;
  time_point armed_ = never; ///< when the timer wakes
};

/// One client's connection: reads a request, has it answered, reads the next.
/// That of operators is never over TLS.
/// Owned by its pending operations. Of the server's thread.
class connection : public std::enable_shared_from_this<connection> {
public:
  connection(server_state& server, boost::asio::ip::tcp::socket socket,
             plane at);
  ~connection();

  void start();
  /// At once; what was asked for is cancelled.
  void close();
  bool closed() const { return phase_ == phase::closed; }

  // -- for whoever answers ---------------------------------------------------

  /// Further headers of this answer, each with its line end.
  void add_headers(std::string_view lines) { headers_ += lines; }
  /// With status 429 or 503; by default a second.
  void retry_after(duration d) { retry_after_ = d; }

  /// What makes the answer; dropped when the client is gone, and when it has
  /// been sent.
  void work(std::shared_ptr<job> w);

  void respond(response r);

  /// The head of an answer in server-sent events; goes out with the first.
  void begin_stream();
  /// Events in one write, as far as the client keeps up; one that does not is
  /// cut off.
  void stream(std::string_view events, bool last);

private:
  enum class phase : uint8_t {
    idle,      ///< between requests
    head,      ///< reads one, after the handshake if there is one
    asking,    ///< its key is looked at; reads nothing
    body,      ///< reads one
    busy,      ///< it is being answered
    answered,  ///< all of the answer is on its way
    lingering, ///< reads what nobody wants, so that the answer arrives
    closed,
  };
  using parser =
      boost::beast::http::request_parser<boost::beast::http::string_body>;

  void on_open(boost::system::error_code ec);
  void read();
  void on_read(size_t bytes);
  void enter(phase p, duration most);
  void on_read_late();
  void on_write_late() { close(); }
  void on_answer_late();
  void advance();
  void read_head();
  void take_head(std::string_view head);
  void admit();
  void ask_for(std::string key);
  void let_in(const api_key* who);
  void turn_away(bool has_key);
  bool expects();
  void read_body();
  void hold(size_t bytes);
  void release();
  void take_request();
  void refuse(int status, std::string_view reason);
  void next();
  void linger();

  void append_head(int status, std::string_view type);
  void account(int status);
  void flush();
  void write_piece();
  void sent();

  server_state& server_;
  plane plane_;
  client_stream stream_;
  deadline read_by_;
  deadline write_by_;
  deadline answer_by_;
  phase phase_ = phase::idle;

  std::array<char, 8192> chunk_; ///< what a read fills
  std::string in_;               ///< not consumed yet
  bool reading_ = false;
  api::head_scanner scanner_;
  std::optional<parser> parser_;
  uint64_t held_ = 0; ///< bytes of the body

  // Of the request that is answered.
  std::string id_;
  std::string method_;
  std::string path_;
  std::string authorization_; ///< until it has been looked at
  const api_key* who_ = nullptr;
  std::string content_type_;
  std::optional<trace_origin> trace_;
  std::string headers_; ///< of the answer
  duration retry_after_ = {};
  std::string_view endpoint_ = "none"; ///< for metrics
  time_point started_{};
  bool at_home_ = false; ///< asked for by this machine's name, by no other site
  bool keep_alive_ = false;
  bool old_ = false; ///< HTTP/1.0: a stream ends with the connection
  std::shared_ptr<job> work_;
  /// While it is answered, when nothing may be pending.
  std::shared_ptr<connection> self_;

  std::string unsent_;
  std::string sending_;
  size_t sent_ = 0; ///< of `sending_`
  bool writing_ = false;
};

} // namespace troupe::http
