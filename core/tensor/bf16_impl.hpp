// The kernels over packed bf16 matrices. Included by one source file for each
// form, after it has defined, in an unnamed namespace, vectors of `lanes`
// floats and pairs of weights and the operations on them; as in
// kernels_impl.hpp nothing here may instantiate an inline function with
// linkage.
//
// What gives both forms the same bits, whatever the tile:
// - y starts as bias and what is in y to add to, in that order, and takes pair
//   after pair of inputs; of i16 both the rounded pair and then what is left;
// - a pair is y = fma(x1, w1, y), then y = fma(x0, w0, y);
// - what is subnormal, of operands and results, counts as zero.

#include <cstddef>
#include <cstdint>

#include "core/tensor/bf16.hpp"

namespace troupe {

namespace {

constexpr auto strip_outputs = uint32_t{lanes * tile_vectors};
constexpr auto pair_bytes = size_t{panel_outputs} * 4;

/// What y starts as: [32] of bias or null.
struct beginning {
  bool add;
  const float* bias;
};

// Pairs [first, last) of M rows and a strip of a panel. x: of the first row.
template <uint32_t Parts, int M>
void tile(const std::byte* w, const uint32_t* x, uint32_t height,
          uint32_t pairs, beginning begin, float* y, size_t y_stride) {
  floats sum[M][tile_vectors];
#pragma GCC unroll 8
  for (auto r = 0; r < M; ++r)
#pragma GCC unroll 8
    for (auto v = 0; v < tile_vectors; ++v)
      sum[r][v] = begin.add ? load(y + r * y_stride + v * lanes) : zero();
  if (begin.bias != nullptr)
#pragma GCC unroll 8
    for (auto r = 0; r < M; ++r)
#pragma GCC unroll 8
      for (auto v = 0; v < tile_vectors; ++v)
        sum[r][v] = add(sum[r][v], load(begin.bias + v * lanes));
  for (auto i = uint32_t{0}; i < pairs; ++i) {
    weights both[tile_vectors];
#pragma GCC unroll 8
    for (auto v = 0; v < tile_vectors; ++v)
      both[v] = load_pairs(w + v * lanes * 4);
#pragma GCC unroll 2
    for (auto part = 0u; part < Parts; ++part)
#pragma GCC unroll 8
      for (auto r = 0; r < M; ++r) {
        auto pair = splat_pair(x + r * Parts + part);
#pragma GCC unroll 8
        for (auto v = 0; v < tile_vectors; ++v)
          sum[r][v] = dot(sum[r][v], both[v], pair);
      }
    w += pair_bytes;
    x += height * Parts;
  }
#pragma GCC unroll 8
  for (auto r = 0; r < M; ++r)
#pragma GCC unroll 8
    for (auto v = 0; v < tile_vectors; ++v)
      store(y + r * y_stride + v * lanes, sum[r][v]);
}

template <uint32_t Parts, int M = tile_rows>
void tile_of(uint32_t m, const std::byte* w, const uint32_t* x, uint32_t height,
             uint32_t pairs, beginning begin, float* y, size_t y_stride) {
  if (m == M) {
    for (auto o = 0u; o < panel_outputs; o += strip_outputs) {
      auto* bias = begin.bias == nullptr ? nullptr : begin.bias + o;
      tile<Parts, M>(w + o * 4, x, height, pairs, {begin.add, bias}, y + o,
                     y_stride);
    }
    return;
  }
  if constexpr (M > 1)
    tile_of<Parts, M - 1>(m, w, x, height, pairs, begin, y, y_stride);
}

// A slice of a panel stays in L1 while rows pass by; what it adds up to so far
// waits in y, where it loses nothing.
constexpr auto slice_pairs = uint32_t{128};

// Rows [row, end) of a panel; y: of row `row`.
template <uint32_t Parts>
void multiply_panel(const std::byte* panel, const bf16_rows& rows, uint32_t row,
                    uint32_t end, beginning begin, float* y, size_t y_stride) {
  auto pairs = (rows.inputs + 1) / 2;
  auto height = rows.height;
  auto once = end - row <= tile_rows && end - row <= height;
  auto slice = once ? pairs : slice_pairs;
  for (auto first = uint32_t{0}; first < pairs; first += slice) {
    auto left = pairs - first;
    auto n = left < slice ? left : slice;
    auto m = uint32_t{0};
    for (auto r = row; r < end; r += m) {
      m = height - r % height;
      m = m < tile_rows ? m : tile_rows;
      m = m < end - r ? m : end - r;
      auto at = (size_t{r / height} * pairs + first) * height + r % height;
      tile_of<Parts>(m, panel + first * pair_bytes, rows.data + at * Parts,
                     height, n, begin, y + (r - row) * y_stride, y_stride);
    }
    begin = {true, nullptr};
  }
}

// Of a last panel of less than 32 outputs: y in memory of our own.
template <uint32_t Parts>
void multiply_rest(const bf16_block& b, const std::byte* panel, uint32_t col,
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
    multiply_panel<Parts>(panel, *b.x, row, row + m, {true, nullptr}, y,
                          panel_outputs);
    for (auto r = uint32_t{0}; r < m; ++r)
      for (auto i = uint32_t{0}; i < n; ++i)
        to[r * b.y_stride + i] = y[r * panel_outputs + i];
  }
}

// Rows that pass by a few panels: they stay in L2 meanwhile.
constexpr auto block_bytes_of_rows = size_t{256} * 1024;

template <uint32_t Parts>
void multiply_panels(const bf16_block& b) {
  auto pairs = (size_t{b.x->inputs} + 1) / 2;
  auto tile_bytes = pairs * b.x->height * Parts * 4;
  auto tiles = block_bytes_of_rows / (tile_bytes + 1) + 1;
  auto block = static_cast<uint32_t>(tiles) * b.x->height;
  for (auto row = uint32_t{0}; row < b.m; row += block) {
    auto end = b.m - row < block ? b.m : row + block;
    auto* panel = b.panels;
    auto col = uint32_t{0};
    for (; col + panel_outputs <= b.n; col += panel_outputs) {
      auto begin = beginning{b.add, b.bias == nullptr ? nullptr : b.bias + col};
      multiply_panel<Parts>(panel, *b.x, row, end, begin,
                            b.y + row * b.y_stride + col, b.y_stride);
      panel += pairs * pair_bytes;
    }
    if (col < b.n)
      multiply_rest<Parts>(b, panel, col, row, end);
  }
}

void multiply(const bf16_block& b) {
  b.x->parts == 2 ? multiply_panels<2>(b) : multiply_panels<1>(b);
}

} // namespace

} // namespace troupe
