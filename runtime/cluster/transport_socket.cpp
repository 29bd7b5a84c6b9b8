#include "runtime/cluster/transport_socket.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>

namespace troupe {

namespace {

using clock = std::chrono::steady_clock;

constexpr auto probe_after = 5; // s
constexpr auto probe_every = 2; // s
constexpr auto probes = 3;

bool loopback4(const in_addr& a) {
  return ntohl(a.s_addr) >> 24 == 127;
}

bool loopback6(const in6_addr& a) {
  return IN6_IS_ADDR_LOOPBACK(&a)
         || (IN6_IS_ADDR_V4MAPPED(&a) && a.s6_addr[12] == 127);
}

bool loopback(const sockaddr* a) {
  if (a->sa_family == AF_INET)
    return loopback4(reinterpret_cast<const sockaddr_in*>(a)->sin_addr);
  return a->sa_family == AF_INET6
         && loopback6(reinterpret_cast<const sockaddr_in6*>(a)->sin6_addr);
}

void set(int socket, int level, int option, int value) {
  ::setsockopt(socket, level, option, &value, sizeof(value));
}

// 0, or what went wrong as an errno.
int wait_connected(int socket, clock::time_point until) {
  while (true) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - clock::now());
    auto p = pollfd{socket, POLLOUT, 0};
    auto n =
        ::poll(&p, 1, static_cast<int>(std::max<int64_t>(0, left.count())));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return n == 0 ? ETIMEDOUT : errno;
    auto why = 0;
    auto size = socklen_t{sizeof(why)};
    ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &why, &size);
    return why;
  }
}

} // namespace

bool is_loopback(const std::string& address) {
  auto v4 = in_addr{};
  auto v6 = in6_addr{};
  if (::inet_pton(AF_INET, address.c_str(), &v4) == 1)
    return loopback4(v4);
  return ::inet_pton(AF_INET6, address.c_str(), &v6) == 1 && loopback6(v6);
}

void watch_link(int socket, std::chrono::milliseconds ack_deadline) {
  set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT,
      static_cast<int>(std::clamp<int64_t>(ack_deadline.count(), 0, INT_MAX)));
  set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(socket, IPPROTO_TCP, TCP_KEEPIDLE, probe_after);
  set(socket, IPPROTO_TCP, TCP_KEEPINTVL, probe_every);
  set(socket, IPPROTO_TCP, TCP_KEEPCNT, probes);
}

result<int> dial(const std::string& host, uint16_t port, bool loopback_only,
                 std::chrono::milliseconds deadline) {
  auto name = host + ":" + std::to_string(port);
  auto until = clock::now() + deadline;
  auto hints = addrinfo{};
  hints.ai_socktype = SOCK_STREAM;
  auto* found = static_cast<addrinfo*>(nullptr);
  if (auto e = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints,
                             &found))
    return fail(errc::io_error, name + ": " + ::gai_strerror(e));
  auto all = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>{
      found, &::freeaddrinfo};
  auto why = ECONNREFUSED;
  auto addresses = 0;
  for (auto* a = found; a != nullptr; a = a->ai_next)
    ++addresses;
  for (auto* a = found; a != nullptr; a = a->ai_next, --addresses) {
    if (loopback_only && !loopback(a->ai_addr))
      return fail(errc::invalid_argument,
                  name
                      + ": not this machine, and beyond it nodes speak "
                        "mutual TLS only: configure tls");
    auto s =
        ::socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s < 0) {
      why = errno;
      continue;
    }
    why = ::connect(s, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
    // One address that never answers leaves the others their share.
    auto now = clock::now();
    if (why == EINPROGRESS || why == EINTR)
      why = wait_connected(s, now + (until - now) / addresses);
    if (why == 0)
      return s;
    ::close(s);
  }
  return fail(why == ETIMEDOUT ? errc::timeout : errc::io_error,
              name + ": " + std::strerror(why));
}

} // namespace troupe
