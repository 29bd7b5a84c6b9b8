// The kernels over a 16-lane vector `vec`, which the including file defines
// together with its loads. Included once per instruction set, inside an
// anonymous namespace: nothing here may be an inline function of a shared
// header, or the linker could pick its AVX-512 form for every processor.
//
// `tile_m` x `tile_n` products are kept in registers at once.

template <int M, int N>
void product_tile(const float* const* w, uint32_t k, const float* x, size_t ldx,
                  float* y, size_t ldy) {
  vec acc[M][N];
  for (int i = 0; i < M; ++i)
    for (int j = 0; j < N; ++j)
      acc[i][j] = zero();
  uint32_t c = 0;
  for (; c + 16 <= k; c += 16) {
    vec wv[N];
    for (int j = 0; j < N; ++j)
      wv[j] = load(w[j] + c);
    for (int i = 0; i < M; ++i) {
      auto xv = load(x + i * ldx + c);
      for (int j = 0; j < N; ++j)
        acc[i][j] = fma(xv, wv[j], acc[i][j]);
    }
  }
  if (c < k) {
    vec wv[N];
    for (int j = 0; j < N; ++j)
      wv[j] = load_some(w[j] + c, k - c);
    for (int i = 0; i < M; ++i) {
      auto xv = load_some(x + i * ldx + c, k - c);
      for (int j = 0; j < N; ++j)
        acc[i][j] = fma(xv, wv[j], acc[i][j]);
    }
  }
  for (int i = 0; i < M; ++i)
    for (int j = 0; j < N; ++j)
      y[i * ldy + j] = sum(acc[i][j]);
}

template <int N>
void product_columns(const float* const* w, uint32_t k, const float* x,
                     size_t ldx, uint32_t m, float* y, size_t ldy) {
  uint32_t i = 0;
  for (; i + tile_m <= m; i += tile_m)
    product_tile<tile_m, N>(w, k, x + i * ldx, ldx, y + i * ldy, ldy);
  for (; i < m; ++i)
    product_tile<1, N>(w, k, x + i * ldx, ldx, y + i * ldy, ldy);
}

void product(const float* w, size_t ldw, uint32_t n, uint32_t k, const float* x,
             size_t ldx, uint32_t m, float* y, size_t ldy) {
  // A few rows of x stay in the first cache while all of w passes by.
  constexpr uint32_t rows = 4 * tile_m;
  for (uint32_t i = 0; i < m; i += rows) {
    auto some = m - i < rows ? m - i : rows;
    auto* xi = x + i * ldx;
    auto* yi = y + i * ldy;
    uint32_t j = 0;
    for (; j + tile_n <= n; j += tile_n) {
      const float* rows_of_w[tile_n];
      for (int t = 0; t < tile_n; ++t)
        rows_of_w[t] = w + (j + t) * ldw;
      product_columns<tile_n>(rows_of_w, k, xi, ldx, some, yi + j, ldy);
    }
    for (; j < n; ++j) {
      auto* row = w + j * ldw;
      product_columns<1>(&row, k, xi, ldx, some, yi + j, ldy);
    }
  }
}

// -- encoded weights
// -----------------------------------------------------------

// Each decoder yields the values [c, c + 16) of a row, c a multiple of 16, and
// a last part of fewer where the encoding has no blocks.

struct f32_row {
  static vec at(const std::byte* row, uint32_t c) {
    return load(reinterpret_cast<const float*>(row) + c);
  }
  static vec some(const std::byte* row, uint32_t c, uint32_t n) {
    return load_some(reinterpret_cast<const float*>(row) + c, n);
  }
};

struct f16_row {
  static vec at(const std::byte* row, uint32_t c) {
    return load_f16(row + 2 * size_t{c});
  }
  static vec some(const std::byte* row, uint32_t c, uint32_t n) {
    alignas(64) std::byte part[32] = {};
    std::memcpy(part, row + 2 * size_t{c}, 2 * size_t{n});
    return load_f16(part);
  }
};

