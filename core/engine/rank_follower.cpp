#include "core/engine/rank_follower.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace troupe {

namespace {

error nonsense(const char* what) {
  return fail(errc::invalid_argument,
              std::string{"a command of rank 0 "} + what);
}

} // namespace

rank_follower::rank_follower(std::shared_ptr<const model> weights,
                             engine_options options, kv_dtype kv)
    : engine_(weights, options), layers_(weights->params.layers),
      arena_(make_block_arena(engine_.layout(kv))), pool_(arena_, max_blocks) {}

result<void> rank_follower::on(const rank_command& c) {
  if (c.number != next_++)
    return nonsense("was lost");
  for (auto number : c.forgotten) {
    if (number >= blocks_.size())
      return nonsense("forgets a block that it never sent");
    blocks_[number] = {};
  }
  for (auto& b : c.blocks)
    if (auto ok = place(b); !ok)
      return ok;
  if (c.begins)
    if (auto ok = begin(c.rows); !ok)
      return ok;
  if ((c.layers > 0 || c.finishes) && !under_way_)
    return nonsense("goes on with a step that was not begun");
  if (c.layers > 0) {
    engine_.advance(std::min(c.layers, left_));
    if (auto* lost = engine_.failure())
      return *lost;
    left_ -= std::min(c.layers, left_);
  }
  if (!c.finishes)
    return {};
  if (left_ > 0)
    return nonsense("ends a step before its last layer");
  engine_.finish();
  under_way_ = false;
  if (auto* lost = engine_.failure())
    return *lost;
  return {};
}

result<void> rank_follower::place(const rank_block& b) {
  if (b.number >= max_blocks)
    return nonsense("has too many blocks");
  if (!b.bytes.empty() && b.bytes.size() != arena_->layout().block_bytes())
    return nonsense("has a block of another size");
  if (b.number >= blocks_.size())
    blocks_.resize(b.number + 1);
  auto& block = blocks_[b.number];
  block = {}; // gives its memory back first
  block = std::move(pool_.take(1)->front());
  if (!b.bytes.empty())
    std::memcpy(block.data(), b.bytes.data(), b.bytes.size());
  return {};
}

result<void> rank_follower::begin(const std::vector<rank_row>& rows) {
  under_way_ = false;
  tables_.clear();
  tables_.resize(rows.size());
  rows_ = rows;
  auto batch = std::vector<batch_row>{};
  for (size_t i = 0; i < rows_.size(); ++i) {
    auto& r = rows_[i];
    auto end = uint64_t{r.length} + r.tokens.size();
    if (end > uint64_t{r.blocks.size()} * kv_block_tokens)
      return nonsense("has a row without room");
    for (auto number : r.blocks) {
      if (number >= blocks_.size() || !blocks_[number].has_memory())
        return nonsense("names a block that it never sent");
      tables_[i].append(blocks_[number].share());
    }
    tables_[i].set_length(r.length);
    batch.push_back({&tables_[i], r.tokens, r.want_logits, r.want_all_logits,
                     r.want_states});
  }
  if (auto ok = engine_.begin(batch); !ok)
    return ok;
  left_ = layers_;
  under_way_ = true;
  return {};
}

} // namespace troupe
