#include "core/engine/engine.hpp"

#include <algorithm>
#include <cassert>
#include <vector>

#include "core/attention/dense.hpp"
#include "core/tensor/matmul.hpp"
#include "core/tensor/rope.hpp"
#include "core/tensor/thread_pool.hpp"

namespace troupe {

struct engine::impl {
  impl(std::shared_ptr<const model> m, engine_options o)
      : weights(std::move(m)), options(o), with(best_kernels()),
        threads(std::max(1u, o.threads)), attention(with),
        turn(weights->params.rope_dim, weights->params.rope_base,
             weights->params.rope_scale, weights->w.rope_factors,
             weights->params.pairing == rope_pairing::adjacent) {
    reserve(std::max(1u, o.max_tokens_per_step));
  }

  result<void> check(std::span<const batch_row> rows) const;
  void lay_out(std::span<const batch_row> rows);
  void reserve(uint32_t tokens);
  void embed(std::span<const batch_row> rows);
  void run_layer(uint32_t layer, const kv_layout& layout);
  std::span<const float> read_out(std::span<const batch_row> rows);
  void multiply(std::span<const product_into> products, const float* in,
                uint32_t width, uint32_t m);
  void norm(const std::vector<float>& weight, const float* in, float* out,
            uint32_t m);
  void add(const std::vector<float>& bias, float* to, size_t stride);

  // Runs f on every row of the step's activations; a few rows are not worth
  // waking anybody for.
  template <class F>
  void each_token(uint32_t m, F f) {
    constexpr uint32_t few = 8;
    threads.run((m + few - 1) / few, [&](uint32_t part) {
      auto end = std::min(m, (part + 1) * few);
      for (auto i = part * few; i < end; ++i)
        f(i);
    });
  }

  std::shared_ptr<const model> weights;
  engine_options options;
  const kernels& with;
  thread_pool threads;
  dense_attention attention;
  rope turn;