struct bf16_row {
  static vec at(const std::byte* row, uint32_t c) {
    return load_bf16(row + 2 * size_t{c});
  }
  static vec some(const std::byte* row, uint32_t c, uint32_t n) {
    alignas(64) std::byte part[32] = {};
    std::memcpy(part, row + 2 * size_t{c}, 2 * size_t{n});
    return load_bf16(part);
  }
};

struct q8_0_row {
  static vec at(const std::byte* row, uint32_t c) {
    auto* block = row + size_t{c} / 32 * 34;
    return mul(set(half_at(block)), load_i8(block + 2 + c % 32));
  }
  static vec some(const std::byte*, uint32_t, uint32_t) { return zero(); }
};

struct q4_0_row {
  static vec at(const std::byte* row, uint32_t c) {
    auto* block = row + size_t{c} / 32 * 18;
    return mul(set(half_at(block)), c % 32 == 0 ? load_low_nibbles(block + 2)
                                                : load_high_nibbles(block + 2));
  }
  static vec some(const std::byte*, uint32_t, uint32_t) { return zero(); }
};

template <class Row>
void expand_row(const std::byte* row, uint32_t k, float* out) {
  uint32_t c = 0;
  for (; c + 16 <= k; c += 16)
    store(out + c, Row::at(row, c));
  if (c < k)
    store_some(out + c, k - c, Row::some(row, c, k - c));
}

void expand(dtype t, const std::byte* row, uint32_t k, float* out) {
  switch (t) {
  case dtype::f32:
    return expand_row<f32_row>(row, k, out);
  case dtype::f16:
    return expand_row<f16_row>(row, k, out);
  case dtype::bf16:
    return expand_row<bf16_row>(row, k, out);
  case dtype::q8_0:
    return expand_row<q8_0_row>(row, k, out);
  case dtype::q4_0:
    return expand_row<q4_0_row>(row, k, out);
  }
}

template <class Row, int M, int N>
void few_tile(const std::byte* w, size_t w_stride, uint32_t k, const float* x,
              size_t ldx, float* y, size_t ldy) {
  vec acc[M][N];
  for (int i = 0; i < M; ++i)
    for (int j = 0; j < N; ++j)
      acc[i][j] = zero();
  uint32_t c = 0;
  for (; c + 16 <= k; c += 16) {
    vec xv[M];
    for (int i = 0; i < M; ++i)
      xv[i] = load(x + i * ldx + c);
    for (int j = 0; j < N; ++j) {
      auto wv = Row::at(w + j * w_stride, c);
      for (int i = 0; i < M; ++i)
        acc[i][j] = fma(xv[i], wv, acc[i][j]);
    }
  }
  if (c < k) {
    vec xv[M];
    for (int i = 0; i < M; ++i)
      xv[i] = load_some(x + i * ldx + c, k - c);
    for (int j = 0; j < N; ++j) {
      auto wv = Row::some(w + j * w_stride, c, k - c);
      for (int i = 0; i < M; ++i)
        acc[i][j] = fma(xv[i], wv, acc[i][j]);
    }
  }
  for (int i = 0; i < M; ++i)
    for (int j = 0; j < N; ++j)
      y[i * ldy + j] = sum(acc[i][j]);
}

template <class Row, int M>
void few_rows(const std::byte* w, size_t w_stride, uint32_t n, uint32_t k,
              const float* x, size_t ldx, float* y, size_t ldy) {
  constexpr int columns = M == 1 ? 4 : 2;
  uint32_t j = 0;
  for (; j + columns <= n; j += columns)
    few_tile<Row, M, columns>(w + j * w_stride, w_stride, k, x, ldx, y + j,
                              ldy);
  for (; j < n; ++j)
    few_tile<Row, M, 1>(w + j * w_stride, w_stride, k, x, ldx, y + j, ldy);
}

