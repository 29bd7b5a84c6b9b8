#pragma once

#include <array>
#include <string>
#include <string_view>

#include "core/base/random.hpp"
#include "core/text/utf8.hpp"

namespace troupe::test {

/// Numbers, one after another, that are the same in every run.
class dice {
public:
  explicit dice(uint64_t seed) : seed_(seed) {}
  /// 0 to n - 1.
  size_t roll(size_t n) { return random_bits(seed_, at_++) % n; }

private:
  uint64_t seed_;
  uint64_t at_ = 0;
};

/// Scraps that pre-tokenizers and merges care about, and any code points.
inline std::string random_utf8(dice& d, size_t scraps) {
  constexpr auto all = std::array<std::string_view, 44>{
      "a",      "b",      "he",     "hello",  " world", " the",   "X",
      "É",      "ß",      "你好",   "ſ",      "'s",     "'S",     "'ſ",
      "'ll",    "'Re",    "'t",     "'",      " '",     "\"",     " ",
      " ",      "  ",     "   ",    "\n",     "\n\n",   "\r\n",   "\t",
      "\u00A0", "\u3000", "\u2028", "\u0085", "\u180E", "\u200B", "1",
      "23",     "4567",   "½",      "Ⅷ",      "١",      "!",      "...",
      "🙂",   "e\u0301"};
  auto s = std::string{};
  for (auto i = size_t{0}; i < scraps; ++i) {
    auto kind = d.roll(8);
    if (kind > 0) {
      s += all[d.roll(all.size())];
      continue;
    }
    auto code = static_cast<char32_t>(d.roll(d.roll(2) ? 0x3000 : 0x110000));
    if (code < 0xD800 || code > 0xDFFF)
      append_utf8(code, s);
  }
  return s;
}

/// The same with bytes changed, dropped and put in.
inline std::string random_bytes(dice& d, size_t scraps) {
  auto s = random_utf8(d, scraps);
  for (auto n = d.roll(4); n > 0 && !s.empty(); --n) {
    auto at = d.roll(s.size());
    auto byte = static_cast<char>(d.roll(256));
    if (auto what = d.roll(3); what == 0)
      s[at] = byte;
    else if (what == 1)
      s.erase(at, 1);
    else
      s.insert(at, 1, byte);
  }
  return s;
}

} // namespace troupe::test
