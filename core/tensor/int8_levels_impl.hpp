// Products with weights of more than a scale and whole bytes or nibbles: bits
// beside the nibbles, minima, scales of scales. Part of int8_impl.hpp.
//
// A group adds to y, in this order and each by fused multiply-add:
// - float(dot) times scale of w * scale of x; of q6_k first that of the first
//   16 inputs, then that of the others;
// - where w has minima, what they are times (sum of x * scale of x).
// A scale of scales and a scale are multiplied first, which is exact: they have
// 11 and up to 8 bits.

#include <cstddef>
#include <cstdint>

#include "core/tensor/int8.hpp"

namespace troupe {

namespace {

// -- levels: inputs 4 T and on of `lanes` outputs, of a group at q ------------

struct nibbles {
  static constexpr auto level_bytes = 512;
  template <int T>
  static ints load(const std::byte* q) {
    return load_nibbles<T % 2>(q + T / 2 * 128);
  }
};

// Bit T of a byte is the fifth bit of an input of these.
struct five_bits {
  static constexpr auto level_bytes = 512 + 128;
  template <int T>
  static ints load(const std::byte* q) {
    return with_bits<4 - T>(nibbles::load<T>(q), q + 512, 0x10);
  }
};

// Bits 2 (T % 4) and the next are the upper bits of an input of these.
struct six_bits {
  static constexpr auto level_bytes = 512 + 256;
  template <int T>
  static ints load(const std::byte* q) {
    return with_bits<4 - T % 4 * 2>(nibbles::load<T>(q), q + 512 + T / 4 * 128,
                                    0x30);
  }
};

// -- weights: group g of a panel, outputs `from` and on -----------------------

// scale<Part>(o): of `lanes` outputs. start<Part>(x): what the sums of levels
// start with, so that they become sums of weights. minimum(o): what is added to
// all weights of a group, as a part of -8: `start[1]` is the sum of x times -8.

struct one_part {
  static constexpr auto parts = 1;
  template <int Part>
  static ints start(const quantised_group&) {
    return zero_ints();
  }
};

inline floats times(floats a, float b) {
  return mul(a, splat(&b));
}

template <class Levels>
struct of_scale_and_minimum : Levels, one_part {
  static constexpr auto has_minimum = true;
  static constexpr auto bytes = 128 + Levels::level_bytes; // of a group
  of_scale_and_minimum(const std::byte* panel, uint32_t g, uint32_t from)
      : at(panel + size_t{g} * bytes + from * 2),
        levels(panel + size_t{g} * bytes + 128 + from * 4) {}
  template <int Part>
  floats scale(int o) const {
    return load_halves(at + o * 2);
  }
  floats minimum(int o) const {
    return times(load_halves(at + 64 + o * 2), -0.125f);
  }
  const std::byte* at;
  const std::byte* levels;
};

using of_q4_1 = of_scale_and_minimum<nibbles>;
using of_q5_1 = of_scale_and_minimum<five_bits>;

struct of_q5_0 : five_bits {
  static constexpr auto has_minimum = false;
  static constexpr auto parts = 1;
  static constexpr auto bytes = 64 + level_bytes;
  of_q5_0(const std::byte* panel, uint32_t g, uint32_t from)
      : at(panel + size_t{g} * bytes + from * 2),
        levels(panel + size_t{g} * bytes + 64 + from * 4) {}
  template <int Part>
  floats scale(int o) const {
    return load_halves(at + o * 2);
  }
  template <int Part>
  static ints start(const quantised_group& x) {
    auto s = splat(x.start + 1);
    return add(s, s);
  }
  const std::byte* at;
  const std::byte* levels;
};

// Eight groups share scales of scales.
template <class Levels>
struct of_steps : Levels, one_part {
  static constexpr auto has_minimum = true;
  static constexpr auto group_bytes = 64 + Levels::level_bytes;
  static constexpr auto bytes = group_bytes + 128 / 8;
  of_steps(const std::byte* panel, uint32_t g, uint32_t from) {
    auto* block = panel + size_t{g / 8} * (8 * bytes);
    auto* group = block + 128 + g % 8 * size_t{group_bytes};
    units = block + from * 2;
    at = group + from;
    levels = group + 64 + from * 4;
  }
  template <int Part>
  floats scale(int o) const {
    return mul(load_small(at + o), load_halves(units + o * 2));
  }
  floats minimum(int o) const {
    auto unit = times(load_halves(units + 64 + o * 2), 0.125f);
    return mul(load_small(at + 32 + o), unit);
  }
  const std::byte* units;
  const std::byte* at;
  const std::byte* levels;
};

using of_q4_k = of_steps<nibbles>;
using of_q5_k = of_steps<five_bits>;

struct of_q6_k : six_bits {
  static constexpr auto has_minimum = false;
  static constexpr auto parts = 2;
  static constexpr auto group_bytes = 64 + level_bytes;
  static constexpr auto bytes = group_bytes + 64 / 8;
  of_q6_k(const std::byte* panel, uint32_t g, uint32_t from) {
    auto* block = panel + size_t{g / 8} * (8 * bytes);
    auto* group = block + 64 + g % 8 * size_t{group_bytes};
    units = block + from * 2;
    at = group + from;
    levels = group + 64 + from * 4;
  }
  template <int Part>
  floats scale(int o) const {
    return mul(load_small(at + Part * 32 + o), load_halves(units + o * 2));
  }
  // `start[0]` is the sum of x times -128.
  template <int Part>
  static ints start(const quantised_group& x) {
    auto first = splat(&x.first);
    return Part == 0 ? first : sub(shift_right<2>(splat(x.start)), first);
  }
  const std::byte* units;
  const std::byte* at;
  const std::byte* levels;
};

template <class W>
concept has_levels = requires(W w) {
  w.levels;
};

// -- product ------------------------------------------------------------------

// Inputs 4 T up to 4 Last. x: of the first of M rows, the others `Step` bytes
// apart.
template <class W, int T, int Last, int M, size_t Step>
[[gnu::always_inline]] inline void
dot_levels(const std::byte* q, const int8_t* x, ints (&sum)[M][tile_vectors]) {
  if constexpr (T < Last) {
    weights w[tile_vectors];
    for (auto v = 0; v < tile_vectors; ++v)
      w[v] = as_weights(W::template load<T>(q + v * lanes * 4));
    for (auto r = 0; r < M; ++r) {
      auto a = splat_inputs(x + 4 * T + r * Step);
      for (auto v = 0; v < tile_vectors; ++v)
        sum[r][v] = dot(sum[r][v], w[v], a);
    }
    // What follows is loaded later: the compiler would load ahead what it has
    // no registers for.
    __asm__ volatile("" ::: "memory");
    dot_levels<W, T + 1, Last, M, Step>(q, x, sum);
  }
}

template <class W, bool Wide, int Part, int M>
[[gnu::always_inline]] inline void
add_part(const W& w, const typename group_of<Wide>::type* x,
         floats (&out)[M][tile_vectors]) {
  constexpr auto step = sizeof(*x);
  constexpr auto first = 8 / W::parts * Part;
  constexpr auto last = first + 8 / W::parts;
  ints sum[M][tile_vectors];
  if constexpr (Wide) {
#pragma GCC unroll 8
    for (auto r = 0; r < M; ++r)
#pragma GCC unroll 8
      for (auto v = 0; v < tile_vectors; ++v)
        sum[r][v] = zero_ints();
    dot_levels<W, first, last, M, step>(w.levels, x->high, sum);
    __asm__ volatile("" ::: "memory"); // as in the other tile
#pragma GCC unroll 8
    for (auto r = 0; r < M; ++r)
#pragma GCC unroll 8
      for (auto v = 0; v < tile_vectors; ++v)
        sum[r][v] = times_256_plus(sum[r][v], W::template start<Part>(x[r]));
  } else {
#pragma GCC unroll 8
    for (auto r = 0; r < M; ++r)
#pragma GCC unroll 8
      for (auto v = 0; v < tile_vectors; ++v)
        sum[r][v] = W::template start<Part>(x[r]);
  }
  dot_levels<W, first, last, M, step>(w.levels, x->low, sum);
  floats s[tile_vectors];
#pragma GCC unroll 8
  for (auto v = 0; v < tile_vectors; ++v)
    s[v] = w.template scale<Part>(v * lanes);
#pragma GCC unroll 8
  for (auto r = 0; r < M; ++r) {
    auto u = splat(&x[r].scale);
#pragma GCC unroll 8
    for (auto v = 0; v < tile_vectors; ++v)
      out[r][v] = fma(to_floats(sum[r][v]), mul(s[v], u), out[r][v]);
  }
}

template <class W, class Group, int M>
[[gnu::always_inline]] inline void add_minima(const W& w, const Group* x,
                                              floats (&out)[M][tile_vectors]) {
  floats minimum[tile_vectors];
#pragma GCC unroll 8
  for (auto v = 0; v < tile_vectors; ++v)
    minimum[v] = w.minimum(v * lanes);
#pragma GCC unroll 8
  for (auto r = 0; r < M; ++r) {
    auto sum = mul(to_floats(splat(x[r].start + 1)), splat(&x[r].scale));
#pragma GCC unroll 8
    for (auto v = 0; v < tile_vectors; ++v)
      out[r][v] = fma(minimum[v], sum, out[r][v]);
  }
}

// As the other one.
template <has_levels W, bool Wide, int M>
void tile(const std::byte* panel, uint32_t strip, const quantised_rows& rows,
          uint32_t row, uint32_t first, uint32_t last, beginning begin,
          bool fetch, float* y, size_t y_stride) {
  using group = typename group_of<Wide>::type;
  auto* x = reinterpret_cast<const group*>(rows.group(row, first));
  auto from = strip * strip_outputs;
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
        out[r][v] = add(out[r][v], load(begin.bias + from + v * lanes));
  for (auto g = first; g < last; ++g, x += rows.height) {
    if (fetch)
      fetch_weights<W::bytes>(panel + size_t{g} * W::bytes);
    auto w = W{panel, g, from};
    add_part<W, Wide, 0>(w, x, out);
    if constexpr (W::parts == 2)
      add_part<W, Wide, 1>(w, x, out);
    if constexpr (W::has_minimum)
      add_minima(w, x, out);
  }
#pragma GCC unroll 8
  for (auto r = 0; r < M; ++r)
#pragma GCC unroll 8
    for (auto v = 0; v < tile_vectors; ++v)
      store(y + r * y_stride + v * lanes, out[r][v]);
}

} // namespace

} // namespace troupe
