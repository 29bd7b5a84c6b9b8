#include "core/attention/dense.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

namespace troupe {

namespace {

static_assert(attention_block == kv_block_tokens);

/// Query vectors of a tile: enough to be worth expanding a KV block for.
constexpr uint32_t tile_queries = 16;

uint32_t tokens_of_tile(uint32_t group) {
  return std::max(tile_queries / group, 1u);
}

size_t padded(uint32_t dim) {
  return (size_t{dim} + 15) / 16 * 16;
}

dtype stored_type(kv_dtype t) {
  return t == kv_dtype::f32 ? dtype::f32 : dtype::f16;
}

} // namespace

dense_attention::dense_attention(uint32_t heads, uint32_t max_tokens)
    : heads_(heads) {
  tiles_.reserve(max_tokens);
}

size_t dense_attention::scratch_floats(uint32_t heads, uint32_t kv_heads,
                                       uint32_t head_dim) {
  auto group = heads / kv_heads;
  auto queries = size_t{tokens_of_tile(group)} * group;
  // Expanded rows, keys and values of a block; q, sum, largest, weight, p, and
  // how much each query sees.
  return 2 * attention_block * padded(head_dim)
         + size_t{attention_block} * head_dim
         + queries * (head_dim + padded(head_dim) + 3 + attention_block);
}

void dense_attention::plan(std::span<const attention_rows> rows,
                           const kv_layout& layout) {
  assert(heads_ % layout.kv_heads == 0);
  layout_ = layout;
  tiles_.clear();
  auto most = tokens_of_tile(heads_ / layout.kv_heads);
  for (auto& r : rows)
    for (auto i = uint32_t{0}; i < r.tokens; i += most)
      tiles_.push_back(
          {r.table, r.position + i, std::min(most, r.tokens - i), r.row + i});
}

void dense_attention::write(compute& c, uint32_t layer, const float* k,
                            const float* v) {
  auto dim = layout_.head_dim;
  auto width = size_t{layout_.kv_heads} * dim;
  auto row_bytes = size_t{dim} * value_bytes(layout_.dtype);
  auto store = [&](const float* from, std::byte* to) {
    if (layout_.dtype == kv_dtype::f32)
      std::memcpy(to, from, row_bytes);
    else
      c.fast.to_f16(from, dim, to);
  };
  auto write_tile = [&](uint32_t task, unsigned) {
    auto& t = tiles_[task];
    for (auto i = uint32_t{0}; i < t.tokens; ++i) {
      auto position = t.position + i;
      auto* block = t.table->block(position / kv_block_tokens);
      auto at = position % kv_block_tokens * row_bytes;
      for (auto h = uint32_t{0}; h < layout_.kv_heads; ++h) {
        auto from = (t.row + i) * width + size_t{h} * dim;
        store(k + from, block + layout_.k_offset(layer, h) + at);
        store(v + from, block + layout_.v_offset(layer, h) + at);
      }
    }
  };
  c.pool.run(static_cast<uint32_t>(tiles_.size()), write_tile);
}

void dense_attention::attend(compute& c, uint32_t layer, const float* q,
                             float* out) {
  auto tiles = static_cast<uint32_t>(tiles_.size());
  // A sequence's late tiles see the most: they go first, so that threads
  // finish together.
  c.pool.run(tiles * layout_.kv_heads, [&](uint32_t task, unsigned worker) {
    auto& t = tiles_[tiles - 1 - task / layout_.kv_heads];
    attend_tile(c, worker, layer, t, task % layout_.kv_heads, q, out);
  });
}

void dense_attention::attend_tile(compute& c, unsigned worker, uint32_t layer,
                                  const tile& t, uint32_t kv_head,
                                  const float* q, float* out) const {
  auto dim = layout_.head_dim;
  auto stride = padded(dim);
  auto group = heads_ / layout_.kv_heads;
  auto queries = t.tokens * group;
  auto width = size_t{heads_} * dim;
  auto* free = c.scratch(worker);
  auto take = [&free](size_t n) {
    auto* p = free;
    free += n;
    return p;
  };
  auto* rows = take(attention_block * stride);
  auto* values = take(attention_block * stride);
  auto* keys = take(attention_block * dim);
  auto* scaled = take(queries * size_t{dim});
  auto s = attention_state{};
  s.queries = queries;
  s.dim = dim;
  s.stride = stride;
  s.q = scaled;
  s.sum = take(queries * stride);
  s.largest = take(queries);
  s.weight = take(queries);
  s.p = take(queries * size_t{attention_block});
  static_assert(sizeof(uint32_t) == sizeof(float));
  auto* seen = reinterpret_cast<uint32_t*>(take(queries));
  std::uninitialized_fill_n(seen, queries, 0u);

  // Query i is head i % group of token i / group.
  auto scale = 1.f / std::sqrt(static_cast<float>(dim));
  for (auto i = uint32_t{0}; i < queries; ++i) {
    auto* from = q + (t.row + i / group) * width
                 + (size_t{kv_head} * group + i % group) * dim;
    for (auto d = uint32_t{0}; d < dim; ++d)
      scaled[size_t{i} * dim + d] = from[d] * scale;
  }
  std::fill_n(s.sum, queries * stride, 0.f);
  std::fill_n(s.largest, queries, std::numeric_limits<float>::lowest());
  std::fill_n(s.weight, queries, 0.f);
  std::fill_n(values, attention_block * stride, 0.f);

  auto type = stored_type(layout_.dtype);
  auto row_bytes = size_t{dim} * value_bytes(layout_.dtype);
  auto expand = [&](const std::byte* from, float* to) {
    if (stride == dim)
      return c.fast.dequantize(type, from, attention_block * dim, to);
    for (auto i = size_t{0}; i < attention_block; ++i)
      c.fast.dequantize(type, from + i * row_bytes, dim, to + i * stride);
  };
  auto prefetch = [](const std::byte* p, size_t n) {
    for (auto i = size_t{0}; i < n; i += 64)
      __builtin_prefetch(p + i);
  };
  auto head_bytes = layout_.head_bytes();
  auto blocks = kv_layout::blocks_for(t.position + t.tokens);
  for (auto b = uint32_t{0}; b < blocks; ++b) {
    auto first = b * kv_block_tokens;
    for (auto i = uint32_t{0}; i < queries; ++i) {
      auto position = t.position + i / group;
      seen[i] = position < first
                    ? 0
                    : std::min(position - first + 1, kv_block_tokens);
    }
    auto* block = t.table->block(b);
    if (b + 1 < blocks) { // a jump that no hardware prefetcher foresees
      auto* next = t.table->block(b + 1);
      prefetch(next + layout_.k_offset(layer, kv_head), head_bytes);
      prefetch(next + layout_.v_offset(layer, kv_head), head_bytes);
    }
    expand(block + layout_.k_offset(layer, kv_head), rows);
    c.fast.transpose(rows, stride, dim, keys);
    expand(block + layout_.v_offset(layer, kv_head), values);
    c.fast.attend(s, keys, values, seen);
  }
  for (auto i = uint32_t{0}; i < queries; ++i) {
    auto* to = out + (t.row + i / group) * width
               + (size_t{kv_head} * group + i % group) * dim;
    for (auto d = uint32_t{0}; d < dim; ++d)
      to[d] = s.sum[i * stride + d] / s.weight[i];
  }
}

} // namespace troupe
