#include "core/engine/engine.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <string>
#include <vector>

#include "core/attention/dense.hpp"
#include "core/engine/packed_weights.hpp"
#include "core/tensor/compute.hpp"
#include "core/tensor/matmul.hpp"
#include "core/tensor/norm.hpp"
#include "core/tensor/rope.hpp"

namespace troupe {

namespace {

// Work on so few rows is done by the caller: waking a thread costs more.
constexpr uint32_t rows_of_task = 8;

const kernels& kernels_of(const engine_options& options) {
  return options.use != nullptr ? *options.use : best_kernels();
}

// Inputs of the widest matrix.
uint32_t widest(const hparams& p) {
  return std::max({p.hidden, p.ffn, p.heads * p.head_dim});
}

size_t scratch_floats(const hparams& p) {
  return std::max(matmul_scratch_floats(widest(p)),
                  dense_attention::scratch_floats(p.heads, p.kv_heads,
                                                  p.head_dim, p.head_dim));
}

// Not initialised, so that what a model never uses never becomes resident.
class buffer {
public:
  explicit buffer(size_t floats)
      : data_(std::make_unique_for_overwrite<float[]>(floats)) {}
  operator float*() const { return data_.get(); }

private:
  std::unique_ptr<float[]> data_;
};

} // namespace

struct engine::impl {
  impl(std::shared_ptr<const model> weights, engine_options options);

  result<void> check(std::span<const batch_row> rows) const;
  void plan(std::span<const batch_row> rows);
  void embed();
  void attend(const layer_weights& w, uint32_t layer);
  void feed_forward(const layer_weights& w);
  std::span<const float> logits();

  /// Calls fn(row) for each row of the step, on all threads if it is worth it.
  template <class F>
  void for_rows(F fn) {
    auto tasks = (tokens + rows_of_task - 1) / rows_of_task;
    c.pool.run(tasks, [&](uint32_t task, unsigned) {
      auto end = std::min((task + 1) * rows_of_task, tokens);
      for (auto row = task * rows_of_task; row < end; ++row)
        fn(row);
    });
  }

  void normalise(const std::vector<float>& weight) {
    for_rows([&](uint32_t row) {
      rms_norm(x + size_t{row} * p.hidden, weight.data(), p.hidden, p.norm_eps,
               normed + size_t{row} * p.hidden);
    });
  }

  std::shared_ptr<const model> m;
  const hparams& p;
  std::shared_ptr<const packed_weights> packed; ///< null for f32
  const model_weights* w = nullptr;
  const uint32_t max_tokens;
  const uint32_t q_width;
  const uint32_t kv_width;
  compute c;
  rope_angles angles;
  dense_attention attention;

  // The step: its tokens in the order of rows.
  uint32_t tokens = 0;
  std::vector<token_id> ids;
  std::vector<uint32_t> positions;
  std::vector<attention_rows> sequences;
  std::vector<uint32_t> wanted; ///< rows whose logits are returned

