#include "core/engine/rank_leader.hpp"

#include <algorithm>
#include <cstring>

namespace troupe {

namespace {

/// Tokens of block `i` among the first `length` of a sequence.
uint32_t tokens_in(uint32_t i, uint32_t length) {
  auto first = i * kv_block_tokens;
  return length > first ? std::min(length - first, kv_block_tokens) : 0;
}

bool same(const std::weak_ptr<std::byte>& a, const block_ref& b) {
  return !a.owner_before(b) && !b.owner_before(a);
}

} // namespace

rank_leader::rank_leader(const kv_layout& whole, std::vector<part> heads,
                         send to)
    : whole_(whole), heads_(std::move(heads)), send_(std::move(to)),
      outgoing_(heads_.size()), commands_(heads_.size()) {}

void rank_leader::begin(std::span<const batch_row> rows, uint32_t layers,
                        bool finishes) {
  if (known_.size() > 2 * swept_ + 64 || ++steps_ % sweep_every == 0)
    sweep();
  written_.clear();
  auto c = rank_command{};
  c.begins = true;
  c.layers = layers;
  c.finishes = finishes;
  for (auto& row : rows) {
    auto& table = *row.table;
    auto& r = c.rows.emplace_back();
    r.length = table.length();
    r.tokens.assign(row.tokens.begin(), row.tokens.end());
    r.want_logits = row.want_logits;
    r.want_all_logits = row.want_all_logits;
    r.want_states = row.want_states;
    auto end = r.length + static_cast<uint32_t>(row.tokens.size());
    for (auto i = uint32_t{0}; i < kv_layout::blocks_for(end); ++i) {
      auto& lease = table.lease(i);
      r.blocks.push_back(number_of(lease, tokens_in(i, r.length)));
      if (auto tokens = tokens_in(i, end); tokens > tokens_in(i, r.length))
        written_.push_back({lease.data(), tokens});
    }
  }
  for (auto rank = uint32_t{1}; rank < heads_.size(); ++rank)
    flush(rank);
  tell_all(c);
}

void rank_leader::advance(uint32_t layers) {
  auto c = rank_command{};
  c.layers = layers;
  tell_all(c);
}

void rank_leader::finish() {
  auto c = rank_command{};
  c.finishes = true;
  tell_all(c);
}

void rank_leader::finished() {
  for (auto& w : written_)
    known_.at(w.block).tokens = w.tokens;
  written_.clear();
}

// The number of a block of which the first `tokens` tokens are needed, and
// maybe others are about to be written again.
uint32_t rank_leader::number_of(const block_lease& lease, uint32_t tokens) {
  auto [at, is_new] = known_.try_emplace(lease.data());
  auto& k = at->second;
  if (is_new) {
    if (free_.empty()) {
      k.number = numbers_++;
    } else {
      k.number = free_.back();
      free_.pop_back();
    }
  }
  if (is_new || !same(k.block, lease.ref()) || k.tokens < tokens) {
    k.block = lease.ref();
    add(lease, k.number, tokens > 0);
  }
  k.tokens = tokens;
  return k.number;
}

void rank_leader::add(const block_lease& lease, uint32_t number, bool written) {
  for (auto rank = uint32_t{1}; rank < heads_.size(); ++rank) {
    auto& o = outgoing_[rank];
    auto b = rank_block{number, {}};
    if (written)
      b.bytes = bytes_of(lease.data(), heads_[rank]);
    if (o.bytes + b.bytes.size() > max_kv_bytes)
      flush(rank);
    o.bytes += b.bytes.size();
    kv_bytes_sent_ += b.bytes.size();
    o.blocks.push_back(std::move(b));
  }
}

raw_bytes rank_leader::bytes_of(const std::byte* block, part heads) const {
  auto bytes = raw_bytes{};
  auto add = [&](size_t offset, size_t n) {
    bytes.insert(bytes.end(), block + offset, block + offset + n);
  };
  bytes.reserve(whole_.layers * heads.count
                * (whole_.k_bytes() + whole_.v_bytes()));
  for (auto layer = uint32_t{0}; layer < whole_.layers; ++layer) {
    add(whole_.k_offset(layer, heads.first), heads.count * whole_.k_bytes());
    add(whole_.v_offset(layer, heads.first), heads.count * whole_.v_bytes());
  }
  return bytes;
}

// Forgets blocks that nobody holds any more.
void rank_leader::sweep() {
  auto c = rank_command{};
  std::erase_if(known_, [&](auto& k) {
    if (!k.second.block.expired())
      return false;
    free_.push_back(k.second.number);
    c.forgotten.push_back(k.second.number);
    return true;
  });
  swept_ = known_.size();
  if (!c.forgotten.empty())
    tell_all(c);
}

void rank_leader::flush(uint32_t rank) {
  auto& o = outgoing_[rank];
  if (o.blocks.empty())
    return;
  auto c = rank_command{};
  c.blocks = std::exchange(o.blocks, {});
  o.bytes = 0;
  tell(rank, std::move(c));
}

void rank_leader::tell_all(const rank_command& c) {
  for (auto rank = uint32_t{1}; rank < heads_.size(); ++rank)
    tell(rank, c);
}

void rank_leader::tell(uint32_t rank, rank_command c) {
  c.number = commands_[rank]++;
  send_(rank, std::move(c));
}

} // namespace troupe
