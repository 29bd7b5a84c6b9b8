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

/// Heads and tokens of a tile: heads that share a KV head, for some tokens.
uint32_t heads_of_tile(uint32_t group) {
  return std::min(group, tile_queries);
}

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
                                       uint32_t k_dim, uint32_t value_dim) {
  auto group = heads / kv_heads;
  auto queries = size_t{tokens_of_tile(group)} * heads_of_tile(group);
  static_assert(sizeof(token_range) == 2 * sizeof(float));
  // Expanded rows, keys and values of a block; q, sum, largest, weight, p, and
  // what each query sees.
  return attention_block * (padded(k_dim) + padded(value_dim) + k_dim)
         + queries * (k_dim + padded(value_dim) + 4 + attention_block);
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
  auto store = [&](const float* from, uint32_t dim, std::byte* to) {
    if (layout_.dtype == kv_dtype::f32)
      std::memcpy(to, from, dim * sizeof(float));
    else
      c.fast.to_f16(from, dim, to);
  };
  auto write_tile = [&](uint32_t task, unsigned) {
    auto& t = tiles_[task];
    for (auto i = uint32_t{0}; i < t.tokens; ++i) {
      auto position = t.position + i;
      auto* block = t.table->block(position / kv_block_tokens);
      auto at = position % kv_block_tokens * size_t{value_bytes(layout_.dtype)};
      auto head = size_t{t.row + i} * layout_.kv_heads;
      for (auto h = uint32_t{0}; h < layout_.kv_heads; ++h, ++head) {
        store(k + head * layout_.k_dim, layout_.k_dim,
              block + layout_.k_offset(layer, h) + at * layout_.k_dim);
        if (layout_.v_dim > 0)
          store(v + head * layout_.v_dim, layout_.v_dim,
                block + layout_.v_offset(layer, h) + at * layout_.v_dim);
      }
    }
  };
  c.pool.run(static_cast<uint32_t>(tiles_.size()), write_tile);
}

struct dense_attention::task {
  unsigned worker;
  uint32_t layer;
  const tile& rows;
  uint32_t kv_head;
  uint32_t head;  ///< the first one
  uint32_t heads; ///< that share kv_head
  const float* q;
  float* out;
  const attention_options& options;
};

void dense_attention::attend(compute& c, uint32_t layer, const float* q,
                             float* out, const attention_options& options) {
  auto tiles = static_cast<uint32_t>(tiles_.size());
  auto group = heads_ / layout_.kv_heads;
  auto heads = heads_of_tile(group);
  auto parts = (group + heads - 1) / heads;
  // A sequence's late tiles see the most: they go first, so that threads
  // finish together.
  auto of_tile = layout_.kv_heads * parts;
  c.pool.run(tiles * of_tile, [&](uint32_t i, unsigned worker) {
    auto& rows = tiles_[tiles - 1 - i / of_tile];
    auto kv_head = i % of_tile / parts;
    auto first = i % parts * heads;
    attend_tile(c, {worker, layer, rows, kv_head, kv_head * group + first,
                    std::min(heads, group - first), q, out, options});
  });
}

