#include "runtime/cluster/transport_scribe.hpp"

#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "runtime/cluster/transport_socket.hpp"

namespace troupe {

namespace net = caf::io::network;

namespace {

// CAF names connections by their sockets' numbers. The system gives a closed
// socket's number to the next one, whose state the broker's late clean-up
// would then erase: number them apart.
caf::io::connection_handle next_handle() {
  static std::atomic<int64_t> last{int64_t{1} << 32};
  return caf::io::connection_handle::from_int(++last);
}

std::chrono::steady_clock::time_point now() {
  return std::chrono::steady_clock::now();
}

io_step by_errno(ssize_t moved, io_step again) {
  if (moved > 0)
    return io_step::done;
  if (moved == 0)
    return io_step::closed;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR
             ? again
             : io_step::failed;
}

} // namespace

// -- policy -------------------------------------------------------------------

net::rw_state guarded_policy::read_some(size_t& n, native_socket, void* to,
                                        size_t most) {
  return scribe->read_some(n, to, most);
}

net::rw_state guarded_policy::write_some(size_t& n, native_socket,
                                         const void* from, size_t most) {
  return scribe->write_some(n, from, most);
}

bool guarded_policy::must_read_more(native_socket, size_t threshold) {
  auto& s = *scribe;
  return s.ready_ && !s.refused_ && s.tls_ && s.tls_->pending() >= threshold;
}

// -- life ---------------------------------------------------------------------

guarded_scribe::guarded_scribe(net::default_multiplexer& mx, int socket,
                               link_side side, std::string peer,
                               const std::string& address,
                               std::shared_ptr<transport_guard> guard,
                               const std::optional<tls_context>& tls)
    : scribe(next_handle()), peer_(std::move(peer)), guard_(std::move(guard)),
      frames_(side, guard_->limits().max_frame), ready_(!tls),
      stream_(mx, socket, this) {
  if (tls)
    tls_.emplace(*tls, socket,
                 side == link_side::accepted ? tls_session::role::server
                                             : tls_session::role::client);
  watch_link(socket, guard_->limits().ack_deadline);
  id_ = guard_->add(*this, address, side, now());
}

guarded_scribe::~guarded_scribe() {
  guard_->remove(id_);
}

void guarded_scribe::refuse(const std::string& why) {
  if (refused_)
    return;
  refused_ = true;
  if (!why.empty())
    guard_->refused(peer_, why);
  // The stream sees that the connection has ended and takes it down as it
  // takes down any other; doing so here would pull it from under a caller.
  ::shutdown(stream_.fd(), SHUT_RDWR);
}

void guarded_scribe::graceful_shutdown() {
  guard_->closing(id_, now());
  stream_.graceful_shutdown();
  detach(&stream_.backend(), false);
}

std::string guarded_scribe::addr() const {
  auto x = net::remote_addr_of_fd(stream_.fd());
  return x ? *x : "";
}

uint16_t guarded_scribe::port() const {
  auto x = net::remote_port_of_fd(stream_.fd());
  return x ? *x : 0;
}

// -- reading ------------------------------------------------------------------

void guarded_scribe::configure_read(caf::io::receive_policy::config config) {
  // `consume` has refused larger frames already: the broker asks for what the
  // header said.
  if (config.second > guard_->limits().max_frame)
    return refuse("a frame of " + std::to_string(config.second) + " bytes");
  stream_.configure_read(config);
  if (launched_)
    return;
  launched_ = true;
  stream_.start(this);
  if (ready_)
    return;
  // The client's first bytes.
  if (auto s = advance(); s == io_step::want_write)
    stream_.force_empty_write(this);
  else if (s == io_step::failed || s == io_step::closed)
    refuse("TLS: " + tls_->failure());
}

bool guarded_scribe::consume(caf::execution_unit* ctx, const void* data,
                             size_t n) {
  // True although nothing more will come: the next read tells the broker that
  // the connection has ended, and false would cancel it.
  if (refused_)
    return true;
  auto was_established = frames_.established();
  if (auto why = frames_.take({static_cast<const char*>(data), n})) {
    refuse(*why);
    return true;
  }
  if (frames_.established() && !was_established)
    guard_->established(id_);
  watch_frames();
  return refused_ || scribe::consume(ctx, data, n);
}

void guarded_scribe::watch_frames() {
  auto due = frames_.due();
  if (frames_.established())
    guard_->due(id_,
                due > 0 ? std::optional{now() + guard_->limits().frame_deadline}
                        : std::nullopt);
  if (due <= largest_)
    return;
  largest_ = due;
  if (!guard_->buffers(id_, largest_ + 2 * wr_buf().capacity()))
    refuse("buffers of all connections together would be too large");
}

net::rw_state guarded_scribe::read_some(size_t& n, void* to, size_t most) {
  n = 0;
  if (refused_)
    return rw_state::failure;
  if (!ready_) {
    auto s = advance();
    if (s == io_step::want_write)
      stream_.force_empty_write(this);
    if (s == io_step::closed || s == io_step::failed)
      return lost(s, "TLS: " + tls_->failure());
    if (s != io_step::done)
      return rw_state::success;
  }
  if (tls_) {
    auto s = tls_->read(to, most, n);
    if (s == io_step::closed || s == io_step::failed)
      return lost(s, "TLS: " + tls_->failure());
    if (n > 0)
      guard_->heard(id_, now());
    return rw_state::success;
  }
  auto moved = ::recv(stream_.fd(), to, most, 0);
  auto s = by_errno(moved, io_step::want_read);
  if (s == io_step::closed || s == io_step::failed)
    return lost(s, std::strerror(errno));
  n = moved > 0 ? static_cast<size_t>(moved) : 0;
  if (n > 0)
    guard_->heard(id_, now());
  return rw_state::success;
}

// A peer that goes away is nothing to log unless it never was one. It may have
// closed its side only: what we still write to it has to be read in time.
net::rw_state guarded_scribe::lost(io_step how, const std::string& why) {
  guard_->closing(id_, now());
  if (!frames_.established())
    refuse(how == io_step::closed ? "closed before its handshake" : why);
  return rw_state::failure;
}

// -- writing ------------------------------------------------------------------

std::vector<char>& guarded_scribe::wr_buf() {
  return ready_ ? stream_.wr_buf() : held_;
}

void guarded_scribe::flush() {
  auto& out = wr_buf();
  auto& limits = guard_->limits();
  if (!refused_ && out.size() > limits.max_unsent)
    refuse(std::to_string(out.size()) + " bytes wait for it to read them");
  // What is being written just now takes as much again.
  else if (!refused_ && out.size() > frame_check::max_handshake
           && !guard_->buffers(id_, largest_ + 2 * out.capacity()))
    refuse("buffers of all connections together would be too large");
  if (refused_)
    std::vector<char>{}.swap(out);
  else if (ready_)
    stream_.flush(this);
}

net::rw_state guarded_scribe::write_some(size_t& n, const void* from,
                                         size_t most) {
  n = 0;
  if (refused_)
    return rw_state::failure;
  if (!ready_) {
    auto s = advance();
    if (s == io_step::closed || s == io_step::failed)
      return lost(s, "TLS: " + tls_->failure());
    // Indeterminate: nothing was to be written but the handshake, look at the
    // buffers again.
    return s == io_step::want_write ? rw_state::success
                                    : rw_state::indeterminate;
  }
  if (most == 0)
    return rw_state::indeterminate;
  if (tls_) {
    auto s = tls_->write(from, most, n);
    return s == io_step::closed || s == io_step::failed
               ? lost(s, "TLS: " + tls_->failure())
               : rw_state::success;
  }
  auto moved = ::send(stream_.fd(), from, most, MSG_NOSIGNAL);
  auto s = by_errno(moved, io_step::want_write);
  if (s == io_step::closed || s == io_step::failed)
    return lost(s, std::strerror(errno));
  n = moved > 0 ? static_cast<size_t>(moved) : 0;
  return rw_state::success;
}

io_step guarded_scribe::advance() {
  auto s = tls_->handshake();
  if (s != io_step::done)
    return s;
  ready_ = true;
  stream_.wr_buf().swap(held_);
  std::vector<char>{}.swap(held_);
  flush();
  return s;
}

} // namespace troupe