template <class Row>
void few(const std::byte* w, size_t w_stride, uint32_t n, uint32_t k,
         const float* x, size_t ldx, uint32_t m, float* y, size_t ldy) {
  uint32_t i = 0;
  for (; i + 4 <= m; i += 4)
    few_rows<Row, 4>(w, w_stride, n, k, x + i * ldx, ldx, y + i * ldy, ldy);
  for (; i + 2 <= m; i += 2)
    few_rows<Row, 2>(w, w_stride, n, k, x + i * ldx, ldx, y + i * ldy, ldy);
  for (; i < m; ++i)
    few_rows<Row, 1>(w, w_stride, n, k, x + i * ldx, ldx, y + i * ldy, ldy);
}

void product_few(dtype t, const std::byte* w, size_t w_stride, uint32_t n,
                 uint32_t k, const float* x, size_t ldx, uint32_t m, float* y,
                 size_t ldy) {
  switch (t) {
  case dtype::f32:
    return few<f32_row>(w, w_stride, n, k, x, ldx, m, y, ldy);
  case dtype::f16:
    return few<f16_row>(w, w_stride, n, k, x, ldx, m, y, ldy);
  case dtype::bf16:
    return few<bf16_row>(w, w_stride, n, k, x, ldx, m, y, ldy);
  case dtype::q8_0:
    return few<q8_0_row>(w, w_stride, n, k, x, ldx, m, y, ldy);
  case dtype::q4_0:
    return few<q4_0_row>(w, w_stride, n, k, x, ldx, m, y, ldy);
  }
}

// -- element by element
// --------------------------------------------------------

void rms_norm(const float* x, const float* weight, uint32_t n, float eps,
              float* out) {
  auto squares = zero();
  uint32_t c = 0;
  for (; c + 16 <= n; c += 16)
    squares = fma(load(x + c), load(x + c), squares);
  if (c < n) {
    auto v = load_some(x + c, n - c);
    squares = fma(v, v, squares);
  }
  auto mean = sum(squares) / static_cast<float>(n);
  auto factor = set(1.f / __builtin_sqrtf(mean + eps));
  for (c = 0; c + 16 <= n; c += 16)
    store(out + c, mul(mul(load(x + c), factor), load(weight + c)));
  if (c < n)
    store_some(out + c, n - c,
               mul(mul(load_some(x + c, n - c), factor),
                   load_some(weight + c, n - c)));
}

// Cody and Waite's reduction to [-ln 2 / 2, ln 2 / 2] and a polynomial of
// degree 6 there (coefficients of the Taylor series suffice for 2 ulp).
vec exp_of(vec x) {
  x = min(max(x, set(-87.3f)), set(88.7f));
  auto n = round(mul(x, set(1.44269504f)));
  auto r = fma(n, set(-0.693359375f), x);
  r = fma(n, set(2.12194440e-4f), r);
  auto p = set(1.f / 720);
  p = fma(p, r, set(1.f / 120));
  p = fma(p, r, set(1.f / 24));
  p = fma(p, r, set(1.f / 6));
  p = fma(p, r, set(0.5f));
  p = fma(p, r, set(1.f));
  p = fma(p, r, set(1.f));
  return scale_by_power(p, n);
}

void exp_all(const float* x, uint32_t n, float* out) {
  uint32_t c = 0;
  for (; c + 16 <= n; c += 16) {
    auto v = load(x + c);
    store(out + c, zero_below(v, -87.3f, exp_of(v)));
  }
  if (c < n) {
    auto v = load_some(x + c, n - c);
    store_some(out + c, n - c, zero_below(v, -87.3f, exp_of(v)));
  }
}

vec silu_of(vec x) {
  return div(x, add(set(1.f), exp_of(sub(zero(), x))));
}

void swiglu(float* gate, const float* up, uint32_t n) {
  uint32_t c = 0;
  for (; c + 16 <= n; c += 16)
    store(gate + c, mul(silu_of(load(gate + c)), load(up + c)));
  if (c < n)
    store_some(
        gate + c, n - c,
        mul(silu_of(load_some(gate + c, n - c)), load_some(up + c, n - c)));
}

// -- attention
// -----------------------------------------------------------------

constexpr uint32_t block_tokens = 16;

