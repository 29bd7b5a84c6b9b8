// Attention, written over 16-lane vectors. Included by one source file for
// each instruction set, after it has defined, in an unnamed namespace, `vec`
// and the operations on it. Those files are compiled with flags of their own,
// so nothing here may instantiate an inline function with linkage: the linker
// keeps one copy of it, and could keep the one that this processor cannot run.
//
// The order of every sum, whatever the shape of a tile:
// - score: dimension by dimension, by fused multiply-add.
// - denominator: lane l takes the tokens at l, l + 16, l + 32, …
// - weighted values: token by token, by fused multiply-add.

#include <cstddef>
#include <cstdint>

#include "core/attention/attend.hpp"
#include "core/tensor/exponential_impl.hpp"

namespace troupe {

namespace {

// How 16 stored numbers are loaded.
struct from_f32 {
  static constexpr auto bytes = size_t{4};
  static vec load(const std::byte* p) { return load_f32(p); }
};
struct from_f16 {
  static constexpr auto bytes = size_t{2};
  static vec load(const std::byte* p) { return load_f16(p); }
};
struct from_i8 {
  static constexpr auto bytes = size_t{1};
  static vec load(const std::byte* p) { return load_i8(p); }
};

// Calls f with the From of `t`.
template <class F>
inline void with_source(kv_dtype t, F f) {
  switch (t) {
  case kv_dtype::f32:
    return f.template operator()<from_f32>();
  case kv_dtype::f16:
    return f.template operator()<from_f16>();
  case kv_dtype::i8:
    return f.template operator()<from_i8>();
  }
}

// Fetches those cache lines that begin in [p + from, p + to), where p is at
// the beginning of one. What is f32 has been expanded, and is in the cache.
template <class From>
inline void fetch(const std::byte* p, size_t from, size_t to) {
  if constexpr (From::bytes == sizeof(float))
    return;
  for (auto i = (from + 63) / 64 * 64; i < to; i += 64)
    __builtin_prefetch(p + i);
}

// Part [0, 16] of a range that lies in a span's block.
inline token_range within(token_range r, uint32_t block) {
  auto clamp = [first = block * 16](uint32_t t) {
    return t < first ? 0 : t - first > 16 ? 16 : t - first;
  };
  return {clamp(r.begin), clamp(r.end)};
}

// x, but `fill` in the lanes outside of r.
inline vec keep_range(vec x, token_range r, float fill) {
  if (r.end < 16)
    x = keep(x, r.end, fill);
  return r.begin == 0 ? x : keep_from(x, r.begin, fill);
}

// Scores of Q queries against T blocks of keys, [Q][span_tokens].
template <class From, int Q, int T>
void score(const attention_state& s, uint32_t first, const kv_span& span,
           uint32_t block, float (*x)[span_tokens]) {
  const float* q[Q];
  const std::byte* keys[T];
  vec sum[Q][T];
  for (auto i = 0; i < Q; ++i)
    q[i] = s.q + (first + i) * size_t{s.k_dim};
  for (auto t = 0; t < T; ++t)
    keys[t] = span.keys[block + t];
  for (auto i = 0; i < Q; ++i)
    for (auto t = 0; t < T; ++t)
      sum[i][t] = zero();
  for (auto d = size_t{0}; d < s.k_dim; ++d) {
    vec k[T];
    for (auto t = 0; t < T; ++t) {
      k[t] = From::load(keys[t] + d * 16 * From::bytes);
      fetch<From>(span.next_keys[block + t], d * 16 * From::bytes,
                  (d + 1) * 16 * From::bytes);
    }
    for (auto i = 0; i < Q; ++i) {
      auto u = splat(q[i][d]);
      for (auto t = 0; t < T; ++t)
        sum[i][t] = fma(u, k[t], sum[i][t]);
    }
  }
  for (auto i = 0; i < Q; ++i)
    for (auto t = 0; t < T; ++t)
      store(x[i] + (block + t) * size_t{16}, sum[i][t]);
}

// Turns a query's scores of blocks [block, end) into weights of its values,
// and fades what it has so far if there is a larger score now.
inline void soften(const attention_state& s, uint32_t at, const kv_span& span,
                   token_range seen, uint32_t block, uint32_t end, float* x) {
  auto before = s.largest[at];
  auto most = splat(before);
  for (auto b = block; b < end; ++b) {
    auto v = load(x + size_t{16} * b);
    if (span.key_scales[b] != nullptr)
      v = mul(v, load(span.key_scales[b]));
    if (s.softcap != 0)
      v = capped(v, s.softcap);
    store(x + size_t{16} * b, v);
    most = larger(most, keep_range(v, within(seen, b), before));
  }
  auto now = largest(most);
  auto* weight = s.weight + at * size_t{16};
  auto total = load(weight);
  if (now != before) {
    auto fade = exponential(splat(before - now));
    total = mul(total, fade);
    auto* sum = s.sum + at * size_t{s.v_width};
    for (auto d = size_t{0}; d < s.v_width; d += 16)
      store(sum + d, mul(load(sum + d), fade));
    s.largest[at] = now;
  }
  for (auto b = block; b < end; ++b) {
    auto r = within(seen, b);
    auto p = exponential(sub(load(x + size_t{16} * b), splat(now)));
    p = keep_range(p, r, 0.f);
    total = add(total, p);
    if (span.value_scales[b] != nullptr)
      p = mul(p, load(span.value_scales[b]));
    store(x + size_t{16} * b, p);
  }
  store(weight, total);
}

// Adds D times 16 columns, from `column` on, of the values of `seen`.
template <class From, int Q, int D>
inline void weigh_some(const attention_state& s, uint32_t first,
                       const kv_span& span, token_range seen, size_t column,
                       const float (*p)[span_tokens]) {
  vec sum[Q][D];
  for (auto i = 0; i < Q; ++i)
    for (auto c = 0; c < D; ++c)
      sum[i][c] =
          load(s.sum + (first + i) * size_t{s.v_width} + column + 16 * c);
  auto stride = s.v_stride * From::bytes;
  for (auto j = size_t{seen.begin}; j < seen.end;) {
    auto end = (j / 16 + 1) * 16;
    end = end < seen.end ? end : seen.end;
    auto* row = span.values[j / 16] + j % 16 * stride + column * From::bytes;
    for (; j < end; ++j, row += stride) {
      auto ahead = static_cast<size_t>(row - span.values[j / 16]);
      fetch<From>(span.next_values[j / 16], ahead,
                  ahead + 16 * D * From::bytes);
      vec v[D];
      for (auto c = 0; c < D; ++c)
        v[c] = From::load(row + 16 * c * From::bytes);
      for (auto i = 0; i < Q; ++i) {
        auto u = splat(p[i][j]);
        for (auto c = 0; c < D; ++c)
          sum[i][c] = fma(u, v[c], sum[i][c]);
      }
    }
  }
  for (auto i = 0; i < Q; ++i)
    for (auto c = 0; c < D; ++c)
      store(s.sum + (first + i) * size_t{s.v_width} + column + 16 * c,
            sum[i][c]);
}

template <class From, int Q>
void weigh(const attention_state& s, uint32_t first, const kv_span& span,
           token_range seen, const float (*p)[span_tokens]) {
  if (seen.begin >= seen.end)
    return;
  auto d = size_t{0};
  for (; d + 16 * tile_vectors <= s.v_width; d += 16 * tile_vectors)
    weigh_some<From, Q, tile_vectors>(s, first, span, seen, d, p);
  for (; d < s.v_width; d += 16)
    weigh_some<From, Q, 1>(s, first, span, seen, d, p);
}

template <class From, int Q>
void attend_some(const attention_state& s, uint32_t first, const kv_span& span,
                 const token_range* seen) {
  // What any query sees, and what all of them see.
  auto any = token_range{span_tokens, 0};
  auto all = token_range{0, span_tokens};
  for (auto i = 0; i < Q; ++i) {
    auto r = seen[i];
    if (r.begin < r.end) {
      any.begin = r.begin < any.begin ? r.begin : any.begin;
      any.end = r.end > any.end ? r.end : any.end;
    }
    all.begin = r.begin > all.begin ? r.begin : all.begin;
    all.end = r.end < all.end ? r.end : all.end;
  }
  if (any.begin >= any.end)
    return;
  float x[Q][span_tokens];
  auto block = any.begin / 16;
  auto end = (any.end + 15) / 16;
  for (auto b = block; b < end;) {
    if (b + tile_vectors <= end) {
      score<From, Q, tile_vectors>(s, first, span, b, x);
      b += tile_vectors;
    } else {
      score<From, Q, 1>(s, first, span, b, x);
      ++b;
    }
  }
  for (auto i = 0; i < Q; ++i)
    if (seen[i].begin < seen[i].end)
      soften(s, first + i, span, seen[i], block, end, x[i]);
  // Not even a weight of zero may meet a value that is not seen: it would turn
  // an infinity into a NaN, and -0 into 0.
  auto alone = [&](uint32_t i, token_range r) {
    weigh<From, 1>(s, first + i, span, r, x + i);
  };
  if (all.begin >= all.end) {
    for (auto i = 0u; i < Q; ++i)
      alone(i, seen[i]);
    return;
  }
  for (auto i = 0u; i < Q; ++i)
    alone(i, {seen[i].begin, all.begin});
  weigh<From, Q>(s, first, span, all, x);
  for (auto i = 0u; i < Q; ++i)
    alone(i, {all.end, seen[i].end});
}

template <class From>
void attend_from(const attention_state& s, const kv_span& span,
                 const token_range* seen) {
  auto i = uint32_t{0};
  for (; i + tile_queries <= s.queries; i += tile_queries)
    attend_some<From, tile_queries>(s, i, span, seen + i);
  // The rest at once, so that what is stored is read and converted once.
  auto rest = s.queries - i;
  if constexpr (tile_queries > 2) {
    if (rest == 3)
      return attend_some<From, 3>(s, i, span, seen + i);
    if (rest == 2)
      return attend_some<From, 2>(s, i, span, seen + i);
  }
  if (rest == 1)
    attend_some<From, 1>(s, i, span, seen + i);
}

void attend(const attention_state& s, const kv_span& span,
            const token_range* seen) {
  with_source(span.type,
              [&]<class From>() { attend_from<From>(s, span, seen); });
}

void expand(kv_dtype t, const std::byte* in, size_t n, float* out) {
  with_source(t, [&]<class From>() {
    for (auto i = size_t{0}; i < n; i += 16)
      store(out + i, From::load(in + i * From::bytes));
  });
}

} // namespace

} // namespace troupe
