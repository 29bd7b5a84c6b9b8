#include "runtime/cluster/transport_doorman.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "runtime/cluster/transport_scribe.hpp"

namespace troupe {

namespace net = caf::io::network;

namespace {

// As with connections: a closed port's number must not be another one's while
// the broker cleans up.
caf::io::accept_handle next_handle() {
  static std::atomic<int64_t> last{int64_t{1} << 32};
  return caf::io::accept_handle::from_int(++last);
}

int open_spare() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int accept_one(int listening) {
  return ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

} // namespace

// -- accepting ----------------------------------------------------------------

guarded_accept::guarded_accept(std::shared_ptr<transport_guard> guard)
    : guard_(std::move(guard)), spare_(open_spare()) {}

guarded_accept::~guarded_accept() {
  if (spare_ >= 0)
    ::close(spare_);
}

bool guarded_accept::try_accept(int& socket, int listening) {
  socket = accept_one(listening);
  if (socket >= 0)
    return true;
  switch (errno) {
  case EMFILE:
  case ENFILE:
  case ENOBUFS:
  case ENOMEM:
    turn_away(listening);
    return false;
  default: // nobody is there any more, or the port is being closed
    return false;
  }
}

void guarded_accept::turn_away(int listening) {
  if (spare_ >= 0)
    ::close(spare_);
  auto socket = accept_one(listening);
  if (socket >= 0) {
    ::close(socket);
    guard_->refused("a peer", "the process has no descriptor left for it");
  }
  spare_ = open_spare();
  // Somebody else was quicker. Rather slow for a moment than busy for long.
  if (socket < 0 || spare_ < 0)
    ::poll(nullptr, 0, 10);
}

// -- the port -----------------------------------------------------------------

guarded_doorman::guarded_doorman(net::default_multiplexer& mx, int socket,
                                 std::shared_ptr<transport_guard> guard,
                                 std::optional<tls_context> tls)
    : doorman(next_handle()), guard_(guard), tls_(std::move(tls)),
      acceptor_(mx, socket, std::move(guard)) {}

bool guarded_doorman::new_connection() {
  auto& mx = acceptor_.backend();
  auto socket = acceptor_.accepted_socket();
  auto address = net::remote_addr_of_fd(socket);
  auto port = net::remote_port_of_fd(socket);
  // Detached: the broker has closed this port, the event was under way.
  if (detached() || !address || !port) {
    net::close_socket(socket);
    return false;
  }
  auto peer = *address + " port " + std::to_string(*port);
  if (auto why = guard_->admit(*address)) {
    guard_->refused(peer, *why);
    net::close_socket(socket);
    return false;
  }
  auto scribe = caf::make_counted<guarded_scribe>(
      mx, socket, link_side::accepted, std::move(peer), *address, guard_, tls_);
  auto handle = scribe->hdl();
  parent()->add_scribe(std::move(scribe));
  return doorman::new_connection(&mx, handle);
}

void guarded_doorman::graceful_shutdown() {
  acceptor_.graceful_shutdown();
  detach(&acceptor_.backend(), false);
}

std::string guarded_doorman::addr() const {
  auto x = net::local_addr_of_fd(acceptor_.fd());
  return x ? *x : "";
}

uint16_t guarded_doorman::port() const {
  auto x = net::local_port_of_fd(acceptor_.fd());
  return x ? *x : 0;
}

} // namespace troupe