  // Activations, [max_tokens, …].
  buffer x;        ///< hidden: the residual stream
  buffer normed;   ///< hidden
  buffer q;        ///< q_width
  buffer k;        ///< kv_width
  buffer v;        ///< kv_width
  buffer attended; ///< q_width
  buffer gate;     ///< ffn
  buffer up;       ///< ffn
  buffer cos_sin;  ///< rope_dim
  buffer out;      ///< vocab
};

engine::impl::impl(std::shared_ptr<const model> weights, engine_options options)
    : m(std::move(weights)), p(m->params),
      max_tokens(std::max(options.max_tokens_per_step, 1u)),
      q_width(p.heads * p.head_dim), kv_width(p.kv_heads * p.head_dim),
      c(std::max(options.threads, 1u), kernels_of(options), scratch_floats(p),
        options.activations, max_tokens, widest(p)),
      angles(p.rope_dim, p.rope_base, p.rope_scale, m->w.rope_factors,
             p.rope_magnitude),
      attention(p.heads, max_tokens), x(size_t{max_tokens} * p.hidden),
      normed(size_t{max_tokens} * p.hidden), q(size_t{max_tokens} * q_width),
      k(size_t{max_tokens} * kv_width), v(size_t{max_tokens} * kv_width),
      attended(size_t{max_tokens} * q_width), gate(size_t{max_tokens} * p.ffn),
      up(size_t{max_tokens} * p.ffn), cos_sin(size_t{max_tokens} * p.rope_dim),
      out(size_t{max_tokens} * p.vocab) {
  if (options.activations != activation_type::f32)
    packed = packed_weights::of(m, c.pool);
  w = packed ? &packed->w() : &m->w;
  ids.reserve(max_tokens);
  positions.reserve(max_tokens);
  sequences.reserve(max_tokens);
  wanted.reserve(max_tokens);
}

// -- the step -----------------------------------------------------------------

result<void> engine::impl::check(std::span<const batch_row> rows) const {
  auto total = size_t{0};
  for (auto& row : rows) {
    if (row.tokens.empty())
      return fail(errc::invalid_argument, "a row of the batch has no tokens");
    for (auto id : row.tokens)
      if (id < 0 || static_cast<uint32_t>(id) >= p.vocab)
        return fail(errc::invalid_argument,
                    "token id " + std::to_string(id)
                        + " is not in the vocabulary of "
                        + std::to_string(p.vocab));
    if (row.table->length() + row.tokens.size() > p.context)
      return fail(errc::context_exceeded,
                  std::to_string(row.table->length() + row.tokens.size())
                      + " tokens do not fit the model's context of "
                      + std::to_string(p.context));
    assert(row.table->length() + row.tokens.size() <= row.table->room());
    total += row.tokens.size();
  }
  if (total > max_tokens)
    return fail(errc::invalid_argument, std::to_string(total)
                                            + " tokens in a step of at most "
                                            + std::to_string(max_tokens));
  return {};
}

void engine::impl::plan(std::span<const batch_row> rows) {
  ids.clear();
  positions.clear();
  sequences.clear();
  wanted.clear();
  for (auto& row : rows) {
    auto first = static_cast<uint32_t>(ids.size());
    auto n = static_cast<uint32_t>(row.tokens.size());
    auto position = row.table->length();
    sequences.push_back({row.table, position, n, first});
    for (auto i = uint32_t{0}; i < n; ++i) {
      ids.push_back(row.tokens[i]);
      positions.push_back(position + i);
      if (row.want_all_logits || (row.want_logits && i + 1 == n))
        wanted.push_back(first + i);
    }
  }
  tokens = static_cast<uint32_t>(ids.size());
}

void engine::impl::embed() {
  for_rows([&](uint32_t row) {
    auto& e = w->embedding;
    c.fast.dequantize(e.type, e.row(static_cast<uint32_t>(ids[row])), p.hidden,
                      x + size_t{row} * p.hidden);
    angles.at(positions[row], cos_sin + size_t{row} * p.rope_dim);
  });
}

void engine::impl::attend(const layer_weights& w, uint32_t layer) {
  auto bias = [](const std::vector<float>& b) {
    return b.empty() ? nullptr : b.data();
  };
  normalise(w.attn_norm);
  matmul(c, normed, tokens,
         std::array{linear{w.wq, bias(w.bq), q}, linear{w.wk, bias(w.bk), k},
                    linear{w.wv, bias(w.bv), v}});
  auto* rotate =
      p.pairing == rope_pairing::adjacent ? rotate_adjacent : rotate_halves;
  auto place = [&](float* heads, uint32_t n, const std::vector<float>& norm,
                   const float* angle) {
    for (auto* head = heads; n > 0; --n, head += p.head_dim) {
      if (!norm.empty())
        rms_norm(head, norm.data(), p.head_dim, p.norm_eps, head);
      rotate(head, angles.pairs(), angle);
    }
  };
  for_rows([&](uint32_t row) {
    auto* angle = cos_sin + size_t{row} * p.rope_dim;
    place(q + size_t{row} * q_width, p.heads, w.q_norm, angle);
    place(k + size_t{row} * kv_width, p.kv_heads, w.k_norm, angle);
  });
  attention.write(c, layer, k, v);
  attention.attend(c, layer, q, attended);
  matmul(c, attended, tokens, std::array{linear{w.wo, nullptr, x, true}});
}

void engine::impl::feed_forward(const layer_weights& w) {
  normalise(w.ffn_norm);
  matmul(c, normed, tokens,
         std::array{linear{w.gate, nullptr, gate}, linear{w.up, nullptr, up}});
  for_rows([&](uint32_t row) {
    auto at = size_t{row} * p.ffn;
    c.fast.swiglu(gate + at, up + at, p.ffn);
  });
  matmul(c, gate, tokens, std::array{linear{w.down, nullptr, x, true}});
}

std::span<const float> engine::impl::logits() {
  auto n = static_cast<uint32_t>(wanted.size());
  for (auto i = size_t{0}; i < n; ++i)
    rms_norm(x + size_t{wanted[i]} * p.hidden, w->output_norm.data(), p.hidden,
             p.norm_eps, normed + i * p.hidden);
  matmul(c, normed, n, std::array{linear{w->output, nullptr, out}});
  return {static_cast<const float*>(out), size_t{n} * p.vocab};
}

kv_layout kv_layout_of(const hparams& p, kv_dtype t) {
  return {p.layers, p.kv_heads, p.head_dim, p.head_dim, t};
}

// -- engine -------------------------------------------------------------------

engine::engine(std::shared_ptr<const model> weights, engine_options options)
    : impl_(std::make_unique<impl>(std::move(weights), options)) {}

engine::engine(engine&&) noexcept = default;

engine& engine::operator=(engine&&) noexcept = default;

engine::~engine() = default;

kv_layout engine::layout(kv_dtype t) const {
  return kv_layout_of(impl_->p, t);
}

result<std::span<const float>> engine::forward(std::span<const batch_row> rows,
                                               layer_observer* observer) {
  auto& e = *impl_;
  if (auto ok = e.check(rows); !ok)
    return ok.failure();
  if (rows.empty())
    return std::span<const float>{};
  e.plan(rows);
  e.attention.plan(e.sequences, rows[0].table->lease(0).layout());
  e.embed();
  for (auto layer = uint32_t{0}; layer < e.p.layers; ++layer) {
    auto& w = e.w->layers[layer];
    e.attend(w, layer);
    e.feed_forward(w);
    if (observer != nullptr)
      observer->layer_done(layer);
  }
  auto logits = e.logits();
  for (auto& row : rows)
    row.table->set_length(row.table->length()
                          + static_cast<uint32_t>(row.tokens.size()));
  return logits;
}

const model& engine::weights() const {
  return *impl_->m;
}

} // namespace troupe
