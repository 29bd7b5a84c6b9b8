#include "core/attention/dense.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <memory>

#include "core/attention/attend.hpp"
#include "core/attention/store_kv.hpp"

namespace troupe {

namespace {

/// Query vectors of a tile: enough to be worth expanding keys and values for,
/// few enough for all that a tile works on to stay in a core's cache, which is
/// 600 KB for the 576 dimensions of latent attention.
constexpr uint32_t tile_queries = 64;

/// So few queries read keys and values as they are stored.
constexpr uint32_t few_queries = 8;

/// Heads and tokens of a tile: heads that share a KV head, for some tokens.
uint32_t heads_of_tile(uint32_t group) {
  return std::min(group, tile_queries);
}

uint32_t tokens_of_tile(uint32_t group) {
  return std::max(tile_queries / group, 1u);
}

size_t padded(uint32_t dim) {
  return kv_layout::padded(dim);
}

/// Hands a task's scratch memory out.
class scratch {
public:
  explicit scratch(float* free) : free_(free) {}

  float* take(size_t n) {
    auto* p = free_;
    free_ += n;
    return p;
  }

private:
  float* free_;
};

void prefetch(const std::byte* p, size_t n) {
  for (auto i = size_t{0}; i < n; i += 64)
    __builtin_prefetch(p + i);
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
  // Keys and values of a span, as rows too for latent attention; q, sum,
  // largest, weight, and what each query sees.
  return span_tokens * (k_dim + padded(std::max(k_dim, value_dim)))
         + queries * (k_dim + padded(value_dim) + 1 + 16 + 2);
}

void dense_attention::plan(std::span<const attention_rows> rows,
                           const kv_layout& layout, uint32_t kv_heads) {
  layout_ = layout;
  kv_heads_ = kv_heads == 0 ? layout.kv_heads : kv_heads;
  assert(kv_heads_ <= layout.kv_heads && heads_ % kv_heads_ == 0);
  tiles_.clear();
  auto most = tokens_of_tile(heads_ / kv_heads_);
  for (auto& r : rows)
    for (auto i = uint32_t{0}; i < r.tokens; i += most)
      tiles_.push_back(
          {r.table, r.position + i, std::min(most, r.tokens - i), r.row + i});
}

void dense_attention::write(compute& c, uint32_t layer, const float* k,
                            const float* v) {
  auto& l = layout_;
  auto write_tile = [&](uint32_t task, unsigned) {
    auto& t = tiles_[task];
    for (auto i = uint32_t{0}; i < t.tokens; ++i) {
      auto* block = t.table->block((t.position + i) / kv_block_tokens);
      auto at = (t.position + i) % kv_block_tokens;
      auto from = size_t{t.row + i} * l.kv_heads;
      for (auto h = uint32_t{0}; h < l.kv_heads; ++h, ++from) {
        store_key(c.fast, l, k + from * l.k_dim, at,
                  block + l.k_offset(layer, h));
        if (l.has_values())
          store_value(c.fast, l, v + from * l.v_dim, at,
                      block + l.v_offset(layer, h));
      }
    }
  };
  c.pool.run(static_cast<uint32_t>(tiles_.size()), write_tile);
}

// -- one tile -----------------------------------------------------------------

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

