#include "core/attention/dense.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace troupe {

namespace {

// Queries of one task: their KV head's blocks are read once for all of them.
constexpr uint32_t queries_at_once = 16;
static_assert(queries_at_once <= max_attention_queries);

// K lies as [dim][token] within a block, so that one multiply-add serves 16
// tokens; V as [token][dim].
template <class T>
void write_token(const T* k, const T* v, uint32_t dim, uint32_t slot,
                 std::byte* k_block, std::byte* v_block) {
  for (uint32_t d = 0; d < dim; ++d)
    std::memcpy(k_block + (size_t{d} * kv_block_tokens + slot) * sizeof(T),
                k + d, sizeof(T));
  std::memcpy(v_block + size_t{slot} * dim * sizeof(T), v, dim * sizeof(T));
}

} // namespace

void dense_attention::write(thread_pool& threads,
                            std::span<const attention_row> rows,
                            const kv_layout& layout, uint32_t layer,
                            const float* k, const float* v, size_t stride) {
  auto dim = layout.head_dim;
  auto write_one = [&](const attention_row& row, uint32_t i) {
    auto position = row.table->length() + i;
    auto* block = row.table->block(position / kv_block_tokens);
    auto slot = position % kv_block_tokens;
    for (uint32_t h = 0; h < layout.kv_heads; ++h) {
      auto* kh = k + (row.first_row + i) * stride + h * dim;
      auto* vh = v + (row.first_row + i) * stride + h * dim;
      auto* k_block = block + layout.k_offset(layer, h);
      auto* v_block = block + layout.v_offset(layer, h);
      if (layout.dtype == kv_dtype::f32) {
        write_token(kh, vh, dim, slot, k_block, v_block);
        continue;
      }
      uint16_t k16[max_attention_dim], v16[max_attention_dim];
      with_.to_f16(kh, dim, k16);
      with_.to_f16(vh, dim, v16);
      write_token(k16, v16, dim, slot, k_block, v_block);
    }
  };
  // Decode rows are too small to share; a chunk is split by tokens.
  for (auto& row : rows) {
    constexpr uint32_t few = 16;
    auto parts = (row.count + few - 1) / few;
    threads.run(parts, [&](uint32_t part) {
      auto end = std::min(row.count, (part + 1) * few);
      for (auto i = part * few; i < end; ++i)
        write_one(row, i);
    });
  }
}

void dense_attention::attend(thread_pool& threads,
                             std::span<const attention_row> rows,
                             const kv_layout& layout, uint32_t layer,
                             uint32_t heads, const float* q, size_t stride,
                             float* out) {
  auto dim = layout.head_dim;
  auto group = heads / layout.kv_heads;
  // A group may be larger than a task's queries: then it is split.
  auto tokens_at_once = std::max(1u, queries_at_once / group);
  tasks_.clear();
  blocks_.clear();
  first_block_.clear();
  for (uint32_t r = 0; r < rows.size(); ++r) {
    auto& row = rows[r];
    first_block_.push_back(blocks_.size());
    auto n = kv_layout::blocks_for(row.table->length() + row.count);
    for (uint32_t b = 0; b < n; ++b)
      blocks_.push_back(row.table->block(b));
    // The last tokens see the most, so they come first.
    for (auto end = row.count; end > 0;) {
      auto count = std::min(end, tokens_at_once);
      end -= count;
      for (uint32_t h = 0; h < layout.kv_heads; ++h)
        tasks_.push_back({r, end, count, h});
    }
  }
  auto scale = 1.f / std::sqrt(static_cast<float>(dim));
  threads.run(static_cast<uint32_t>(tasks_.size()), [&](uint32_t n) {
    auto& t = tasks_[n];
    auto& row = rows[t.row];
    auto a = attention_task{};
    a.blocks = blocks_.data() + first_block_[t.row];
    a.k_offset = layout.k_offset(layer, t.kv_head);
    a.v_offset = layout.v_offset(layer, t.kv_head);
    a.dim = dim;
    a.f16 = layout.dtype == kv_dtype::f16;
    a.scale = scale;
    attention_query queries[max_attention_queries];
    a.queries = queries;
    for (uint32_t i = 0; i < t.count; ++i)
      for (uint32_t g = 0; g < group; ++g) {
        auto token = t.first + i;
        auto head = t.kv_head * group + g;
        auto& query = queries[a.count++];
        query.q = q + (row.first_row + token) * stride + head * dim;
        query.out =
            out + (size_t{row.first_row} + token) * heads * dim + head * dim;
        query.tokens = row.table->length() + token + 1;
        if (a.count == max_attention_queries) {
          with_.attend(a);
          a.count = 0;
        }
      }
    if (a.count > 0)
      with_.attend(a);
  });
}

} // namespace troupe
