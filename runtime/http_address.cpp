#include "runtime/http_address.hpp"

#include <string_view>

namespace troupe {

result<http_address> parse_http_address(const std::string& url) {
  constexpr auto scheme = std::string_view{"http://"};
  auto bad = fail(errc::invalid_argument,
                  "'" + url + "' is no address like http://127.0.0.1:4318");
  if (!url.starts_with(scheme))
    return bad;
  auto rest = url.substr(scheme.size());
  auto a = http_address{};
  if (auto slash = rest.find('/'); slash != std::string::npos) {
    a.path = rest.substr(slash);
    rest.resize(slash);
  }
  while (a.path.ends_with('/'))
    a.path.pop_back();
  // [::1]:80
  auto literal = rest.starts_with('[');
  auto end = literal ? rest.find(']') : rest.find(':');
  if (literal && end == std::string::npos)
    return bad;
  a.host = literal ? rest.substr(1, end - 1) : rest.substr(0, end);
  auto after = literal                    ? rest.substr(end + 1)
               : end == std::string::npos ? std::string{}
                                          : rest.substr(end);
  if (!after.empty() && after[0] != ':')
    return bad;
  a.port = after.empty() ? "80" : after.substr(1);
  auto digits = a.port.find_first_not_of("0123456789") == std::string::npos;
  if (a.host.empty() || a.port.empty() || a.port.size() > 5 || !digits
      || std::stoul(a.port) > 65535
      || url.find_first_of(" \r\n\t") != std::string::npos)
    return bad;
  return a;
}

} // namespace troupe
