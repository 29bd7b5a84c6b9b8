#include "core/schema/unique_keys.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace troupe {

namespace {

constexpr auto few = uint32_t{12};

uint32_t next_key(const json_node* nodes, uint32_t key) {
  auto& value = nodes[key + 1];
  return value.kind >= json_kind::array ? value.end : key + 2;
}

// Tells most keys apart by their length and last bytes.
uint32_t mark_of(const json_node& key) {
  auto tail = uint32_t{0};
  auto n = std::min<uint32_t>(key.size, 3);
  std::memcpy(&tail, key.text + key.size - n, n);
  return tail << 8 | (key.size & 0xff);
}

bool unique_few(const json_node* nodes, uint32_t object) {
  auto marks = std::array<uint32_t, few>{};
  auto keys = std::array<uint32_t, few>{};
  auto n = nodes[object].size;
  auto key = object + 1;
  for (uint32_t i = 0; i < n; ++i, key = next_key(nodes, key)) {
    marks[i] = mark_of(nodes[key]);
    keys[i] = key;
    for (uint32_t j = 0; j < i; ++j)
      if (marks[i] == marks[j] && nodes[key].view() == nodes[keys[j]].view())
        return false;
  }
  return true;
}

} // namespace

bool unique_keys(const json_node* nodes, uint32_t object,
                 std::vector<uint64_t>& scratch) {
  auto n = nodes[object].size;
  if (n <= few)
    return unique_few(nodes, object);
  // The first four bytes, then where the key is: most comparisons end there.
  scratch.clear();
  auto key = object + 1;
  for (uint32_t i = 0; i < n; ++i, key = next_key(nodes, key)) {
    auto head = std::array<unsigned char, 4>{};
    std::memcpy(head.data(), nodes[key].text,
                std::min<uint32_t>(nodes[key].size, 4));
    auto prefix = uint64_t{0};
    for (auto byte : head)
      prefix = prefix << 8 | byte;
    scratch.push_back(prefix << 32 | key);
  }
  auto view = [&](uint64_t x) {
    return nodes[static_cast<uint32_t>(x)].view();
  };
  std::sort(scratch.begin(), scratch.end(), [&](uint64_t a, uint64_t b) {
    return a >> 32 != b >> 32 ? a < b : view(a) < view(b);
  });
  return std::adjacent_find(scratch.begin(), scratch.end(),
                            [&](uint64_t a, uint64_t b) {
                              return a >> 32 == b >> 32 && view(a) == view(b);
                            })
         == scratch.end();
}

} // namespace troupe