  /// Query token * heads + h is head `head` + h of the token.
  uint32_t queries() const { return rows.tokens * heads; }
  /// Place of the token's first query in [tokens, all_heads].
  size_t place(uint32_t token, uint32_t all_heads) const {
    return size_t{rows.row + token} * all_heads + head;
  }
  /// The first token that one at `position` sees.
  uint32_t first_seen(uint32_t position) const {
    auto window = options.window;
    return window == 0 || position < window ? 0 : position - window + 1;
  }
};

namespace {

/// The part of [begin, end) that is in the span at `first`, from there on.
token_range within_span(uint32_t begin, uint32_t end, uint32_t first) {
  auto clamped = [first](uint32_t t) {
    return std::clamp(t, first, first + span_tokens) - first;
  };
  return {clamped(begin), clamped(end)};
}

/// Weighted means of queries [first, first + n) to out: [n, v_dim].
void finish(const attention_state& s, uint32_t first, uint32_t n,
            uint32_t v_dim, float* out) {
  for (auto i = size_t{first}; i < first + n; ++i, out += v_dim) {
    auto* weight = s.weight + i * 16;
    for (auto half = 8; half > 0; half /= 2)
      for (auto l = 0; l < half; ++l)
        weight[l] += weight[l + half];
    auto* sum = s.sum + i * s.v_width;
    auto inverse = 1 / weight[0];
    for (auto d = uint32_t{0}; d < v_dim; ++d)
      out[d] = sum[d] * inverse;
  }
}

/// Keys and values of a head as they are stored, or expanded into `keys` and
/// `values`.
class span_reader {
public:
  span_reader(const attend_kernels& fast, const kv_layout& layout,
              uint32_t layer, uint32_t head, bool expanded, scratch& s)
      : fast_(fast), layout_(layout), k_at_(layout.k_offset(layer, head)),
        v_at_(layout.v_offset(layer, head)),
        expanded_(expanded || !layout.has_values()) {
    if (!expanded_)
      return;
    keys_ = s.take(span_tokens * layout.k_dim);
    values_ = s.take(span_tokens * v_stride());
  }

  size_t v_stride() const {
    return layout_.has_values() ? layout_.v_width() : layout_.k_width();
  }

  /// Blocks [first, first + blocks); `next` more follow them.
  kv_span read(const page_table& table, uint32_t first, uint32_t blocks,
               uint32_t next) const {
    auto span = kv_span{};
    span.type = expanded_ ? kv_dtype::f32 : layout_.dtype;
    for (auto b = uint32_t{0}; b < blocks; ++b) {
      auto* at = table.block(first + b);
      span.keys[b] = at + k_at_;
      span.values[b] = at + v_at_;
      if (layout_.dtype == kv_dtype::i8) {
        span.key_scales[b] = factors(at + k_at_ + layout_.k_factors());
        span.value_scales[b] = layout_.has_values()
                                   ? factors(at + v_at_ + layout_.v_factors())
                                   : span.key_scales[b];
      }
      // Jumps that no hardware prefetcher foresees.
      auto* then = b < next ? table.block(first + blocks + b) : at;
      span.next_keys[b] = then + k_at_;
      span.next_values[b] = then + v_at_;
      fetch_ahead(then);
      if (expanded_)
        expand(span, b);
    }
    return span;
  }

private:
  static const float* factors(const std::byte* p) {
    return reinterpret_cast<const float*>(p);
  }

  /// What attend does not fetch ahead itself.
  void fetch_ahead(const std::byte* block) const {
    if (expanded_) {
      prefetch(block + k_at_, layout_.k_bytes());
      prefetch(block + v_at_, layout_.v_bytes());
    } else if (layout_.dtype == kv_dtype::i8) {
      prefetch(block + k_at_ + layout_.k_factors(), 1);
      prefetch(block + v_at_ + layout_.v_factors(), 1);
    }
  }

  void expand(kv_span& span, uint32_t b) const {
    auto type = layout_.dtype;
    auto* keys = keys_ + b * kv_block_tokens * size_t{layout_.k_dim};
    auto* values = values_ + b * kv_block_tokens * v_stride();
    if (layout_.has_values()) {
      fast_.expand(type, span.keys[b], kv_block_tokens * layout_.k_width(),
                   keys);
      fast_.expand(type, span.values[b], kv_block_tokens * v_stride(), values);
    } else {
      fast_.expand(type, span.keys[b], kv_block_tokens * v_stride(), values);
      fast_.transpose(values, v_stride(), layout_.k_dim, keys);
    }
    span.keys[b] = reinterpret_cast<const std::byte*>(keys);
    span.values[b] = reinterpret_cast<const std::byte*>(values);
  }