// Scores of a block's 16 tokens; K lies as [dim][16 tokens]. Four chains of
// multiply-adds hide their latency.
template <class Row>
vec scores_of(const float* q, const std::byte* k, uint32_t dim) {
  vec acc[4] = {zero(), zero(), zero(), zero()};
  uint32_t d = 0;
  for (; d + 4 <= dim; d += 4)
    for (uint32_t i = 0; i < 4; ++i)
      acc[i] = fma(set(q[d + i]), Row::at(k, (d + i) * block_tokens), acc[i]);
  for (; d < dim; ++d)
    acc[d % 4] = fma(set(q[d]), Row::at(k, d * block_tokens), acc[d % 4]);
  return add(add(acc[0], acc[1]), add(acc[2], acc[3]));
}

template <class Row>
void attend_block(const attention_task& t, const std::byte* block,
                  uint32_t first, float* acc, float* most, float* total) {
  auto padded = (t.dim + 15) / 16 * 16;
  auto* k = block + t.k_offset;
  auto* v = block + t.v_offset;
  for (uint32_t i = 0; i < t.count; ++i) {
    auto& query = t.queries[i];
    if (query.tokens <= first)
      continue;
    auto count = query.tokens - first;
    if (count > block_tokens)
      count = block_tokens;
    auto s = mul(scores_of<Row>(query.q, k, t.dim), set(t.scale));
    s = keep_first(s, count, -__builtin_inff());
    auto highest = largest(s);
    auto* a = acc + i * padded;
    if (first == 0) {
      most[i] = highest;
      total[i] = 0;
      for (uint32_t c = 0; c < padded; c += 16)
        store(a + c, zero());
    } else if (highest > most[i]) {
      auto shrink = exp_of(set(most[i] - highest));
      total[i] *= first_lane(shrink);
      for (uint32_t c = 0; c < padded; c += 16)
        store(a + c, mul(load(a + c), shrink));
      most[i] = highest;
    }
    alignas(64) float p[block_tokens];
    auto weights = keep_first(exp_of(sub(s, set(most[i]))), count, 0.f);
    store(p, weights);
    total[i] += sum(weights);
    uint32_t c = 0;
    for (; c + 16 <= t.dim; c += 16) {
      auto x = load(a + c);
      for (uint32_t j = 0; j < count; ++j)
        x = fma(set(p[j]), Row::at(v, j * t.dim + c), x);
      store(a + c, x);
    }
    if (c < t.dim) {
      auto x = load(a + c);
      for (uint32_t j = 0; j < count; ++j)
        x = fma(set(p[j]), Row::some(v, j * t.dim + c, t.dim - c), x);
      store(a + c, x);
    }
  }
}

template <class Row>
void attend_all(const attention_task& t) {
  alignas(64) float acc[max_accumulators];
  float most[max_attention_queries], total[max_attention_queries];
  auto padded = (t.dim + 15) / 16 * 16;
  uint32_t tokens = 0;
  for (uint32_t i = 0; i < t.count; ++i)
    if (t.queries[i].tokens > tokens)
      tokens = t.queries[i].tokens;
  for (uint32_t first = 0; first < tokens; first += block_tokens)
    attend_block<Row>(t, t.blocks[first / block_tokens], first, acc, most,
                      total);
  for (uint32_t i = 0; i < t.count; ++i) {
    auto* a = acc + i * padded;
    auto whole = set(total[i]);
    uint32_t c = 0;
    for (; c + 16 <= t.dim; c += 16)
      store(t.queries[i].out + c, div(load(a + c), whole));
    if (c < t.dim)
      store_some(t.queries[i].out + c, t.dim - c, div(load(a + c), whole));
  }
}

void attend(const attention_task& t) {
  if (t.f16)
    attend_all<f16_row>(t);
  else
    attend_all<f32_row>(t);
}

void to_f16(const float* x, uint32_t n, uint16_t* out) {
  uint32_t c = 0;
  for (; c + 16 <= n; c += 16)
    store_f16(out + c, load(x + c));
  if (c < n) {
    alignas(64) uint16_t part[16];
    store_f16(part, load_some(x + c, n - c));
    std::memcpy(out + c, part, 2 * size_t{n - c});
  }
}
