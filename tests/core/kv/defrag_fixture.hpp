#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "core/kv/defrag.hpp"

namespace troupe::test {

// 128 KiB a block: eight of them are as long a run as is wanted.
inline const auto eight_a_run = kv_layout{4, 8, 64, 64, kv_dtype::f16};

inline bool all_are(const std::byte* p, size_t n, std::byte value) {
  return p[0] == value && std::memcmp(p, p + 1, n - 1) == 0;
}

/// Some sequences, each of whose blocks holds a number of its own.
struct scattered_sequences {
  explicit scattered_sequences(const kv_layout& layout = eight_a_run,
                               uint32_t capacity = 400)
      : arena(make_block_arena(layout)), pool(arena, capacity) {}

  size_t block_bytes() const { return arena->layout().block_bytes(); }

  std::byte mark(size_t t, uint32_t i) const {
    return static_cast<std::byte>(1 + (t * 41 + i * 7 + uses[t] * 97) % 255);
  }

  page_table& add() {
    uses.push_back(0);
    return tables.emplace_back();
  }

  void free(size_t t) {
    tables[t].clear();
    ++uses[t];
  }

  /// One more block for sequence `t`; false if there is none.
  bool grow(size_t t) {
    auto& table = tables[t];
    if (!table.grow(pool, table.room() + 1))
      return false;
    auto last = table.blocks() - 1;
    BOOST_REQUIRE(all_are(table.block(last), block_bytes(), std::byte{0}));
    std::memset(table.block(last), static_cast<int>(mark(t, last)),
                block_bytes());
    return true;
  }

  /// `count` sequences that took `blocks` blocks each, one after the other.
  void interleave(size_t count, uint32_t blocks) {
    for (size_t t = 0; t < count; ++t)
      add();
    for (uint32_t i = 0; i < blocks; ++i)
      for (size_t t = 0; t < count; ++t)
        grow(t);
  }

  std::vector<page_table*> all() {
    auto pointers = std::vector<page_table*>{};
    for (auto& t : tables)
      pointers.push_back(&t);
    return pointers;
  }

  uint32_t slot(size_t t, uint32_t i) {
    return arena->slot_of(tables[t].lease(i).ref()).value();
  }

  /// Whether each block still holds what its sequence wrote.
  bool intact() {
    for (size_t t = 0; t < tables.size(); ++t)
      for (uint32_t i = 0; i < tables[t].blocks(); ++i)
        if (!all_are(tables[t].block(i), block_bytes(), mark(t, i)))
          return false;
    return true;
  }

  kv_fragmentation measure() { return fragmentation(all(), *arena); }

  defrag_result compact_once(uint32_t max_copies) {
    return compact(all(), *arena, max_copies);
  }

  /// Copies until nothing is left to do.
  uint32_t compact_all(uint32_t max_copies = 1000) {
    auto copies = uint32_t{0};
    for (auto round = 0;; ++round) {
      auto r = compact_once(max_copies);
      BOOST_REQUIRE(r.copies <= max_copies);
      BOOST_REQUIRE(round < 2000);
      copies += r.copies;
      if (r.done)
        return copies;
    }
  }

  std::shared_ptr<block_arena> arena;
  block_pool pool;
  std::deque<page_table> tables;
  std::vector<uint32_t> uses; ///< how often each was freed
};

} // namespace troupe::test
