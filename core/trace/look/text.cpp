#include "core/trace/look/text.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace troupe::trace_words {

namespace {

std::string formatted(const char* how, double x, const char* unit) {
  char text[48];
  std::snprintf(text, sizeof text, how, x);
  return std::string{text} + unit;
}

// Three digits that tell.
std::string three(double x, const char* unit) {
  return formatted(x < 9.995   ? "%.2f "
                   : x < 99.95 ? "%.1f "
                               : "%.0f ",
                   x, unit);
}

} // namespace

std::string printable(std::string_view s) {
  auto text = std::string{s};
  for (auto& c : text)
    if (c < 0x20 || c > 0x7e)
      c = '?';
  return text;
}

std::string duration(int64_t ns, bool ascii) {
  if (ns < 0)
    return "-" + duration(ns == INT64_MIN ? INT64_MAX : -ns, ascii);
  if (ns < 1000)
    return std::to_string(ns) + " ns";
  auto x = static_cast<double>(ns);
  if (ns < 999'500)
    return three(x / 1e3, ascii ? "us" : "µs");
  if (ns < 999'500'000)
    return three(x / 1e6, "ms");
  return x < 999.5e9 ? three(x / 1e9, "s") : formatted("%.0f ", x / 1e9, "s");
}

std::string exact_ms(int64_t ns) {
  auto magnitude = ns < 0 ? uint64_t{0} - static_cast<uint64_t>(ns)
                          : static_cast<uint64_t>(ns);
  auto rest = std::to_string(magnitude % 1'000'000);
  return (ns < 0 ? "-" : "") + std::to_string(magnitude / 1'000'000) + "."
         + std::string(6 - rest.size(), '0') + rest;
}

std::string bytes(uint64_t n) {
  if (n < 1024)
    return std::to_string(n) + " B";
  auto x = static_cast<double>(n) / 1024;
  if (x < 1024)
    return formatted("%.1f ", x, "KiB");
  x /= 1024;
  return x < 1024 ? formatted("%.1f ", x, "MiB")
                  : formatted("%.1f ", x / 1024, "GiB");
}

std::string json(std::string_view s) {
  return nlohmann::json(std::string{s})
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string xml(std::string_view s) {
  auto text = std::string{};
  for (auto c : s)
    switch (c) {
    case '<':
      text += "&lt;";
      break;
    case '>':
      text += "&gt;";
      break;
    case '&':
      text += "&amp;";
      break;
    case '"':
      text += "&quot;";
      break;
    case '\'':
      text += "&#39;";
      break;
    default:
      text += c;
    }
  return text;
}

size_t width(std::string_view s) {
  return static_cast<size_t>(std::count_if(
      s.begin(), s.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string left(std::string_view s, size_t n) {
  auto w = width(s);
  return std::string{s} + std::string(w < n ? n - w : 0, ' ');
}

std::string right(std::string_view s, size_t n) {
  auto w = width(s);
  return std::string(w < n ? n - w : 0, ' ') + std::string{s};
}

} // namespace troupe::trace_words
