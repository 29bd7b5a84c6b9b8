#include "core/observe/metrics_snapshot.hpp"

#include <algorithm>
#include <cmath>

namespace troupe {

namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_name(std::string_view s, bool colons) {
  auto begins = [&](char c) { return is_letter(c) || (colons && c == ':'); };
  return !s.empty() && begins(s[0]) && std::ranges::all_of(s, [&](char c) {
    return begins(c) || is_digit(c);
  });
}

// Bytes of the UTF-8 character that `s` begins with; 0 if there is none.
size_t utf8_length(std::string_view s) {
  auto byte = [&](size_t i) -> uint32_t {
    return i < s.size() ? static_cast<unsigned char>(s[i]) : 0;
  };
  auto tail = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  auto b = byte(0);
  if (b < 0x80)
    return 1;
  if (b >= 0xc2 && b < 0xe0 && tail(1))
    return 2;
  // No overlong forms, surrogates or numbers beyond 0x10ffff.
  auto second = b << 8 | byte(1);
  if (b >= 0xe0 && b < 0xf0 && tail(1) && tail(2) && second >= 0xe0a0
      && (second < 0xeda0 || second >= 0xee00))
    return 3;
  if (b >= 0xf0 && b < 0xf5 && tail(1) && tail(2) && tail(3) && second >= 0xf090
      && second < 0xf490)
    return 4;
  return 0;
}

} // namespace

std::vector<double> latency_bounds() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
          0.5,   1,      2.5,   5,    10,    20,   30,  60};
}

result<void> check(const metric_description& about) {
  auto wrong = [&](const std::string& why) {
    return fail(errc::invalid_argument, as_utf8(about.name) + ": " + why);
  };
  if (!is_name(about.name, true))
    return wrong("not a metric's name");
  for (auto& l : about.label_names) {
    if (!is_name(l, false) || l.starts_with("__") || l == "le"
        || l == "quantile")
      return wrong("not a label's name: " + as_utf8(l));
    if (std::ranges::count(about.label_names, l) > 1)
      return wrong("twice the same label: " + l);
  }
  if (!std::isfinite(about.scale) || about.scale <= 0)
    return wrong("the scale must be above 0");
  auto last = -1.;
  for (auto b : about.bounds) {
    if (!std::isfinite(b) || b <= last)
      return wrong("bounds must ascend");
    last = b;
  }
  return {};
}

std::vector<uint64_t> bucket_counts(const histogram_counts& h,
                                    const metric_description& about) {
  auto recorded = std::vector<uint64_t>{};
  for (auto b : about.bounds) {
    // Beyond what a histogram tells apart, all is within.
    auto most = static_cast<double>(log_linear::largest);
    auto x = std::min(std::round(b / about.scale), most);
    recorded.push_back(static_cast<uint64_t>(x));
  }
  auto counts = h.at_most(recorded);
  counts.push_back(h.count());
  for (auto i = counts.size() - 1; i > 0; --i)
    counts[i] -= counts[i - 1];
  return counts;
}

std::string as_utf8(std::string_view text) {
  auto s = std::string{};
  s.reserve(text.size());
  while (!text.empty()) {
    auto n = utf8_length(text);
    if (n == 0)
      s += '?';
    else
      s += text.substr(0, n);
    text.remove_prefix(std::max(n, size_t{1}));
  }
  return s;
}

} // namespace troupe
