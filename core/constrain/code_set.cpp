#include "core/constrain/code_set.hpp"

#include <algorithm>

namespace troupe::constrain {

namespace {

constexpr auto first_surrogate = char32_t{0xd800};
constexpr auto last_surrogate = char32_t{0xdfff};

} // namespace

code_set::code_set(std::initializer_list<range> ranges) {
  for (auto& r : ranges)
    add(r.first, r.last);
}

code_set code_set::all() {
  return {{0, last_code}};
}

void code_set::add(char32_t first, char32_t last) {
  if (first < first_surrogate)
    insert(first, std::min<char32_t>(last, first_surrogate - 1));
  if (last > last_surrogate)
    insert(std::max<char32_t>(first, last_surrogate + 1),
           std::min(last, last_code));
}

void code_set::add(const code_set& other) {
  for (auto& r : other.ranges_)
    insert(r.first, r.last);
}

void code_set::insert(char32_t first, char32_t last) {
  if (first > last)
    return;
  // All that touch the new range become one with it.
  auto begin = std::find_if(ranges_.begin(), ranges_.end(), [&](auto& r) {
    return first == 0 || r.last >= first - 1;
  });
  auto end = begin;
  for (; end != ranges_.end() && end->first <= last + 1; ++end) {
    first = std::min(first, end->first);
    last = std::max(last, end->last);
  }
  begin = ranges_.erase(begin, end);
  ranges_.insert(begin, {first, last});
}

code_set code_set::complement() const {
  auto rest = code_set{};
  auto next = char32_t{0};
  for (auto& r : ranges_) {
    if (r.first > next)
      rest.add(next, r.first - 1);
    next = r.last + 1;
  }
  if (next <= last_code)
    rest.add(next, last_code);
  return rest;
}

bool code_set::contains(char32_t code) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](auto& r) {
    return r.first <= code && code <= r.last;
  });
}

code_set digit_codes() {
  return {{'0', '9'}};
}

code_set word_codes() {
  return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
}

// ECMA-262, WhiteSpace and LineTerminator.
code_set space_codes() {
  return {{'\t', '\r'},     {' ', ' '},       {0xa0, 0xa0},
          {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029},
          {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000},
          {0xfeff, 0xfeff}};
}

code_set dot_codes() {
  return code_set{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}.complement();
}

} // namespace troupe::constrain
