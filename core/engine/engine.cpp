#include "core/engine/engine.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <optional>
#include <string>

#include "core/engine/attention_layer.hpp"
#include "core/engine/feed_forward.hpp"
#include "core/engine/packed_weights.hpp"
#include "core/engine/step.hpp"
#include "core/tensor/matmul.hpp"
#include "core/tensor/norm.hpp"

namespace troupe {

namespace {

const kernels& kernels_of(const engine_options& options) {
  return options.use != nullptr ? *options.use : best_kernels();
}

compute_needs needs_of(const hparams& p) {
  auto needs = compute_needs{p.hidden, 0};
  needs.merge(attention_of(p).needs(p));
  needs.merge(feed_forward::needs(p));
  needs.merge({0, matmul_scratch_floats(needs.widest)});
  return needs;
}

} // namespace

struct engine::impl {
  impl(std::shared_ptr<const model> weights, engine_options options);

  result<void> check(std::span<const batch_row> batch) const;
  void plan(std::span<const batch_row> batch);
  void embed();
  void run_layer(uint32_t layer);
  std::span<const float> logits();
  void cap(std::span<float> logits);

  void normalise(const std::vector<float>& weight, const float* from,
                 float* to) {
    for_rows(c, rows.tokens(), [&](uint32_t row, unsigned) {
      auto at = size_t{row} * p.hidden;
      rms_norm(from + at, weight.data(), p.hidden, p.norm_eps, to + at);
    });
  }

  /// Lets `part`, given where to add to, add to the residual stream; by way of
  /// a norm if there is one.
  template <class F>
  void add_to_stream(const std::vector<float>& norm, F part) {
    if (norm.empty())
      return part(x);
    auto n = size_t{rows.tokens()} * p.hidden;
    std::fill_n(static_cast<float*>(branch), n, 0.f);
    part(branch);
    normalise(norm, branch, branch);
    for_rows(c, rows.tokens(), [&](uint32_t row, unsigned) {
      for (auto i = size_t{0}; i < p.hidden; ++i)
        x.row(row)[i] += branch.row(row)[i];
    });
  }

  std::shared_ptr<const model> m;
  const hparams& p;
  std::shared_ptr<const packed_weights> packed; ///< null for f32
  const model_weights* w = nullptr;
  const uint32_t max_tokens;
  const compute_needs needs;
  compute c;
  std::unique_ptr<attention_layer> attention;
  feed_forward ffn;
  step_rows rows;

  // Activations.
  row_buffer x;      ///< hidden: the residual stream
  row_buffer normed; ///< hidden
  row_buffer branch; ///< hidden: what is normalised before it is added to x
  row_buffer out;    ///< vocab

