#include "core/engine/engine.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <numeric>
#include <optional>
#include <string>

#include "core/base/float_mode.hpp"
#include "core/engine/attention_layer.hpp"
#include "core/engine/feed_forward.hpp"
#include "core/engine/packed_weights.hpp"
#include "core/engine/rank_leader.hpp"
#include "core/engine/rank_rows.hpp"
#include "core/engine/scattered_attention.hpp"
#include "core/engine/step.hpp"
#include "core/parallel/kv_gather.hpp"
#include "core/parallel/rank_kind.hpp"
#include "core/parallel/tensor_shard.hpp"
#include "core/tensor/matmul.hpp"
#include "core/tensor/norm.hpp"

namespace troupe {

namespace {

const kernels& kernels_of(const engine_options& options) {
  return options.use != nullptr ? *options.use : best_kernels();
}

compute_needs needs_of(const hparams& p, const engine_options& options) {
  auto needs = compute_needs{p.hidden, 0};
  needs.merge(attention_of(p).needs(p));
  if (options.sequence_ranks != nullptr)
    needs.merge(scattered_needs(p, *options.sequence_ranks));
  needs.merge(feed_forward::needs(p));
  needs.merge({0, matmul_scratch_floats(needs.widest)});
  return needs;
}

std::unique_ptr<kv_gather> gather_for(const hparams& p,
                                      const engine_options& options) {
  if (options.tensor_ranks == nullptr || options.whole == nullptr
      || p.mla.kv_rank > 0)
    return nullptr;
  auto& ranks = *options.tensor_ranks;
  auto heads = kv_heads_of(*options.whole, rank_kind::tensor, ranks.ranks());
  assert(heads);
  return std::make_unique<kv_gather>(ranks, std::move(*heads), p.head_dim,
                                     p.values_of_head());
}

} // namespace

struct engine::impl {
  impl(std::shared_ptr<const model> weights, engine_options options);

  /// Tells the other ranks of a step, if they are to be told.
  void lead(std::span<const batch_row> batch, uint32_t layers, bool finishes);
  result<void> begin(std::span<const batch_row> batch);
  uint32_t advance(uint32_t layers);
  std::span<const float> finish();

  void plan(std::span<const batch_row> batch);
  void embed();
  void run_layer(uint32_t layer);
  std::span<const float> logits();
  /// Puts the states of pooled rows into `states`.
  void keep_states();
  /// Of `n` rows of the residual stream, stream(i) each.
  template <class F>
  std::span<const float> logits_of(uint32_t n, F stream);
  void cap(std::span<float> logits);

  void normalise(const std::vector<float>& weight, const float* from,
                 float* to) {
    for_rows(c, rows.tokens(), [&](uint32_t row, unsigned) {
      auto at = size_t{row} * p.hidden;
      rms_norm(from + at, weight.data(), p.hidden, p.norm_eps, to + at);
    });
  }

  const error* failure() const {
    auto* ranks = tensor != nullptr ? tensor : scattered;
    return ranks != nullptr ? ranks->failure() : nullptr;
  }

