#include "core/observe/traceparent.hpp"

namespace troupe {

namespace {

// Lower case alone, as the standard wants it.
std::optional<uint64_t> hex(std::string_view digits) {
  auto x = uint64_t{0};
  for (auto c : digits) {
    auto d = c >= '0' && c <= '9'   ? c - '0'
             : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                    : -1;
    if (d < 0)
      return std::nullopt;
    x = x << 4 | static_cast<uint64_t>(d);
  }
  return x;
}

} // namespace

std::optional<trace_origin> parse_traceparent(std::string_view header) {
  // version-trace-parent-flags; later versions may append more.
  constexpr auto size = size_t{55};
  if (header.size() < size || header[2] != '-' || header[35] != '-'
      || header[52] != '-')
    return std::nullopt;
  auto version = hex(header.substr(0, 2));
  auto high = hex(header.substr(3, 16)), low = hex(header.substr(19, 16));
  auto parent = hex(header.substr(36, 16));
  auto flags = hex(header.substr(53, 2));
  if (!version || !high || !low || !parent || !flags || *version == 0xff)
    return std::nullopt;
  if (header.size() > size && (*version == 0 || header[size] != '-'))
    return std::nullopt;
  if ((*high == 0 && *low == 0) || *parent == 0)
    return std::nullopt;
  return trace_origin{{*high, *low}, *parent};
}

} // namespace troupe