  // The step under way.
  std::optional<uint32_t> next_layer;                 ///< none is, if nothing
  std::vector<std::pair<page_table*, uint32_t>> ends; ///< lengths afterwards
};

engine::impl::impl(std::shared_ptr<const model> weights, engine_options options)
    : m(std::move(weights)), p(m->params),
      max_tokens(std::max(options.max_tokens_per_step, 1u)), needs(needs_of(p)),
      c(std::max(options.threads, 1u), kernels_of(options),
        needs.scratch_floats, options.activations, max_tokens, needs.widest),
      attention(attention_of(p).make(*m, max_tokens)), ffn(p, max_tokens),
      x(max_tokens, p.hidden), normed(max_tokens, p.hidden),
      branch(max_tokens, p.hidden), out(max_tokens, p.vocab) {
  if (options.activations != activation_type::f32)
    packed = packed_weights::of(m, c.pool);
  w = packed ? &packed->w() : &m->w;
  rows.ids.reserve(max_tokens);
  rows.positions.reserve(max_tokens);
  rows.sequences.reserve(max_tokens);
  rows.wanted.reserve(max_tokens);
  ends.reserve(max_tokens);
}

// -- the step -----------------------------------------------------------------

result<void> engine::impl::check(std::span<const batch_row> batch) const {
  auto total = size_t{0};
  for (auto& row : batch) {
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

void engine::impl::plan(std::span<const batch_row> batch) {
  rows.ids.clear();
  rows.positions.clear();
  rows.sequences.clear();
  rows.wanted.clear();
  ends.clear();
  for (auto& row : batch) {
    auto first = rows.tokens();
    auto n = static_cast<uint32_t>(row.tokens.size());
    auto position = row.table->length();
    rows.sequences.push_back({row.table, position, n, first});
    ends.emplace_back(row.table, position + n);
    for (auto i = uint32_t{0}; i < n; ++i) {
      rows.ids.push_back(row.tokens[i]);
      rows.positions.push_back(position + i);
      if (row.want_all_logits || (row.want_logits && i + 1 == n))
        rows.wanted.push_back(first + i);
    }
  }
}

void engine::impl::embed() {
  for_rows(c, rows.tokens(), [&](uint32_t row, unsigned) {
    auto& e = w->embedding;
    auto* to = x.row(row);
    c.fast.dequantize(e.type, e.row(static_cast<uint32_t>(rows.ids[row])),
                      p.hidden, to);
    if (p.embedding_scale != 1.f)
      for (auto i = size_t{0}; i < p.hidden; ++i)
        to[i] *= p.embedding_scale;
  });
}

void engine::impl::run_layer(uint32_t layer) {
  auto& l = w->layers[layer];
  normalise(l.attn_norm, x, normed);
  add_to_stream(l.attn_post_norm,
                [&](float* to) { attention->run(c, layer, l, normed, to); });
  normalise(l.ffn_norm, x, normed);
  add_to_stream(l.ffn_post_norm,
                [&](float* to) { ffn.run(c, l, normed, rows.tokens(), to); });
}

std::span<const float> engine::impl::logits() {
  auto n = static_cast<uint32_t>(rows.wanted.size());
  for (auto i = uint32_t{0}; i < n; ++i)
    rms_norm(x.row(rows.wanted[i]), w->output_norm.data(), p.hidden, p.norm_eps,
             normed.row(i));
  matmul(c, normed, n, std::array{linear{w->output, nullptr, out}});
  auto all = std::span<float>{out.row(0), size_t{n} * p.vocab};
  if (p.logit_softcap != 0.f)
    cap(all);
  return all;
}

void engine::impl::cap(std::span<float> logits) {
  constexpr auto of_task = size_t{4096};
  auto tasks = (logits.size() + of_task - 1) / of_task;
  c.pool.run(static_cast<uint32_t>(tasks), [&](uint32_t task, unsigned) {
    auto some = logits.subspan(task * of_task);
    c.fast.softcap(some.data(), p.logit_softcap,
                   std::min(some.size(), of_task));
  });
}

kv_layout kv_layout_of(const hparams& p, kv_dtype t) {
  return attention_of(p).layout(p, t);
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

result<std::span<const float>>
engine::forward(std::span<const batch_row> rows) {
  if (auto ok = begin(rows); !ok)
    return ok.failure();
  advance(impl_->p.layers);
  return finish();
}

result<void> engine::begin(std::span<const batch_row> rows) {
  auto& e = *impl_;
  e.next_layer.reset();
  if (auto ok = e.check(rows); !ok)
    return ok.failure();
  e.plan(rows);
  e.next_layer = e.p.layers;
  if (rows.empty())
    return {};
  e.attention->plan(e.c, e.rows, rows[0].table->lease(0).layout());
  e.embed();
  e.next_layer = 0;
  return {};
}

uint32_t engine::advance(uint32_t layers) {
  auto& e = *impl_;
  if (!e.next_layer)
    return 0;
  auto first = *e.next_layer;
  auto end = first + std::min(layers, e.p.layers - first);
  for (auto layer = first; layer < end; ++layer)
    e.run_layer(layer);
  e.next_layer = end;
  return end - first;
}

std::span<const float> engine::finish() {
  auto& e = *impl_;
  assert(e.next_layer == e.p.layers);
  e.next_layer.reset();
  auto logits = e.logits();
  for (auto [table, length] : e.ends)
    table->set_length(length);
  return logits;
}

const model& engine::weights() const {
  return *impl_->m;
}

} // namespace troupe
