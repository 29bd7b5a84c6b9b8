#include "core/kv/store.hpp"

#include <cassert>
#include <cstring>
#include <utility>

namespace troupe {

sequence_store::sequence_store(std::shared_ptr<block_arena> arena,
                               uint32_t memory_blocks,
                               std::optional<swap_file> file)
    : pool_(std::move(arena), memory_blocks), file_(std::move(file)) {}

// -- memory to file -----------------------------------------------------------

// From now on the entry's blocks may go to the file.
void sequence_store::show(seq_id seq, const entry& e) {
  if (e.pinned || e.in_memory() == 0)
    return;
  by_age_.emplace(e.order, seq);
  spillable_ += e.in_memory();
}

void sequence_store::hide(const entry& e) {
  if (by_age_.erase(e.order) > 0)
    spillable_ -= e.in_memory();
}

// The next block to go to the file: of whoever was stored longest ago, from
// the front. REQUIRES: spillable_ > 0.
std::pair<sequence_store::entry*, uint32_t> sequence_store::oldest() {
  assert(!by_age_.empty());
  auto& e = entries_.at(by_age_.begin()->second);
  auto i = uint32_t{0};
  while (e.slots[i])
    ++i;
  return {&e, i};
}

// Block `i` of the oldest entry is in `slot` now.
void sequence_store::spilled(entry& e, uint32_t i, swap_slot slot) {
  e.slots[i] = std::move(slot);
  e.table.lease(i) = {};
  ++e.in_file;
  --spillable_;
  spilled_bytes_ += pool_.layout().block_bytes();
  if (e.in_memory() == 0)
    by_age_.erase(e.order);
}

result<void> sequence_store::spill_one() {
  if (!file_)
    return fail(errc::no_free_blocks,
                "the KV store's memory is full, and there is no swap file");
  auto [e, i] = oldest();
  auto slot = file_->write(e->table.block(i));
  if (!slot)
    return slot.failure();
  spilled(*e, i, std::move(*slot));
  return {};
}

result<void> sequence_store::make_room(uint32_t blocks) {
  // What cannot be is not begun.
  if (blocks > pool_.available() && blocks - pool_.available() > spillable_)
    return fail(errc::no_free_blocks,
                std::to_string(blocks) + " KV blocks wanted, "
                    + std::to_string(pool_.available()) + " of "
                    + std::to_string(pool_.capacity())
                    + " in the KV store are free");
  while (pool_.available() < blocks)
    if (auto ok = spill_one(); !ok)
      return ok;
  return {};
}

// -- file to memory -----------------------------------------------------------

result<void> sequence_store::load(entry& e, uint32_t block) {
  buffer_.resize(pool_.layout().block_bytes());
  if (auto ok = file_->read(e.slots[block], buffer_.data()); !ok)
    return ok;
  if (auto room = make_room(1); !room) {
    // The file is full as well, but this block's own slot can take another.
    auto [other, i] = oldest();
    auto ok = file_->rewrite(e.slots[block], other->table.block(i));
    if (!ok)
      return ok;
    spilled(*other, i, std::exchange(e.slots[block], {}));
  }
  auto lease = std::move(pool_.take(1)->front());
  std::memcpy(lease.data(), buffer_.data(), buffer_.size());
  e.table.lease(block) = std::move(lease);
  e.slots[block].reset();
  --e.in_file;
  return {};
}

result<const page_table*> sequence_store::pin(seq_id seq) {
  auto& e = entries_.at(seq);
  auto was_pinned = e.pinned;
  hide(e);
  e.pinned = true;
  auto fall_back = [&](const error& why) {
    e.pinned = was_pinned;
    show(seq, e);
    return why;
  };
  if (e.in_file > pool_.available() + spillable_)
    return fall_back(fail(errc::no_free_blocks,
                          "the KV store's memory is in use; "
                              + std::to_string(e.in_file)
                              + " blocks are to be read from its file"));
  for (uint32_t i = 0; e.in_file > 0 && i < e.table.blocks(); ++i) {
    if (!e.slots[i])
      continue;
    if (auto ok = load(e, i); !ok) {
      auto why = fall_back(ok.failure());
      if (why.code == errc::digest_mismatch)
        erase(seq);
      return why;
    }
  }
  return &e.table;
}

void sequence_store::unpin(seq_id seq) {
  auto i = entries_.find(seq);
  if (i == entries_.end() || !std::exchange(i->second.pinned, false))
    return;
  show(seq, i->second);
}

// -- entries ------------------------------------------------------------------

void sequence_store::put(seq_id seq, page_table table) {
  assert(!contains(seq));
  auto& e = entries_[seq];
  e.order = ++last_;
  e.slots.resize(table.blocks());
  e.table = std::move(table);
  show(seq, e);
}

void sequence_store::erase(seq_id seq) {
  auto i = entries_.find(seq);
  if (i == entries_.end())
    return;
  hide(i->second);
  entries_.erase(i);
}

uint32_t sequence_store::in_file(seq_id seq) const {
  auto i = entries_.find(seq);
  return i == entries_.end() ? 0 : i->second.in_file;
}

sequence_store::usage sequence_store::used() const {
  auto u = usage{};
  u.sequences = static_cast<uint32_t>(entries_.size());
  u.file_blocks = file_ ? file_->in_use() : 0;
  u.file_capacity = file_ ? file_->capacity() : 0;
  u.spilled_bytes = spilled_bytes_;
  return u;
}

} // namespace troupe
