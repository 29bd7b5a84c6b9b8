#include "tools/chaos/forwarder.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <list>
#include <optional>
#include <vector>

namespace chaos {

namespace {

using clock = std::chrono::steady_clock;

constexpr size_t max_queued = size_t{4} << 20; // bytes of one direction

sockaddr_in loopback(uint16_t port) {
  auto a = sockaddr_in{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  a.sin_port = htons(port);
  return a;
}

// One direction of a connection.
struct pipe {
  struct part {
    clock::time_point due;
    std::vector<char> bytes;
  };

  int from;
  int to;
  std::deque<part> parts;
  size_t sent = 0; // of the first part
  size_t queued = 0;
  bool ended = false;  // nothing more comes
  bool closed = false; // and all has gone on
  clock::time_point end_due{};

  // False: the connection is broken.
  bool read(std::chrono::milliseconds delay) {
    char some[1 << 16];
    auto n = ::recv(from, some, sizeof(some), MSG_DONTWAIT);
    if (n < 0)
      return errno == EAGAIN || errno == EINTR;
    auto due = clock::now() + delay;
    // A delay that ends does not let later bytes overtake.
    if (!parts.empty())
      due = std::max(due, parts.back().due);
    if (n == 0) {
      ended = true;
      end_due = due;
      return true;
    }
    parts.push_back({due, {some, some + n}});
    queued += static_cast<size_t>(n);
    return true;
  }

  bool write(clock::time_point now) {
    while (!parts.empty() && parts.front().due <= now) {
      auto& p = parts.front();
      auto n = ::send(to, p.bytes.data() + sent, p.bytes.size() - sent,
                      MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0)
        return errno == EAGAIN || errno == EINTR;
      sent += static_cast<size_t>(n);
      if (sent < p.bytes.size())
        return true;
      queued -= p.bytes.size();
      sent = 0;
      parts.pop_front();
    }
    if (parts.empty() && ended && !closed && end_due <= now) {
      ::shutdown(to, SHUT_WR);
      closed = true;
    }
    return true;
  }

  std::optional<clock::time_point> due() const {
    if (!parts.empty())
      return parts.front().due;
    return ended && !closed ? std::optional{end_due} : std::nullopt;
  }
};

struct connection {
  pipe up;
  pipe down;
  bool over() const { return up.closed && down.closed; }
};

std::optional<connection> accept(int listener, uint16_t to) {
  auto client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0)
    return std::nullopt;
  auto server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto at = loopback(to);
  if (server < 0
      || ::connect(server, reinterpret_cast<sockaddr*>(&at), sizeof(at)) != 0) {
    ::close(client);
    if (server >= 0)
      ::close(server);
    return std::nullopt;
  }
  auto yes = 1;
  for (auto s : {client, server})
    ::setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  return connection{{client, server, {}}, {server, client, {}}};
}

} // namespace

std::unique_ptr<forwarder> forwarder::start(uint16_t to) {
  auto listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  auto at = loopback(0);
  auto size = socklen_t{sizeof(at)};
  if (listener < 0 || wake < 0
      || ::bind(listener, reinterpret_cast<sockaddr*>(&at), size) != 0
      || ::listen(listener, 64) != 0
      || ::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size) != 0)
    return nullptr;
  return std::unique_ptr<forwarder>{
      new forwarder{listener, wake, ntohs(at.sin_port), to}};
}

forwarder::forwarder(int listener, int wake, uint16_t port, uint16_t to)
    : listener_(listener), wake_(wake), port_(port), to_(to),
      thread_([this] { run(); }) {}

forwarder::~forwarder() {
  stop_ = true;
  ::eventfd_write(wake_, 1);
  thread_.join();
  ::close(listener_);
  ::close(wake_);
}

void forwarder::cut(bool yes) {
  cut_ = yes;
  ::eventfd_write(wake_, 1);
}

void forwarder::delay(std::chrono::milliseconds by) {
  delay_ms_ = by.count();
}

void forwarder::run() {
  auto all = std::list<connection>{};
  while (!stop_) {
    auto cut = cut_.load();
    auto now = clock::now();
    auto wait = 1000;
    auto polled = std::vector<pollfd>{{wake_, POLLIN, 0}};
    auto each = [&](auto f) {
      for (auto& c : all)
        for (auto* p : {&c.up, &c.down})
          f(*p);
    };
    if (!cut) {
      polled.push_back({listener_, POLLIN, 0});
      each([&](pipe& p) {
        auto in = !p.ended && p.queued < max_queued;
        auto due = p.due();
        auto out = due && *due <= now;
        if (due && !out)
          wait = std::min(
              wait, static_cast<int>(
                        std::chrono::ceil<std::chrono::milliseconds>(*due - now)
                            .count()));
        // A descriptor below zero is passed over; POLLHUP would not be.
        polled.push_back({in ? p.from : -1, POLLIN, 0});
        polled.push_back({out ? p.to : -1, POLLOUT, 0});
      });
    }
    ::poll(polled.data(), polled.size(), wait);
    if (polled[0].revents != 0) {
      auto ignored = eventfd_t{};
      ::eventfd_read(wake_, &ignored);
    }
    if (cut || cut_)
      continue;
    now = clock::now();
    auto delay = std::chrono::milliseconds{delay_ms_.load()};
    auto i = size_t{2};
    for (auto c = all.begin(); c != all.end();) {
      auto ok = true;
      for (auto* p : {&c->up, &c->down}) {
        if (polled[i].revents != 0)
          ok = p->read(delay) && ok;
        ok = p->write(now) && ok;
        i += 2;
      }
      if (ok && !c->over()) {
        ++c;
        continue;
      }
      ::close(c->up.from);
      ::close(c->up.to);
      c = all.erase(c);
    }
    if (polled[1].revents != 0)
      if (auto c = accept(listener_, to_))
        all.push_back(std::move(*c));
  }
  for (auto& c : all) {
    ::close(c.up.from);
    ::close(c.up.to);
  }
}

} // namespace chaos