  /// Lets `part`, given where to add to, add to the residual stream; by way of
  /// a norm if there is one.
  template <class F>
  void add_to_stream(const std::vector<float>& norm, F part) {
    if (norm.empty() && tensor == nullptr)
      return part(x);
    auto n = size_t{rows.tokens()} * p.hidden;
    std::fill_n(static_cast<float*>(branch), n, 0.f);
    part(branch);
    if (tensor != nullptr && !tensor->all_reduce({branch.row(0), n}))
      return;
    if (!norm.empty())
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
  collective* tensor;    ///< or null
  collective* scattered; ///< or null
  const model* whole;    ///< of tensor ranks, or null
  rank_leader* leader;   ///< or null
  std::unique_ptr<kv_gather> gather;
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
  row_buffer states; ///< hidden: of pooled rows, normalised
  size_t state_values = 0; ///< of them, of the step that ended last
  // With other ranks.
  row_buffer mine;               ///< vocab: logits of this rank's tokens
  row_buffer gathered;           ///< vocab or hidden: what all ranks have
  std::vector<size_t> wanted_of; ///< [ranks]: values of wanted rows
  std::vector<size_t> pooled_of; ///< [ranks]: values of pooled rows

  // The step under way.
  std::optional<uint32_t> next_layer; ///< none is, if nothing
  bool led = false;                   ///< the other ranks are at it, too
  std::vector<std::pair<page_table*, uint32_t>> ends; ///< lengths afterwards
};

engine::impl::impl(std::shared_ptr<const model> weights, engine_options options)
    : m(std::move(weights)), p(m->params), tensor(options.tensor_ranks),
      scattered(options.sequence_ranks), whole(options.whole),
      leader(options.leader), gather(gather_for(p, options)),
      max_tokens(std::max(options.max_tokens_per_step, 1u)),
      needs(needs_of(p, options)),
      c(std::max(options.threads, 1u), kernels_of(options),
        needs.scratch_floats, options.activations, max_tokens, needs.widest),
      attention(scattered != nullptr
                    ? make_scattered_attention(*m, max_tokens, *scattered)
                    : attention_of(p).make(*m, max_tokens, gather.get())),
      ffn(p, max_tokens), x(max_tokens, p.hidden), normed(max_tokens, p.hidden),
      branch(max_tokens, p.hidden), out(max_tokens, p.vocab),
      states(max_tokens, p.hidden),
      mine(tensor != nullptr ? max_tokens : 0, p.vocab),
      gathered(tensor != nullptr || scattered != nullptr ? max_tokens : 0,
               std::max(p.vocab, p.hidden)) {
  assert(tensor == nullptr || scattered == nullptr);
  assert(tensor != nullptr || m->w.embedding.rows == p.vocab);
  if (options.activations != activation_type::f32)
    packed = packed_weights::of(m, c.pool);
  w = packed ? &packed->w() : &m->w;
  rows.ids.reserve(max_tokens);
  rows.positions.reserve(max_tokens);
  rows.sequences.reserve(max_tokens);
  rows.wanted.reserve(max_tokens);
  rows.pooled.reserve(max_tokens);
  ends.reserve(max_tokens);
}

// -- the step -----------------------------------------------------------------

void engine::impl::lead(std::span<const batch_row> batch, uint32_t layers,
                        bool finishes) {
  led = leader != nullptr && !batch.empty();
  if (led)
    leader->begin(batch, layers, finishes);
}

result<void> engine::impl::begin(std::span<const batch_row> batch) {
  plan(batch);
  next_layer = p.layers;
  if (batch.empty())
    return {};
  attention->plan(c, rows, batch[0].table->lease(0).layout());
  embed();
  if (auto* lost = failure()) {
    next_layer.reset();
    return *lost;
  }
  next_layer = 0;
  return {};
}

uint32_t engine::impl::advance(uint32_t layers) {
  if (!next_layer)
    return 0;
  auto first = *next_layer;
  auto end = first + std::min(layers, p.layers - first);
  for (auto layer = first; layer < end; ++layer) {
    run_layer(layer);
    if (failure() != nullptr)
      return 0;
  }
  next_layer = end;
  return end - first;
}

std::span<const float> engine::impl::finish() {
  assert(failure() != nullptr || next_layer == p.layers);
  next_layer.reset();
  if (failure() != nullptr)
    return {};
  auto got = logits();
  if (failure() == nullptr)
    keep_states();
  if (failure() != nullptr)
    return {};
  for (auto [table, length] : ends)
    table->set_length(length);
  if (std::exchange(led, false))
    leader->finished();
  return got;
}

void engine::impl::plan(std::span<const batch_row> batch) {
  rows.ids.clear();
  rows.positions.clear();
  rows.sequences.clear();
  rows.wanted.clear();
  rows.pooled.clear();
  ends.clear();
  state_values = 0;
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
      if (row.want_states)
        rows.pooled.push_back(first + i);
    }
  }
  if (scattered != nullptr)
    keep_own_rows(*scattered, p.hidden, rows, wanted_of, pooled_of);
}

void engine::impl::embed() {
  for_rows(c, rows.tokens(), [&](uint32_t row, unsigned) {
    auto& e = w->embedding;
    auto* to = x.row(row);
    auto id = static_cast<uint32_t>(rows.ids[row]) - w->first_token;
    if (id >= e.rows) { // another rank has it
      std::fill_n(to, p.hidden, 0.f);
      return;
    }
    c.fast.dequantize(e.type, e.row(id), p.hidden, to);
    if (p.embedding_scale != 1.f)
      for (auto i = size_t{0}; i < p.hidden; ++i)
        to[i] *= p.embedding_scale;
  });
  if (tensor != nullptr)
    static_cast<void>(
        tensor->all_reduce({x.row(0), size_t{rows.tokens()} * p.hidden}));
}

void engine::impl::run_layer(uint32_t layer) {
  auto& l = w->layers[layer];
  normalise(l.attn_norm, x, normed);
  add_to_stream(l.attn_post_norm,
                [&](float* to) { attention->run(c, layer, l, normed, to); });
  if (rows.tokens() == 0 || failure() != nullptr)
    return;
  normalise(l.ffn_norm, x, normed);
  add_to_stream(l.ffn_post_norm,
                [&](float* to) { ffn.run(c, l, normed, rows.tokens(), to); });
}

