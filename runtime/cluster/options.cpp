#include "runtime/cluster/options.hpp"

#include <charconv>

namespace troupe {

result<node_address> parse_address(const std::string& text) {
  auto bad = fail(errc::invalid_argument,
                  "\"" + text + "\" is no address; write HOST:PORT");
  auto a = node_address{"127.0.0.1", default_cluster_port};
  auto port = std::string{};
  if (text.empty())
    return bad;
  if (text.front() == '[') {
    auto end = text.find(']');
    if (end == std::string::npos || end == 1)
      return bad;
    a.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
  } else {
    auto colon = text.find(':');
    if (colon != std::string::npos
        && text.find(':', colon + 1) != std::string::npos)
      return bad; // an IPv6 address without its brackets
    if (colon != 0)
      a.host = text.substr(0, colon);
    if (colon != std::string::npos)
      port = text.substr(colon);
  }
  if (port.empty())
    return a;
  auto first = port.data() + 1;
  auto last = port.data() + port.size();
  auto parsed = std::from_chars(first, last, a.port);
  if (port.front() != ':' || first == last || parsed.ec != std::errc{}
      || parsed.ptr != last)
    return bad;
  return a;
}

std::string to_string(const node_address& a) {
  auto v6 = a.host.find(':') != std::string::npos;
  return (v6 ? "[" + a.host + "]" : a.host) + ":" + std::to_string(a.port);
}

} // namespace troupe