  // Scratch, for as many tokens as the largest step so far.
  uint32_t room = 0;
  uint32_t tokens = 0;             ///< of this step
  std::vector<attention_row> laid; ///< rows of this step
  std::vector<float> x;            ///< [tokens, hidden], residual stream
  std::vector<float> normed;       ///< [tokens, hidden]
  std::vector<float> qkv;          ///< [tokens, q + 2 kv]
  std::vector<float> mixed;        ///< [tokens, q], attention's output
  std::vector<float> delta;        ///< [tokens, hidden]
  std::vector<float> gate;         ///< [tokens, ffn]
  std::vector<float> up;           ///< [tokens, ffn]
  std::vector<float> angles;       ///< [tokens, rope_dim]
  std::vector<float> logits;       ///< [wanted, vocab]
};

// -- before the step
// -----------------------------------------------------------

result<void> engine::impl::check(std::span<const batch_row> rows) const {
  auto& p = weights->params;
  for (auto& row : rows) {
    if (row.tokens.empty())
      return fail(errc::invalid_argument, "a row of a step has no tokens");
    auto length = size_t{row.table->length()} + row.tokens.size();
    if (length > p.context)
      return fail(errc::context_exceeded,
                  std::to_string(length) + " tokens; the model's context is "
                      + std::to_string(p.context));
    for (auto id : row.tokens)
      if (id < 0 || static_cast<uint32_t>(id) >= p.vocab)
        return fail(errc::invalid_argument,
                    "token id " + std::to_string(id)
                        + " is out of range; the model has "
                        + std::to_string(p.vocab) + " tokens");
    assert(length <= row.table->room());
  }
  return {};
}

void engine::impl::lay_out(std::span<const batch_row> rows) {
  laid.clear();
  tokens = 0;
  for (auto& row : rows) {
    auto n = static_cast<uint32_t>(row.tokens.size());
    laid.push_back({row.table, tokens, n});
    tokens += n;
  }
  reserve(tokens);
  auto dim = turn.dim();
  for (auto& row : laid)
    for (uint32_t i = 0; i < row.count; ++i)
      turn.angles(row.table->length() + i,
                  angles.data() + size_t{row.first_row + i} * dim);
}

void engine::impl::reserve(uint32_t n) {
  if (n <= room)
    return;
  room = n;
  auto& p = weights->params;
  auto q = size_t{p.heads} * p.head_dim;
  auto kv = size_t{p.kv_heads} * p.head_dim;
  for (auto* v : {&x, &normed, &delta})
    v->resize(room * size_t{p.hidden});
  qkv.resize(room * (q + 2 * kv));
  mixed.resize(room * q);
  gate.resize(room * size_t{p.ffn});
  up.resize(room * size_t{p.ffn});
  angles.resize(room * size_t{p.rope_dim});
}

void engine::impl::embed(std::span<const batch_row> rows) {
  auto& e = weights->w.embedding;
  auto* to = x.data();
  for (auto& row : rows)
    for (auto id : row.tokens) {
      with.expand(e.type, e.row(static_cast<uint32_t>(id)), e.cols, to);
      to += e.cols;
    }
}

// -- the step
// ------------------------------------------------------------------

void engine::impl::multiply(std::span<const product_into> products,
                            const float* in, uint32_t width, uint32_t m) {
  matmul(with, threads, products, in, width, m);
}

void engine::impl::norm(const std::vector<float>& weight, const float* in,
                        float* out, uint32_t m) {
  auto& p = weights->params;
  each_token(m, [&](uint32_t i) {
    with.rms_norm(in + size_t{i} * p.hidden, weight.data(), p.hidden,
                  p.norm_eps, out + size_t{i} * p.hidden);
  });
}

void engine::impl::add(const std::vector<float>& bias, float* to,
                       size_t stride) {
  if (bias.empty())
    return;
  for (uint32_t i = 0; i < tokens; ++i)
    for (size_t c = 0; c < bias.size(); ++c)
      to[i * stride + c] += bias[c];
}

void engine::impl::run_layer(uint32_t layer, const kv_layout& layout) {
  auto& p = weights->params;
  auto& w = weights->w.layers[layer];
  auto q_width = size_t{p.heads} * p.head_dim;
  auto kv_width = size_t{p.kv_heads} * p.head_dim;
  auto stride = q_width + 2 * kv_width;
  auto* q = qkv.data();
  auto* k = q + q_width;
  auto* v = k + kv_width;
  norm(w.attn_norm, x.data(), normed.data(), tokens);
  product_into projections[] = {
      {&w.wq, q, stride}, {&w.wk, k, stride}, {&w.wv, v, stride}};
  multiply(projections, normed.data(), p.hidden, tokens);
  add(w.bq, q, stride);
  add(w.bk, k, stride);
  add(w.bv, v, stride);
  // Q and K heads lie side by side.
  each_token(tokens, [&](uint32_t i) {
    for (uint32_t h = 0; h < p.heads + p.kv_heads; ++h)
      turn.turn(angles.data() + size_t{i} * turn.dim(),
                q + i * stride + size_t{h} * p.head_dim);
  });
  attention.write(threads, laid, layout, layer, k, v, stride);
  attention.attend(threads, laid, layout, layer, p.heads, q, stride,
                   mixed.data());
  product_into out = {&w.wo, delta.data(), p.hidden};
  multiply({&out, 1}, mixed.data(), static_cast<uint32_t>(q_width), tokens);
  each_token(tokens, [&](uint32_t i) {
    auto* xi = x.data() + size_t{i} * p.hidden;
    auto* di = delta.data() + size_t{i} * p.hidden;
    for (uint32_t c = 0; c < p.hidden; ++c)
      xi[c] += di[c];
    with.rms_norm(xi, w.ffn_norm.data(), p.hidden, p.norm_eps,
                  normed.data() + size_t{i} * p.hidden);
  });
  product_into gates[] = {{&w.gate, gate.data(), p.ffn},
                          {&w.up, up.data(), p.ffn}};
  multiply(gates, normed.data(), p.hidden, tokens);
  each_token(tokens, [&](uint32_t i) {
    with.swiglu(gate.data() + size_t{i} * p.ffn, up.data() + size_t{i} * p.ffn,
                p.ffn);
  });
  product_into down = {&w.down, delta.data(), p.hidden};
  multiply({&down, 1}, gate.data(), p.ffn, tokens);
  each_token(tokens, [&](uint32_t i) {
    for (uint32_t c = 0; c < p.hidden; ++c)
      x[size_t{i} * p.hidden + c] += delta[size_t{i} * p.hidden + c];
  });
}

std::span<const float> engine::impl::read_out(std::span<const batch_row> rows) {
  auto& p = weights->params;
  // The wanted rows of the stream move up, in order; `normed` is free.
  uint32_t wanted = 0, at = 0;
  for (auto& row : rows) {
    auto n = static_cast<uint32_t>(row.tokens.size());
    auto first = row.want_all_logits ? 0 : row.want_logits ? n - 1 : n;
    for (auto i = first; i < n; ++i, ++wanted)
      with.rms_norm(x.data() + size_t{at + i} * p.hidden,
                    weights->w.output_norm.data(), p.hidden, p.norm_eps,
                    normed.data() + size_t{wanted} * p.hidden);
    at += n;
  }
  auto size = size_t{wanted} * p.vocab;
  if (logits.size() < size)
    logits.resize(size);
  product_into out = {&weights->w.output, logits.data(), p.vocab};
  multiply({&out, 1}, normed.data(), p.hidden, wanted);
  return {logits.data(), size};
}

// -- interface
// -----------------------------------------------------------------

engine::engine(std::shared_ptr<const model> weights, engine_options options)
    : impl_(std::make_unique<impl>(std::move(weights), options)) {}

engine::engine(engine&&) noexcept = default;
engine& engine::operator=(engine&&) noexcept = default;
engine::~engine() = default;

kv_layout engine::layout(kv_dtype t) const {
  auto& p = impl_->weights->params;
  return {p.layers, p.kv_heads, p.head_dim, t};
}

result<std::span<const float>> engine::forward(std::span<const batch_row> rows,
                                               layer_observer* observer) {
  if (auto ok = impl_->check(rows); !ok)
    return ok.failure();
  if (rows.empty())
    return std::span<const float>{};
  impl_->lay_out(rows);
  impl_->embed(rows);
  auto layout = rows[0].table->layout();
  for (uint32_t layer = 0; layer < impl_->weights->params.layers; ++layer) {
    impl_->run_layer(layer, layout);
    if (observer)
      observer->layer_done(layer);
  }
  auto logits = impl_->read_out(rows);
  for (auto& row : rows)
    row.table->set_length(row.table->length()
                          + static_cast<uint32_t>(row.tokens.size()));
  return logits;
}

const model& engine::weights() const {
  return *impl_->weights;
}

} // namespace troupe
