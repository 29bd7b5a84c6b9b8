#include "core/kv/block_map.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace troupe {

namespace {

// Whether nobody else holds the block, nor can get hold of it while the caller
// keeps its table.
bool is_private(const block_lease& lease) {
  return lease.ref().use_count() == 1 && !lease.shared();
}

void exchange(std::byte* a, std::byte* b, size_t n) {
  std::byte part[4096];
  for (auto i = size_t{0}; i < n; i += sizeof(part)) {
    auto size = std::min(n - i, sizeof(part));
    std::memcpy(part, a + i, size);
    std::memcpy(a + i, b + i, size);
    std::memcpy(b + i, part, size);
  }
}

} // namespace

block_map::block_map(std::span<page_table* const> tables, block_arena& arena,
                     uint32_t segment_blocks, uint32_t max_copies)
    : arena_(arena), bytes_(arena.layout().block_bytes()),
      max_copies_(max_copies) {
  auto taken = arena.taken();
  in_slot_.resize(taken.size() * 64, vacant);
  for (uint32_t s = 0; s < in_slot_.size(); ++s)
    if ((taken[s / 64] >> s % 64 & 1) != 0) {
      in_slot_[s] = fixed;
      ++used_;
    }
  auto all = size_t{0};
  for (auto* table : tables)
    all += table->blocks();
  blocks_.reserve(all);
  for (auto* table : tables)
    add(*table, segment_blocks);
  for (uint32_t s = 0; s < segments_.size(); ++s)
    measure(s);
}

void block_map::add(page_table& table, uint32_t segment_blocks) {
  auto follows = false;
  auto end = table.blocks();
  while (end > 0 && !table.lease(end - 1).has_memory())
    --end;
  for (uint32_t i = 0; i < end; ++i) {
    auto& lease = table.lease(i);
    auto slot = arena_.slot_of(lease.ref());
    if (!slot || !is_private(lease)) {
      follows = false;
      continue;
    }
    auto number = static_cast<uint32_t>(blocks_.size());
    if (!follows || i % segment_blocks == 0)
      segments_.push_back({number, 0, false, 0});
    auto& s = segments_.back();
    ++s.blocks;
    s.grows = i + 1 == end && (i + 1) % segment_blocks != 0;
    in_slot_[*slot] = number;
    auto in = static_cast<uint32_t>(segments_.size() - 1);
    blocks_.push_back({&lease, *slot, in, 0, follows});
    follows = true;
  }
}

void block_map::measure(uint32_t segment) {
  auto& s = segments_[segment];
  s.runs = 0;
  auto end = s.first + s.blocks;
  for (auto begin = s.first; begin < end; ++s.runs) {
    auto next = begin + 1;
    while (next < end
           && side_by_side(blocks_[next - 1].slot, blocks_[next].slot))
      ++next;
    for (auto run = next - begin; begin < next; ++begin)
      blocks_[begin].run = run;
  }
}

block_map::outcome block_map::put(uint32_t number, uint32_t slot) {
  auto& b = blocks_[number];
  auto there = in_slot_[slot];
  assert(there != fixed && there != number);
  auto copies = there == vacant ? 1u : 2u;
  if (copies > copies_left())
    return outcome::no_budget;
  // Taking a reference orders the reads of those who dropped theirs before the
  // writes to come; having counted them does not.
  auto from = b.lease->ref();
  if (there == vacant) {
    auto place = arena_.claim(slot);
    if (place == nullptr) {
      in_slot_[slot] = fixed;
      return outcome::slot_lost;
    }
    std::memcpy(place.get(), from.get(), bytes_);
    b.lease->attach(std::move(place));
  } else {
    auto& other = blocks_[there];
    auto place = other.lease->ref();
    exchange(from.get(), place.get(), bytes_);
    other.lease->attach(std::move(from));
    b.lease->attach(std::move(place));
    other.slot = b.slot;
  }
  in_slot_[b.slot] = there;
  in_slot_[slot] = number;
  b.slot = slot;
  copies_ += copies;
  measure(b.segment);
  if (there != vacant && blocks_[there].segment != b.segment)
    measure(blocks_[there].segment);
  return outcome::moved;
}

} // namespace troupe
