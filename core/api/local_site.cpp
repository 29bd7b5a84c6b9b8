#include "core/api/local_site.hpp"

#include <algorithm>

namespace troupe::api {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// "127.1.2.3": four numbers, of which nothing else is asked, since it is only
// compared with names that a browser would look up.
bool is_loopback_v4(std::string_view s) {
  if (!s.starts_with("127."))
    return false;
  return std::count(s.begin(), s.end(), '.') == 3
         && std::all_of(s.begin(), s.end(),
                        [](char c) { return is_digit(c) || c == '.'; });
}

std::string_view without_port(std::string_view host) {
  auto colon = host.rfind(':');
  if (colon == std::string_view::npos)
    return host;
  auto port = host.substr(colon + 1);
  auto number =
      !port.empty() && std::all_of(port.begin(), port.end(), is_digit);
  // What follows a colon in brackets is no port.
  if (!number || host.back() == ']')
    return host;
  return host.substr(0, colon);
}

bool is_localhost(std::string_view s) {
  constexpr auto name = std::string_view{"localhost"};
  return s.size() == name.size()
         && std::equal(s.begin(), s.end(), name.begin(), [](char a, char b) {
              return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b;
            });
}

} // namespace

bool is_local_host(std::string_view host) {
  auto name = without_port(host);
  return is_localhost(name) || name == "[::1]" || is_loopback_v4(name);
}

bool is_own_origin(std::string_view origin, std::string_view host) {
  if (origin.empty())
    return true;
  for (auto scheme :
       {std::string_view{"http://"}, std::string_view{"https://"}})
    if (origin.starts_with(scheme))
      return origin.substr(scheme.size()) == host;
  return false;
}

} // namespace troupe::api
