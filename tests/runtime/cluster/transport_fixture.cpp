#include "tests/runtime/cluster/transport_fixture.hpp"

#include <boost/test/unit_test.hpp>

#include <caf/binary_serializer.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/sanitized.hpp"

namespace troupe::testing {

raw_peer::raw_peer(uint16_t port)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  auto a = sockaddr_in{};
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (socket_ < 0
      || ::connect(socket_, reinterpret_cast<sockaddr*>(&a), sizeof(a)) != 0)
    throw std::runtime_error(std::string{"connect: "} + std::strerror(errno));
  auto limit = timeval{patience.count(), 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

raw_peer::~raw_peer() {
  if (socket_ >= 0)
    ::close(socket_);
}

bool raw_peer::send(const std::string& bytes) {
  for (auto at = size_t{0}; at < bytes.size();) {
    auto n =
        ::send(socket_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
    if (n <= 0)
      return false;
    at += static_cast<size_t>(n);
  }
  return true;
}

void raw_peer::half_close() {
  ::shutdown(socket_, SHUT_WR);
}

bool raw_peer::closed() {
  char part[4096];
  while (true) {
    auto n = ::recv(socket_, part, sizeof(part), 0);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
      return true;
    if (n < 0)
      return false;
  }
}

std::string basp_header(uint8_t kind, uint32_t payload, uint64_t operation_data,
                        uint64_t from, uint64_t to) {
  auto h = std::string(4, '\0');
  h[0] = static_cast<char>(kind);
  auto put = [&](uint64_t x, int bytes) {
    for (auto i = bytes - 1; i >= 0; --i)
      h += static_cast<char>(x >> (8 * i) & 0xff);
  };
  put(payload, 4);
  put(operation_data, 8);
  put(from, 8);
  put(to, 8);
  return h;
}

std::string basp_handshake(caf::actor_system& system, uint32_t node) {
  auto bytes = std::vector<char>{};
  auto sink = caf::binary_serializer{system, bytes};
  auto id = caf::make_node_id(node, std::string(40, 'a'));
  if (!id || sink(*id))
    throw std::runtime_error("no node id");
  return basp_header(1, static_cast<uint32_t>(bytes.size()))
         + std::string{bytes.begin(), bytes.end()};
}

std::string basp_message(caf::actor_system& system, uint64_t to,
                         const caf::message& content) {
  auto bytes = std::vector<char>{};
  auto sink = caf::binary_serializer{system, bytes};
  auto stages = std::vector<caf::strong_actor_ptr>{};
  auto copy = content;
  if (sink(stages, copy))
    throw std::runtime_error("not serialised");
  return basp_header(2, static_cast<uint32_t>(bytes.size()), 0, 1, to)
         + std::string{bytes.begin(), bytes.end()};
}

bool raise_descriptors(size_t n) {
  auto most = rlimit{};
  ::getrlimit(RLIMIT_NOFILE, &most);
  if (most.rlim_cur >= n)
    return true;
  most.rlim_cur = n;
  if (n <= most.rlim_max && ::setrlimit(RLIMIT_NOFILE, &most) == 0)
    return true;
  BOOST_TEST_MESSAGE("skipped: needs " << n << " open files");
  return false;
}

size_t peak_memory() {
  auto used = rusage{};
  ::getrusage(RUSAGE_SELF, &used);
  return static_cast<size_t>(used.ru_maxrss) * 1024;
}

bool grew_less(size_t before, size_t bytes) {
#ifdef TROUPE_TEST_SANITIZED
  bytes += size_t{1} << 30;
#endif
  return peak_memory() < before + bytes;
}

} // namespace troupe::testing