std::span<const float> engine::impl::logits() {
  auto n = static_cast<uint32_t>(rows.wanted.size());
  auto stream = [&](uint32_t i) { return x.row(rows.wanted[i]); };
  if (scattered == nullptr)
    return logits_of(n, stream);
  for (auto i = uint32_t{0}; i < n; ++i)
    std::copy_n(stream(i), p.hidden, normed.row(i));
  auto all = std::accumulate(wanted_of.begin(), wanted_of.end(), size_t{0});
  if (all == 0)
    return {};
  auto ok = scattered->all_gather({normed.row(0), n * size_t{p.hidden}},
                                  wanted_of, {gathered.row(0), all});
  if (!ok || scattered->rank() != 0)
    return {};
  return logits_of(static_cast<uint32_t>(all / p.hidden), [&](uint32_t i) {
    return gathered.row(0) + size_t{i} * p.hidden;
  });
}

void engine::impl::keep_states() {
  auto n = static_cast<uint32_t>(rows.pooled.size());
  auto& to = scattered == nullptr ? states : normed;
  for_rows(c, n, [&](uint32_t i, unsigned) {
    rms_norm(x.row(rows.pooled[i]), w->output_norm.data(), p.hidden, p.norm_eps,
             to.row(i));
  });
  auto own = std::span<const float>{to.row(0), n * size_t{p.hidden}};
  if (scattered == nullptr) {
    state_values = own.size();
    return;
  }
  auto all = std::accumulate(pooled_of.begin(), pooled_of.end(), size_t{0});
  if (all > 0 && scattered->all_gather(own, pooled_of, {states.row(0), all})
      && scattered->rank() == 0)
    state_values = all;
}

template <class F>
std::span<const float> engine::impl::logits_of(uint32_t n, F stream) {
  for (auto i = uint32_t{0}; i < n; ++i)
    rms_norm(stream(i), w->output_norm.data(), p.hidden, p.norm_eps,
             normed.row(i));
  auto* to = tensor == nullptr ? out.row(0) : mine.row(0);
  matmul(c, normed, n, std::array{linear{w->output, nullptr, to}});
  auto all = std::span<float>{to, size_t{n} * w->output.rows};
  if (p.logit_softcap != 0.f)
    cap(all);
  if (tensor == nullptr || n == 0)
    return all;
  if (!gather_columns(*tensor, to, n, p.vocab, gathered, out))
    return {};
  return {out.row(0), size_t{n} * p.vocab};
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

// Whatever a host has set: see float_mode.
engine::engine(std::shared_ptr<const model> weights, engine_options options) {
  auto floats = float_mode{};
  impl_ = std::make_unique<impl>(std::move(weights), options);
}

engine::engine(engine&&) noexcept = default;

engine& engine::operator=(engine&&) noexcept = default;

engine::~engine() = default;

kv_layout engine::layout(kv_dtype t) const {
  auto& e = *impl_;
  if (e.scattered != nullptr)
    return scattered_layout(e.p, t, *e.scattered);
  if (e.whole != nullptr && e.tensor != nullptr && e.tensor->rank() == 0)
    return kv_layout_of(e.whole->params, t);
  return kv_layout_of(e.p, t);
}

result<std::span<const float>>
engine::forward(std::span<const batch_row> rows) {
  auto floats = float_mode{};
  auto& e = *impl_;
  if (auto ok = check(rows, e.p, e.max_tokens); !ok)
    return ok.failure();
  if (auto* lost = failure())
    return *lost;
  // One word to the other ranks for all of it.
  e.lead(rows, e.p.layers, true);
  if (auto ok = e.begin(rows); !ok)
    return ok.failure();
  e.advance(e.p.layers);
  auto logits = e.finish();
  if (auto* lost = failure())
    return *lost;
  return logits;
}

result<void> engine::begin(std::span<const batch_row> rows) {
  auto floats = float_mode{};
  auto& e = *impl_;
  e.next_layer.reset();
  if (auto ok = check(rows, e.p, e.max_tokens); !ok)
    return ok.failure();
  if (auto* lost = failure())
    return *lost;
  e.lead(rows, 0, false);
  return e.begin(rows);
}

uint32_t engine::advance(uint32_t layers) {
  auto floats = float_mode{};
  auto& e = *impl_;
  if (e.led && e.next_layer && e.next_layer < e.p.layers)
    e.leader->advance(layers);
  return e.advance(layers);
}

std::span<const float> engine::finish() {
  auto floats = float_mode{};
  auto& e = *impl_;
  if (e.led)
    e.leader->finish();
  return e.finish();
}

std::span<const float> engine::states() const {
  return {impl_->states.row(0), impl_->state_values};
}

const error* engine::failure() const {
  return impl_->failure();
}

const model& engine::weights() const {
  return *impl_->m;
}

} // namespace troupe
