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
  auto colon = rest.rfind(':');
  a.host = rest.substr(0, colon);
  a.port = colon == std::string::npos ? "80" : rest.substr(colon + 1);
  auto digits = a.port.find_first_not_of("0123456789") == std::string::npos;
  if (a.host.empty() || a.port.empty() || a.port.size() > 5 || !digits
      || url.find_first_of(" \r\n\t") != std::string::npos)
    return bad;
  return a;
}

} // namespace troupe
