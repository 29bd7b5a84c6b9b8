// The kernels over packed matrices. Included by one source file for each
// instruction set, after it has defined, in an unnamed namespace, vectors of
// `lanes` floats and integers and the operations on them; as kernels_impl.hpp
// is, and for the same reasons nothing here may instantiate an inline function
// with linkage.
//
// What gives all forms the same bits:
// - quantising is a largest magnitude, a division, a product and a rounding to
//   the nearest even integer for each value;
// - the dot product of a group is a sum of integers that cannot overflow: of
//   i16 at most 32 * 128 * 32512 < 2^31;
// - y starts as bias and what is in y to add to, in that order, and takes
//   group after group as y = fma(float(dot), scale of w * scale of x, y).

#include <cstddef>
#include <cstdint>

#include "core/tensor/int8.hpp"

namespace troupe {

namespace {

// -- activations --------------------------------------------------------------

// Below this a group counts as zeros: its inverse scale might be infinite.
constexpr auto least_magnitude = 1e-30f;

template <bool Wide>
struct group_of {
  using type = quantised_group;
};
template <>
struct group_of<true> {
  using type = wide_quantised_group;
};

template <bool Wide>
inline void quantise_group(const float* x, std::byte* to) {
  using group = typename group_of<Wide>::type;
  auto* out = reinterpret_cast<group*>(to);
  // As integers, magnitudes are ordered as the floats are, and NaN and
  // infinity are the largest.
  uint32_t bits[32];
  __builtin_memcpy(bits, x, sizeof(bits));
  auto most = uint32_t{0};
  for (auto b : bits) {
    b &= 0x7fffffffu;
    most = b > most ? b : most;
  }
  float largest;
  __builtin_memcpy(&largest, &most, sizeof(largest));
  // A row that is not finite must not pass for one that is.
  auto finite = most < 0x7f800000u;
  constexpr auto top = Wide ? 32512.f : 127.f; // 127 * 256
  auto usable = finite && largest > least_magnitude;
  auto inverse = usable ? top / largest : 0.f;
  out->scale = usable ? largest / top : finite ? 0.f : __builtin_nanf("");
  // Adding 1.5 * 2^23 leaves no bits for a fraction: it rounds to the nearest
  // integer, ties to even.
  int32_t q[32];
  for (auto i = 0; i < 32; ++i) {
    auto rounded = (usable ? x[i] * inverse : 0.f) + 12582912.f;
    int32_t as_int;
    __builtin_memcpy(&as_int, &rounded, sizeof(as_int));
    q[i] = as_int - 0x4b400000;
  }
  auto sum = int32_t{0};
  for (auto i = 0; i < 16; ++i)
    sum += q[i];
  out->first = sum * -32;
  for (auto i = 16; i < 32; ++i)
    sum += q[i];
  out->start[0] = sum * -128;
  out->start[1] = sum * -8;
  for (auto i = 0; i < 32; ++i) {
    if constexpr (Wide) {
      auto high = (q[i] + 128) >> 8;
      out->high[i] = static_cast<int8_t>(high);
      out->low[i] = static_cast<int8_t>(q[i] - high * 256);
    } else {
      out->low[i] = static_cast<int8_t>(q[i]);
    }
  }
}

void quantise(const float* x, uint32_t row, const quantised_rows& to) {
  x += size_t{row} * to.groups * 32;
  auto* out = to.group(row, 0);
  auto step = to.height * to.group_bytes();
  auto g = uint32_t{0};
#ifdef TROUPE_QUANTISE_FOUR
  if (!to.wide)
    for (; g + 4 <= to.groups; g += 4, x += 4 * 32, out += 4 * step)
      quantise_four(x, out, step, least_magnitude);
#endif
  for (; g < to.groups; ++g, x += 32, out += step)
    to.wide ? quantise_group<true>(x, out) : quantise_group<false>(x, out);
}

// -- weights ------------------------------------------------------------------

// load<J>(q, w): inputs 8 i + 4 J and on of `lanes` outputs, for q at byte i
// of the group's weights.

struct of_q8_0 {
  static constexpr auto start = 0;    // of `quantised_group::start`
  static constexpr auto pair = 256;   // bytes of 8 inputs of a panel
  static constexpr auto bytes = 1088; // of a group
  template <int J>
  static ints load(const std::byte* q) {
    return load_bytes(q + J * 128);
  }
};

struct of_q4_0 {
  static constexpr auto start = 1;
  static constexpr auto pair = 128;
  static constexpr auto bytes = 576;
  template <int J>
  static ints load(const std::byte* q) {
    return load_nibbles<J>(q);
  }
};

// -- product ------------------------------------------------------------------

constexpr auto strip_outputs = tile_vectors * lanes;
static_assert(panel_outputs % strip_outputs == 0);

// Four inputs. x: of the first of M rows, the others `Step` bytes apart.
template <class W, int J, int M, size_t Step>
inline void dot_inputs(const std::byte* q, const int8_t* x,
                       ints (&sum)[M][tile_vectors]) {
  weights w[tile_vectors];
  for (auto v = 0; v < tile_vectors; ++v)
    w[v] = as_weights(W::template load<J>(q + v * lanes * 4));
  for (auto r = 0; r < M; ++r) {
    auto a = splat_inputs(x + r * Step);
    for (auto v = 0; v < tile_vectors; ++v)
      sum[r][v] = dot(sum[r][v], w[v], a);
  }
}

template <class W, int M, size_t Step>
inline void dot_group(const std::byte* q, const int8_t* x,
                      ints (&sum)[M][tile_vectors]) {
  for (auto i = 0; i < 4; ++i) {
    dot_inputs<W, 0, M, Step>(q + i * W::pair, x + 8 * i, sum);
    dot_inputs<W, 1, M, Step>(q + i * W::pair, x + 8 * i + 4, sum);
  }
}

// Bytes of weights between what is multiplied and what is fetched meanwhile,
// about a slice. While several rows pass by a slice, memory would idle
// otherwise. Past the last panel there is nothing to fetch, which does no harm.
constexpr auto fetch_ahead = size_t{16} * 1024;

template <int Bytes>
inline void fetch_weights(const std::byte* at) {
#pragma GCC unroll 32
  for (auto i = 0; i < Bytes; i += 64)
    __builtin_prefetch(at + fetch_ahead + i, 0, 2);
}

// What the sums of a tile start with: what is in y, or zeros; and a bias.
struct beginning {
  bool add;
  const float* bias; // of a panel's outputs, or null
};

// Groups [first, last) of M rows and `strip_outputs` outputs.
template <class W, bool Wide, int M>
void tile(const std::byte* panel, uint32_t strip, const quantised_rows& rows,
          uint32_t row, uint32_t first, uint32_t last, beginning begin,
          bool fetch, float* y, size_t y_stride) {
  using group = typename group_of<Wide>::type;
  constexpr auto step = sizeof(group);
  auto* x = reinterpret_cast<const group*>(rows.group(row, first));
  floats out[M][tile_vectors];
#pragma GCC unroll 8
  for (auto r = 0; r < M; ++r)
#pragma GCC unroll 8
    for (auto v = 0; v < tile_vectors; ++v)
      out[r][v] = begin.add ? load(y + r * y_stride + v * lanes) : zero();
  if (begin.bias != nullptr)
#pragma GCC unroll 8
    for (auto r = 0; r < M; ++r)
#pragma GCC unroll 8
      for (auto v = 0; v < tile_vectors; ++v)
        out[r][v] = add(out[r][v],
                        load(begin.bias + strip * strip_outputs + v * lanes));
  auto* w = panel + size_t{first} * W::bytes;
  for (auto g = first; g < last; ++g, w += W::bytes, x += rows.height) {
    if (fetch)
      fetch_weights<W::bytes>(w);
    auto* q = w + 64 + strip * strip_outputs * 4;
    ints sum[M][tile_vectors];
    if constexpr (Wide) {
#pragma GCC unroll 8
      for (auto r = 0; r < M; ++r)
#pragma GCC unroll 8
        for (auto v = 0; v < tile_vectors; ++v)
          sum[r][v] = zero_ints();
      dot_group<W, M, step>(q, x->high, sum);
      // The weights are loaded again, from L1: the compiler would rather save
      // all of them on the stack in between.
      __asm__ volatile("" ::: "memory");
#pragma GCC unroll 8
      for (auto r = 0; r < M; ++r)
#pragma GCC unroll 8
        for (auto v = 0; v < tile_vectors; ++v)
          sum[r][v] = times_256_plus(sum[r][v], splat(x[r].start + W::start));
    } else {
#pragma GCC unroll 8
      for (auto r = 0; r < M; ++r)
#pragma GCC unroll 8
        for (auto v = 0; v < tile_vectors; ++v)
          sum[r][v] = splat(x[r].start + W::start);
    }
    dot_group<W, M, step>(q, x->low, sum);
    floats s[tile_vectors];
#pragma GCC unroll 8
    for (auto v = 0; v < tile_vectors; ++v)
      s[v] = load_halves(w + (strip * strip_outputs + v * lanes) * 2);
#pragma GCC unroll 8
    for (auto r = 0; r < M; ++r) {
      auto u = splat(&x[r].scale);
#pragma GCC unroll 8
      for (auto v = 0; v < tile_vectors; ++v)
        out[r][v] = fma(to_floats(sum[r][v]), mul(s[v], u), out[r][v]);
    }
  }
#pragma GCC unroll 8
  for (auto r = 0; r < M; ++r)
#pragma GCC unroll 8
    for (auto v = 0; v < tile_vectors; ++v)
      store(y + r * y_stride + v * lanes, out[r][v]);
}

} // namespace

} // namespace troupe