  const attend_kernels& fast_;
  const kv_layout& layout_;
  size_t k_at_;
  size_t v_at_;
  bool expanded_;
  float* keys_ = nullptr;   ///< [span_blocks][k_dim, 16]
  float* values_ = nullptr; ///< [span_tokens, v_stride]
};

} // namespace

void dense_attention::attend(compute& c, uint32_t layer, const float* q,
                             float* out, const attention_options& options) {
  auto tiles = static_cast<uint32_t>(tiles_.size());
  auto group = heads_ / kv_heads_;
  auto heads = heads_of_tile(group);
  auto parts = (group + heads - 1) / heads;
  // A sequence's late tiles see the most: they go first, so that threads
  // finish together.
  auto of_tile = kv_heads_ * parts;
  c.pool.run(tiles * of_tile, [&](uint32_t i, unsigned worker) {
    auto& rows = tiles_[tiles - 1 - i / of_tile];
    auto kv_head = i % of_tile / parts;
    auto first = i % parts * heads;
    attend_tile(c, {worker, layer, rows, kv_head, kv_head * group + first,
                    std::min(heads, group - first), q, out, options});
  });
}

void dense_attention::attend_tile(compute& c, const task& t) const {
  auto& fast = attend_kernels_like(c.fast);
  auto queries = t.queries();
  auto k_dim = layout_.k_dim;
  auto v_dim = layout_.has_values() ? layout_.v_dim : t.options.value_dim;
  auto free = scratch{c.scratch(t.worker)};
  auto reader =
      span_reader{fast,
                  layout_,
                  t.layer,
                  t.kv_head,
                  queries > few_queries && layout_.dtype != kv_dtype::f32,
                  free};
  auto* scaled = free.take(queries * size_t{k_dim});
  auto s = attention_state{};
  s.queries = queries;
  s.k_dim = k_dim;
  s.v_width = static_cast<uint32_t>(padded(v_dim));
  s.v_stride = reader.v_stride();
  s.softcap = t.options.softcap;
  s.q = scaled;
  s.sum = free.take(size_t{queries} * s.v_width);
  s.largest = free.take(queries);
  s.weight = free.take(queries * size_t{16});
  auto* seen = reinterpret_cast<token_range*>(free.take(2 * size_t{queries}));
  std::uninitialized_default_construct_n(seen, queries);

  auto scale = t.options.scale != 0
                   ? t.options.scale
                   : 1.f / std::sqrt(static_cast<float>(k_dim));
  auto of_token = size_t{t.heads} * k_dim;
  for (auto i = uint32_t{0}; i < t.rows.tokens; ++i) {
    auto* from = t.q + t.place(i, heads_) * k_dim;
    for (auto d = size_t{0}; d < of_token; ++d)
      scaled[i * of_token + d] = from[d] * scale;
  }
  std::fill_n(s.sum, size_t{queries} * s.v_width, 0.f);
  std::fill_n(s.largest, queries, std::numeric_limits<float>::lowest());
  std::fill_n(s.weight, queries * size_t{16}, 0.f);

  auto blocks = kv_layout::blocks_for(t.rows.position + t.rows.tokens);
  auto b = t.first_seen(t.rows.position) / span_tokens * span_blocks;
  for (; b < blocks; b += span_blocks) {
    for (auto i = uint32_t{0}; i < t.rows.tokens; ++i) {
      auto position = t.rows.position + i;
      std::fill_n(seen + size_t{i} * t.heads, t.heads,
                  within_span(t.first_seen(position), position + 1,
                              b * kv_block_tokens));
    }
    auto here = std::min(span_blocks, blocks - b);
    auto next = std::min(span_blocks, blocks - b - here);
    fast.attend(s, reader.read(*t.rows.table, b, here, next), seen);
  }
  for (auto i = uint32_t{0}; i < t.rows.tokens; ++i)
    finish(s, i * t.heads, t.heads, v_dim, t.out + t.place(i, heads_) * v_dim);
}

} // namespace troupe
