#include "core/schema/tape_compare.hpp"

#include <algorithm>
#include <array>

#include "core/base/bytes.hpp"
#include "core/schema/decimal.hpp"

namespace troupe {

namespace {

constexpr auto few = uint32_t{16};

uint64_t mix(uint64_t x) {
  x ^= x >> 32;
  x *= 0xe9846af9b1a615dULL;
  x ^= x >> 32;
  x *= 0xe9846af9b1a615dULL;
  return x ^ x >> 28;
}

uint64_t hash_text(std::string_view s) {
  auto h = uint64_t{s.size()} * 0x9e3779b97f4a7c15ULL;
  auto* p = s.data();
  auto left = s.size();
  for (; left >= 8; left -= 8, p += 8)
    h = mix(h ^ load_unaligned<uint64_t>(p));
  auto tail = uint64_t{0};
  if (left > 0)
    std::memcpy(&tail, p, left);
  return mix(h ^ tail);
}

uint64_t hash_decimal(std::string_view text) {
  auto d = decimal{text};
  auto h = static_cast<uint64_t>(d.magnitude()) * 2 + d.negative();
  auto part = uint64_t{0};
  auto n = 0u;
  d.each_digit([&](unsigned digit) {
    part = part * 10 + digit;
    if (++n % 16 == 0) {
      h = mix(h ^ part);
      part = 0;
    }
  });
  return mix(mix(h ^ part) + 4);
}

bool is_bool_or_null(json_kind k) {
  return k <= json_kind::yes;
}

// The members of an object, by their keys.
std::vector<uint32_t> sorted_keys(tape_value object) {
  auto keys = std::vector<uint32_t>{};
  keys.reserve(object->size);
  for (auto key = object.at + 1; key < object->end;
       key = next_value(object.nodes, key + 1))
    keys.push_back(key);
  std::sort(keys.begin(), keys.end(), [&](uint32_t a, uint32_t b) {
    return object.nodes[a].view() < object.nodes[b].view();
  });
  return keys;
}

int sign_of(bool less, bool greater) {
  return static_cast<int>(greater) - static_cast<int>(less);
}

int compare_scalars(const json_node& a, const json_node& b) {
  switch (a.kind) {
  case json_kind::integer:
    return sign_of(a.integer<b.integer, a.integer> b.integer);
  case json_kind::decimal:
    return compare(decimal{a.view()}, decimal{b.view()});
  case json_kind::string: {
    auto c = a.view().compare(b.view());
    return sign_of(c<0, c> 0);
  }
  default:
    return 0;
  }
}

int compare_objects(tape_value a, tape_value b) {
  auto keys_a = sorted_keys(a);
  auto keys_b = sorted_keys(b);
  for (size_t i = 0; i < keys_a.size(); ++i)
    if (auto c = a.nodes[keys_a[i]].view().compare(b.nodes[keys_b[i]].view()))
      return c;
  for (size_t i = 0; i < keys_a.size(); ++i)
    if (auto c =
            compare_values({a.nodes, keys_a[i] + 1}, {b.nodes, keys_b[i] + 1}))
      return c;
  return 0;
}

bool equal_objects(tape_value a, tape_value b) {
  // Most are written in the same order.
  auto p = a.at + 1;
  auto q = b.at + 1;
  while (p < a->end && a.nodes[p].view() == b.nodes[q].view()) {
    if (!equal_values({a.nodes, p + 1}, {b.nodes, q + 1}))
      return false;
    p = next_value(a.nodes, p + 1);
    q = next_value(b.nodes, q + 1);
  }
  if (p >= a->end)
    return true;
  auto keys_a = sorted_keys(a);
  auto keys_b = sorted_keys(b);
  for (size_t i = 0; i < keys_a.size(); ++i)
    if (a.nodes[keys_a[i]].view() != b.nodes[keys_b[i]].view())
      return false;
  // Those before p were compared with what has the same key.
  for (size_t i = 0; i < keys_a.size(); ++i)
    if (keys_a[i] >= p
        && !equal_values({a.nodes, keys_a[i] + 1}, {b.nodes, keys_b[i] + 1}))
      return false;
  return true;
}

uint32_t find_repeated_few(tape_value array) {
  auto items = std::array<uint32_t, few>{};
  auto at = array.at + 1;
  for (uint32_t i = 0; i < array->size; ++i) {
    items[i] = at;
    for (uint32_t j = 0; j < i; ++j)
      if (equal_values({array.nodes, at}, {array.nodes, items[j]}))
        return i;
    at = next_value(array.nodes, at);
  }
  return not_repeated;
}

struct hashed_item {
  uint64_t hash;
  uint32_t at;
  uint32_t ordinal;
};

} // namespace

bool equal_values(tape_value a, tape_value b) {
  if (a->kind != b->kind)
    return false;
  if (is_bool_or_null(a->kind))
    return true;
  if (a->kind == json_kind::string)
    return a->view() == b->view();
  if (a->kind < json_kind::array)
    return compare_scalars(*a, *b) == 0;
  if (a->size != b->size)
    return false;
  if (a->kind == json_kind::object)
    return equal_objects(a, b);
  auto q = b.at + 1;
  for (auto p = a.at + 1; p < a->end; p = next_value(a.nodes, p)) {
    if (!equal_values({a.nodes, p}, {b.nodes, q}))
      return false;
    q = next_value(b.nodes, q);
  }
  return true;
}

int compare_values(tape_value a, tape_value b) {
  if (a->kind != b->kind)
    return a->kind < b->kind ? -1 : 1;
  if (a->kind < json_kind::array)
    return compare_scalars(*a, *b);
  if (a->size != b->size)
    return a->size < b->size ? -1 : 1;
  if (a->kind == json_kind::object)
    return compare_objects(a, b);
  auto q = b.at + 1;
  for (auto p = a.at + 1; p < a->end; p = next_value(a.nodes, p)) {
    if (auto c = compare_values({a.nodes, p}, {b.nodes, q}))
      return c;
    q = next_value(b.nodes, q);
  }
  return 0;
}

uint64_t hash_value(tape_value x) {
  auto kind = static_cast<uint64_t>(x->kind);
  switch (x->kind) {
  case json_kind::integer:
    return mix(static_cast<uint64_t>(x->integer) + kind);
  case json_kind::decimal:
    return hash_decimal(x->view());
  case json_kind::string:
    return hash_text(x->view());
  case json_kind::array: {
    auto h = mix(kind << 56 | x->size);
    for (auto p = x.at + 1; p < x->end; p = next_value(x.nodes, p))
      h = mix(h + hash_value({x.nodes, p}));
    return h;
  }
  case json_kind::object: {
    // A sum, since the order of members is nothing.
    auto h = uint64_t{x->size};
    for (auto p = x.at + 1; p < x->end; p = next_value(x.nodes, p + 1))
      h += mix(hash_text(x.nodes[p].view()) * 3 + hash_value({x.nodes, p + 1}));
    return mix(h + kind);
  }
  default:
    return mix(kind << 60);
  }
}

uint32_t find_repeated(tape_value array) {
  if (array->size <= few)
    return find_repeated_few(array);
  auto items = std::vector<hashed_item>{};
  items.reserve(array->size);
  auto at = array.at + 1;
  for (uint32_t i = 0; i < array->size; ++i) {
    items.push_back({hash_value({array.nodes, at}), at, i});
    at = next_value(array.nodes, at);
  }
  std::sort(items.begin(), items.end(), [](auto& a, auto& b) {
    return a.hash != b.hash ? a.hash < b.hash : a.ordinal < b.ordinal;
  });
  // Items with one hash are equal, or someone has made them so: their order
  // then finds those that are equal without looking at all pairs.
  for (size_t i = 0; i < items.size();) {
    auto end = i + 1;
    while (end < items.size() && items[end].hash == items[i].hash)
      ++end;
    auto less = [&](auto& a, auto& b) {
      auto c = compare_values({array.nodes, a.at}, {array.nodes, b.at});
      return c != 0 ? c < 0 : a.ordinal < b.ordinal;
    };
    auto* first = items.data() + i;
    if (end - i > 1)
      std::sort(first, items.data() + end, less);
    for (; i + 1 < end; ++i)
      if (equal_values({array.nodes, items[i].at},
                       {array.nodes, items[i + 1].at}))
        return items[i + 1].ordinal;
    i = end;
  }
  return not_repeated;
}

} // namespace troupe
