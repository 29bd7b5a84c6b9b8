// The kernels, written over 16-lane vectors. Included by one source file for
// each instruction set, after it has defined, in an unnamed namespace, `vec`
// and the operations on it. Those files are compiled with flags of their own,
// so nothing here may instantiate an inline function with linkage: the linker
// keeps one copy of it, and could keep the one that this processor cannot run.
//
// The order of every sum:
// - dot product: lane l takes k = l, l + 16, l + 32, … by fused multiply-add;
//   what is missing to a multiple of 32 counts as zeros; then the lanes are
//   added as (l, l + 8), (l, l + 4), (l, l + 2), (l, l + 1).

#include <cstddef>
#include <cstdint>

#include "core/tensor/exponential_impl.hpp"
#include "core/tensor/kernels.hpp"
#include "core/tensor/quant.hpp"

namespace troupe {

namespace {

// -- expanding weights --------------------------------------------------------

// An encoded row; load<H>(b): values 32 b + 16 H and on, H = 0 or 1. Where rows
// may have any length, `bytes` is the size of 32 values. Where enter(b) exists
// it is called first for each b that is a multiple of 8.

struct from_f32 {
  static constexpr auto type = dtype::f32;
  static constexpr auto bytes = size_t{128}; // of 32 values
  const std::byte* row;
  template <int H>
  vec load(size_t b) const {
    return load_f32(row + b * bytes + H * 64);
  }
};

struct from_f16 {
  static constexpr auto type = dtype::f16;
  static constexpr auto bytes = size_t{64};
  const std::byte* row;
  template <int H>
  vec load(size_t b) const {
    return load_f16(row + b * bytes + H * 32);
  }
};

struct from_bf16 {
  static constexpr auto type = dtype::bf16;
  static constexpr auto bytes = size_t{64};
  const std::byte* row;
  template <int H>
  vec load(size_t b) const {
    return load_bf16(row + b * bytes + H * 32);
  }
};

// Of the others a row is whole blocks.

inline vec splat_half(const std::byte* p) {
  return splat(half_at(p));
}

struct from_q8_0 {
  static constexpr auto type = dtype::q8_0;
  const std::byte* row;
  template <int H>
  vec load(size_t b) const {
    auto* p = row + b * 34;
    return mul(load_i8(p + 2 + H * 16), splat_half(p));
  }
};

struct from_q4_0 {
  static constexpr auto type = dtype::q4_0;
  const std::byte* row;
  template <int H>
  vec load(size_t b) const {
    auto* p = row + b * 18;
    return mul(widen(minus(pick(p + 2, 4 * H, 15), 8)), splat_half(p));
  }
};

// A level times its scale is exact: they have up to 5 and 11 bits, or 17 where
// a scale of 6 bits is multiplied in. So it does not matter that the kernels
// fuse it with the addition and the plain form does not.

struct from_q4_1 {
  static constexpr auto type = dtype::q4_1;
  const std::byte* row;
  template <int H>
  vec load(size_t b) const {
    auto* p = row + b * 20;
    return fma(widen(pick(p + 4, 4 * H, 15)), splat_half(p), splat_half(p + 2));
  }
};

struct from_q5_0 {
  static constexpr auto type = dtype::q5_0;
  const std::byte* row;
  template <int H>
  vec load(size_t b) const {
    auto* p = row + b * 22;
    auto q = with_fifth(pick(p + 6, 4 * H, 15), spread(p + 2 + 2 * H));
    return mul(widen(minus(q, 16)), splat_half(p));
  }
};

struct from_q5_1 {
  static constexpr auto type = dtype::q5_1;
  const std::byte* row;
  template <int H>
  vec load(size_t b) const {
    auto* p = row + b * 24;
    auto q = with_fifth(pick(p + 8, 4 * H, 15), spread(p + 4 + 2 * H));
    return fma(widen(q), splat_half(p), splat_half(p + 2));
  }
};

// Of a block of q4_k or q5_k: eight scales, then eight minima, negated.
// quant_k.cpp says how they are packed.
inline void load_steps(const std::byte* p, float (&step)[16]) {
  uint32_t u[3];
  __builtin_memcpy(u, p + 4, sizeof(u));
  uint32_t packed[4] = {
      u[0] & 0x3f3f3f3f,
      (u[2] & 0x0f0f0f0f) | (u[0] >> 6 & 0x03030303) << 4,
      u[1] & 0x3f3f3f3f,
      (u[2] >> 4 & 0x0f0f0f0f) | (u[1] >> 6 & 0x03030303) << 4,
  };
  std::byte bytes[16];
  __builtin_memcpy(bytes, packed, sizeof(bytes));
  auto unit = keep(splat_half(p), 8, -half_at(p + 2));
  store(step, mul(widen(pick(bytes, 0, 63)), unit));
}

struct from_q4_k {
  static constexpr auto type = dtype::q4_k;
  const std::byte* row;
  float step[16];
  void enter(size_t b) { load_steps(row + b / 8 * 144, step); }
  template <int H>
  vec load(size_t b) const {
    auto* p = row + b / 8 * 144;
    auto g = b % 8;
    auto shift = static_cast<int>(g % 2 * 4);
    auto q = pick(p + 16 + g / 2 * 32 + 16 * H, shift, 15);
    return fma(widen(q), splat(step[g]), splat(step[8 + g]));
  }
};

struct from_q5_k {
  static constexpr auto type = dtype::q5_k;
  const std::byte* row;
  float step[16];
  void enter(size_t b) { load_steps(row + b / 8 * 176, step); }
  template <int H>
  vec load(size_t b) const {
    auto* p = row + b / 8 * 176;
    auto g = b % 8;
    auto shift = static_cast<int>(g % 2 * 4);
    auto q = with_fifth(pick(p + 48 + g / 2 * 32 + 16 * H, shift, 15),
                        pick(p + 16 + 16 * H, static_cast<int>(g), 1));
    return fma(widen(q), splat(step[g]), splat(step[8 + g]));
  }
};

struct from_q6_k {
  static constexpr auto type = dtype::q6_k;
  const std::byte* row;
  float scale[16];
  void enter(size_t b) {
    auto* p = row + b / 8 * 210;
    store(scale, mul(load_i8(p + 192), splat_half(p + 208)));
  }
  template <int H>
  vec load(size_t b) const {
    auto* p = row + b / 8 * 210;
    auto g = b % 8;
    auto low = pick(p + g / 4 * 64 + g % 2 * 32 + 16 * H,
                    static_cast<int>(g % 4 / 2 * 4), 15);
    auto high =
        pick(p + 128 + g / 4 * 32 + 16 * H, static_cast<int>(g % 4 * 2), 3);
    return mul(widen(minus(with_fifth(low, high), 32)),
               splat(scale[2 * g + H]));
  }
};

template <class From>
inline void enter(From& from, size_t b) {
  if constexpr (requires { from.enter(b); })
    if (b % 8 == 0)
      from.enter(b);
}

// Calls f with the From of `t`.
template <class F>
inline void with_source(dtype t, F f) {
  switch (t) {
  case dtype::f32:
    return f.template operator()<from_f32>();
  case dtype::f16:
    return f.template operator()<from_f16>();
  case dtype::bf16:
    return f.template operator()<from_bf16>();
  case dtype::q8_0:
    return f.template operator()<from_q8_0>();
  case dtype::q4_0:
    return f.template operator()<from_q4_0>();
  case dtype::q4_1:
    return f.template operator()<from_q4_1>();
  case dtype::q5_0:
    return f.template operator()<from_q5_0>();
  case dtype::q5_1:
    return f.template operator()<from_q5_1>();
  case dtype::q4_k:
    return f.template operator()<from_q4_k>();
  case dtype::q5_k:
    return f.template operator()<from_q5_k>();
  case dtype::q6_k:
    return f.template operator()<from_q6_k>();
  }
}

// The rest of a row after its last 32 values.
template <class From>
inline void expand_rest(const std::byte* row, size_t blocks, uint32_t rest,
                        float* out) {
  if constexpr (requires { From::bytes; })
    dequantize_row(From::type, row + blocks * From::bytes, rest, out);
}

template <class From>
void expand(const std::byte* row, uint32_t n, float* out) {
  auto blocks = n / 32;
  From from;
  from.row = row;
  for (auto b = size_t{0}; b < blocks; ++b) {
    enter(from, b);
    store(out + 32 * b, from.template load<0>(b));
    store(out + 32 * b + 16, from.template load<1>(b));
  }
  if (n % 32 != 0)
    expand_rest<From>(row, blocks, n % 32, out + size_t{32} * blocks);
}

void dequantize(dtype t, const std::byte* row, uint32_t n, float* out) {
  with_source(t, [&]<class From>() { expand<From>(row, n, out); });
}

// -- matrix product -----------------------------------------------------------

template <int H, class From, int M, int N>
inline void multiply_16(const From (&w)[N], const float* const (&x)[M],
                        size_t b, vec (&acc)[M][N]) {
  vec v[N];
  for (auto j = 0; j < N; ++j)
    v[j] = w[j].template load<H>(b);
  for (auto i = 0; i < M; ++i) {
    auto u = load(x[i] + 32 * b + 16 * H);
    for (auto j = 0; j < N; ++j)
      acc[i][j] = fma(u, v[j], acc[i][j]);
  }
}

// M rows of x by N rows of w, all of k.
template <class From, int M, int N>
void tile(const matmul_block& t, uint32_t row, uint32_t col) {
  const float* x[M];
  From w[N];
  for (auto i = 0; i < M; ++i)
    x[i] = t.x + (row + i) * t.x_stride;
  for (auto j = 0; j < N; ++j)
    w[j].row = t.w + (col + j) * t.w_stride;
  vec acc[M][N];
  for (auto i = 0; i < M; ++i)
    for (auto j = 0; j < N; ++j)
      acc[i][j] = zero();
  auto blocks = size_t{t.k / 32};
  for (auto b = size_t{0}; b < blocks; ++b) {
    for (auto j = 0; j < N; ++j)
      enter(w[j], b);
    multiply_16<0>(w, x, b, acc);
    multiply_16<1>(w, x, b, acc);
  }
  if (auto rest = t.k % 32) {
    float wide_w[N][32] = {};
    float wide_x[M][32] = {};
    from_f32 last_w[N];
    const float* last_x[M];
    for (auto j = 0; j < N; ++j) {
      expand_rest<From>(w[j].row, blocks, rest, wide_w[j]);
      last_w[j].row = reinterpret_cast<const std::byte*>(wide_w[j]);
    }
    for (auto i = 0; i < M; ++i) {
      for (auto k = 0u; k < rest; ++k)
        wide_x[i][k] = x[i][32 * blocks + k];
      last_x[i] = wide_x[i];
    }
    multiply_16<0>(last_w, last_x, 0, acc);
    multiply_16<1>(last_w, last_x, 0, acc);
  }
  for (auto i = 0; i < M; ++i) {
    float out[4 * ((N + 3) / 4)];
    for (auto j = 0; j < N; j += 4)
      sum4(acc[i][j], j + 1 < N ? acc[i][j + 1] : zero(),
           j + 2 < N ? acc[i][j + 2] : zero(),
           j + 3 < N ? acc[i][j + 3] : zero(), out + j);
    auto* y = t.y + (row + i) * t.y_stride + col;
    if (t.bias != nullptr)
      for (auto j = 0; j < N; ++j)
        out[j] += t.bias[col + j];
    if (t.add)
      for (auto j = 0; j < N; ++j)
        out[j] += y[j];
    for (auto j = 0; j < N; ++j)
      y[j] = out[j];
  }
}

template <class From, int M>
void rows(const matmul_block& t, uint32_t row) {
  constexpr auto n = M == 1 ? 4 : tile_columns;
  auto col = uint32_t{0};
  for (; col + n <= t.n; col += n)
    tile<From, M, n>(t, row, col);
  for (; col < t.n; ++col)
    tile<From, M, 1>(t, row, col);
}

template <class From>
void multiply_from(const matmul_block& t) {
  auto row = uint32_t{0};
  for (; row + tile_rows <= t.m; row += tile_rows)
    rows<From, tile_rows>(t, row);
  switch (t.m - row) {
  case 3:
    if constexpr (tile_rows > 3)
      return rows<From, 3>(t, row);
    break;
  case 2:
    if constexpr (tile_rows > 2)
      return rows<From, 2>(t, row);
    break;
  case 1:
    return rows<From, 1>(t, row);
  default:
    break;
  }
}

void multiply(const matmul_block& t) {
  with_source(t.type, [&]<class From>() { multiply_from<From>(t); });
}

// -- element by element -------------------------------------------------------

// g / (1 + e^-t) * up: what gates with t of g multiply.
inline vec gated(vec g, vec t, vec up) {
  auto e = exponential(sub(zero(), t));
  return mul(div(g, add(splat(1.f), e)), up);
}

inline vec silu_gated(vec g, vec up) {
  return gated(g, g, up);
}

// (1 + tanh(u)) / 2 = 1 / (1 + e^-2u); here 2 sqrt(2/pi) comes first.
inline vec gelu_gated(vec g, vec up) {
  auto u = fma(mul(g, g), splat(0.0713548163f), splat(1.5957691216f));
  return gated(g, mul(g, u), up);
}

// x[i] = f(x[i], y[i]); y may be x.
template <class F>
inline void each_of(float* x, const float* y, size_t n, F f) {
  auto i = size_t{0};
  for (; i + 16 <= n; i += 16)
    store(x + i, f(load(x + i), load(y + i)));
  if (i < n) {
    float a[16] = {};
    float b[16] = {};
    for (auto j = size_t{0}; i + j < n; ++j) {
      a[j] = x[i + j];
      b[j] = y[i + j];
    }
    store(a, f(load(a), load(b)));
    for (auto j = size_t{0}; i + j < n; ++j)
      x[i + j] = a[j];
  }
}

void swiglu(float* gate, const float* up, size_t n) {
  each_of(gate, up, n, silu_gated);
}

void geglu(float* gate, const float* up, size_t n) {
  each_of(gate, up, n, gelu_gated);
}

void softcap(float* x, float cap, size_t n) {
  each_of(x, x, n, [cap](vec a, vec) { return capped(a, cap); });
}

void to_f16(const float* in, uint32_t n, std::byte* out) {
  auto i = size_t{0};
  for (; i + 16 <= n; i += 16)
    store_f16(out + 2 * i, load(in + i));
  if (i < n)
    quantize_row(dtype::f16, in + i, n - static_cast<uint32_t>(i), out + 2 * i);
}

} // namespace

} // namespace troupe