#include "core/tensor/int8_levels_impl.hpp"

namespace troupe {

namespace {

template <class W, bool Wide, int M = tile_rows>
void tile_of(uint32_t m, const std::byte* panel, const quantised_rows& rows,
             uint32_t row, uint32_t first, uint32_t last, beginning begin,
             bool fetch, float* y, size_t y_stride) {
  if (m == M) {
    for (auto strip = 0u; strip < panel_outputs / strip_outputs; ++strip)
      tile<W, Wide, M>(panel, strip, rows, row, first, last, begin,
                       fetch && strip == 0, y + strip * strip_outputs,
                       y_stride);
    return;
  }
  if constexpr (M > 1)
    tile_of<W, Wide, M - 1>(m, panel, rows, row, first, last, begin, fetch, y,
                            y_stride);
}

// A slice of a panel stays in L1 while rows pass by; what it adds up to so far
// waits in y, where it loses nothing.
constexpr auto slice_groups = uint32_t{22};

// Rows [row, end) of a panel; y: of row `row`.
template <class W, bool Wide>
void multiply_panel(const std::byte* panel, const quantised_rows& rows,
                    uint32_t row, uint32_t end, beginning begin, float* y,
                    size_t y_stride) {
  auto once = end - row <= tile_rows && end - row <= rows.height;
  auto fetch = end - row > 2; // fewer rows wait for memory all the time
  auto slice = once ? rows.groups : slice_groups;
  for (auto first = uint32_t{0}; first < rows.groups; first += slice) {
    auto left = rows.groups - first;
    auto last = first + (left < slice ? left : slice);
    auto m = uint32_t{0};
    for (auto r = row; r < end; r += m) {
      m = rows.height - r % rows.height;
      m = m < tile_rows ? m : tile_rows;
      m = m < end - r ? m : end - r;
      tile_of<W, Wide>(m, panel, rows, r, first, last, begin, fetch && r == row,
                       y + (r - row) * y_stride, y_stride);
    }
    begin = {true, nullptr};
  }
}

// Of a last panel of less than 32 outputs: y in memory of our own.
template <class W, bool Wide>
void multiply_rest(const int8_block& b, const std::byte* panel, uint32_t col,
                   uint32_t row, uint32_t end) {
  auto n = b.n - col;
  for (; row < end; row += tile_rows) {
    auto m = end - row < tile_rows ? end - row : tile_rows;
    float y[tile_rows * panel_outputs] = {};
    auto* to = b.y + row * b.y_stride + col;
    for (auto r = uint32_t{0}; r < m; ++r)
      for (auto i = uint32_t{0}; i < n; ++i) {
        auto x = b.add ? to[r * b.y_stride + i] : 0.f;
        y[r * panel_outputs + i] = b.bias != nullptr ? x + b.bias[col + i] : x;
      }
    multiply_panel<W, Wide>(panel, *b.x, row, row + m, {true, nullptr}, y,
                            panel_outputs);
    for (auto r = uint32_t{0}; r < m; ++r)
      for (auto i = uint32_t{0}; i < n; ++i)
        to[r * b.y_stride + i] = y[r * panel_outputs + i];
  }
}

// Rows that pass by a few panels: they stay in L2 meanwhile.
constexpr auto block_bytes_of_rows = size_t{256} * 1024;

template <class W, bool Wide>
void multiply_panels(const int8_block& b) {
  auto row_bytes = b.x->groups * b.x->group_bytes();
  auto tiles = block_bytes_of_rows / (row_bytes * b.x->height + 1) + 1;
  auto block = static_cast<uint32_t>(tiles) * b.x->height;
  for (auto row = uint32_t{0}; row < b.m; row += block) {
    auto end = b.m - row < block ? b.m : row + block;
    auto* panel = b.panels;
    auto col = uint32_t{0};
    for (; col + panel_outputs <= b.n; col += panel_outputs) {
      auto begin = beginning{b.add, b.bias == nullptr ? nullptr : b.bias + col};
      multiply_panel<W, Wide>(panel, *b.x, row, end, begin,
                              b.y + row * b.y_stride + col, b.y_stride);
      panel += size_t{b.x->groups} * W::bytes;
    }
    if (col < b.n)
      multiply_rest<W, Wide>(b, panel, col, row, end);
  }
}

template <class W>
void multiply_as(const int8_block& b) {
  b.x->wide ? multiply_panels<W, true>(b) : multiply_panels<W, false>(b);
}

void multiply(const int8_block& b) {
  switch (b.type) {
  case dtype::q8_0:
    return multiply_as<of_q8_0>(b);
  case dtype::q4_0:
    return multiply_as<of_q4_0>(b);
  case dtype::q4_1:
    return multiply_as<of_q4_1>(b);
  case dtype::q5_0:
    return multiply_as<of_q5_0>(b);
  case dtype::q5_1:
    return multiply_as<of_q5_1>(b);
  case dtype::q4_k:
    return multiply_as<of_q4_k>(b);
  case dtype::q5_k:
    return multiply_as<of_q5_k>(b);
  case dtype::q6_k:
    return multiply_as<of_q6_k>(b);
  case dtype::f32:
  case dtype::f16:
  case dtype::bf16:
    return; // not for these kernels
  }
}

} // namespace

} // namespace troupe
