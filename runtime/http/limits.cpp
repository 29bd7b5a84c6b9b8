#include "runtime/http/limits.hpp"

#include <array>
#include <string_view>
#include <utility>

namespace troupe::http {

namespace {

void append(std::string& to, std::string_view what, std::string_view name,
            const std::string& value) {
  to += "x-ratelimit-";
  to += what;
  to += '-';
  to += name;
  to += ": ";
  to += value;
  to += "\r\n";
}

} // namespace

std::string limit_headers(const limits_status& s) {
  constexpr auto kinds =
      std::array{std::pair{limited::requests, "requests"},
                 std::pair{limited::input_tokens, "input-tokens"},
                 std::pair{limited::output_tokens, "output-tokens"}};
  auto lines = std::string{};
  for (auto& [kind, name] : kinds) {
    auto& l = s[static_cast<size_t>(kind)];
    if (!l)
      continue;
    append(lines, "limit", name, std::to_string(l->burst));
    append(lines, "remaining", name, std::to_string(l->left));
    if (l->full_in == duration::max()) // it never is again
      continue;
    auto ms = std::chrono::ceil<std::chrono::milliseconds>(l->full_in).count();
    append(lines, "reset", name, std::to_string(ms) + "ms");
  }
  return lines;
}

} // namespace troupe::http