void dense_attention::attend_tile(compute& c, const task& t) const {
  auto k_dim = layout_.k_dim;
  auto value_dim = layout_.v_dim > 0 ? layout_.v_dim : t.options.value_dim;
  auto k_stride = padded(k_dim);
  auto v_stride = padded(value_dim);
  auto queries = t.rows.tokens * t.heads;
  auto* free = c.scratch(t.worker);
  auto take = [&free](size_t n) {
    auto* p = free;
    free += n;
    return p;
  };
  auto* rows = take(attention_block * k_stride);
  auto* values = take(attention_block * v_stride);
  auto* keys = take(size_t{attention_block} * k_dim);
  auto* scaled = take(queries * size_t{k_dim});
  auto s = attention_state{};
  s.queries = queries;
  s.dim = k_dim;
  s.stride = v_stride;
  s.value_stride = layout_.v_dim > 0 ? v_stride : k_stride;
  s.softcap = t.options.softcap;
  s.q = scaled;
  s.sum = take(queries * v_stride);
  s.largest = take(queries);
  s.weight = take(queries);
  s.p = take(queries * size_t{attention_block});
  auto* seen = reinterpret_cast<token_range*>(take(2 * size_t{queries}));
  std::uninitialized_default_construct_n(seen, queries);

  // Query i is head i % heads of token i / heads.
  auto scale = t.options.scale != 0
                   ? t.options.scale
                   : 1.f / std::sqrt(static_cast<float>(k_dim));
  for (auto i = uint32_t{0}; i < queries; ++i) {
    auto row = size_t{t.rows.row} + i / t.heads;
    auto* from = t.q + (row * heads_ + t.head + i % t.heads) * k_dim;
    for (auto d = uint32_t{0}; d < k_dim; ++d)
      scaled[size_t{i} * k_dim + d] = from[d] * scale;
  }
  std::fill_n(s.sum, queries * v_stride, 0.f);
  std::fill_n(s.largest, queries, std::numeric_limits<float>::lowest());
  std::fill_n(s.weight, queries, 0.f);
  std::fill_n(rows, attention_block * k_stride, 0.f);
  std::fill_n(values, attention_block * v_stride, 0.f);

  auto type = stored_type(layout_.dtype);
  auto expand = [&](const std::byte* from, uint32_t dim, float* to) {
    auto stride = padded(dim);
    auto row_bytes = size_t{dim} * value_bytes(layout_.dtype);
    if (stride == dim)
      return c.fast.dequantize(type, from, attention_block * dim, to);
    for (auto i = size_t{0}; i < attention_block; ++i)
      c.fast.dequantize(type, from + i * row_bytes, dim, to + i * stride);
  };
  auto prefetch = [](const std::byte* p, size_t n) {
    for (auto i = size_t{0}; i < n; i += 64)
      __builtin_prefetch(p + i);
  };
  auto first_seen = [&](uint32_t position) {
    auto window = t.options.window;
    return window == 0 || position < window ? 0 : position - window + 1;
  };
  auto blocks = kv_layout::blocks_for(t.rows.position + t.rows.tokens);
  auto b = first_seen(t.rows.position) / kv_block_tokens;
  for (; b < blocks; ++b) {
    auto first = b * kv_block_tokens;
    auto within = [first](uint32_t position) {
      return std::clamp(position, first, first + kv_block_tokens) - first;
    };
    for (auto i = uint32_t{0}; i < queries; ++i) {
      auto position = t.rows.position + i / t.heads;
      seen[i] = {within(first_seen(position)), within(position + 1)};
    }
    auto* block = t.rows.table->block(b);
    if (b + 1 < blocks) { // a jump that no hardware prefetcher foresees
      auto* next = t.rows.table->block(b + 1);
      prefetch(next + layout_.k_offset(t.layer, t.kv_head), layout_.k_bytes());
      prefetch(next + layout_.v_offset(t.layer, t.kv_head), layout_.v_bytes());
    }
    expand(block + layout_.k_offset(t.layer, t.kv_head), k_dim, rows);
    c.fast.transpose(rows, k_stride, k_dim, keys);
    if (layout_.v_dim > 0)
      expand(block + layout_.v_offset(t.layer, t.kv_head), value_dim, values);
    c.fast.attend(s, keys, layout_.v_dim > 0 ? values : rows, seen);
  }
  for (auto i = uint32_t{0}; i < queries; ++i) {
    auto row = size_t{t.rows.row} + i / t.heads;
    auto* to = t.out + (row * heads_ + t.head + i % t.heads) * value_dim;
    for (auto d = uint32_t{0}; d < value_dim; ++d)
      to[d] = s.sum[i * v_stride + d] / s.weight[i];
  }
}

} // namespace troupe
