#include "core/sampling/fused_sampler.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "core/base/float_mode.hpp"
#include "core/base/random.hpp"
#include "core/sampling/logit_scan.hpp"

namespace troupe {

namespace {

constexpr auto infinity = std::numeric_limits<float>::infinity();

// Weights are sorted by magnitude into buckets of 1/16 octave, from 1 down to
// the least normal float.
constexpr auto bucket_shift = 19;
constexpr auto buckets = size_t{127} << (23 - bucket_shift);

size_t bucket_of(float weight) {
  auto below = std::bit_cast<uint32_t>(1.f)
               - std::bit_cast<uint32_t>(std::min(weight, 1.f));
  return below >> bucket_shift;
}

bool in_range(std::span<const token_id> ids, size_t vocab) {
  return std::all_of(ids.begin(), ids.end(), [vocab](token_id id) {
    return id >= 0 && static_cast<size_t>(id) < vocab;
  });
}

// 1 / temperature as a finite float.
float scale_of(float temperature) {
  return std::min(1.f / temperature, std::numeric_limits<float>::max());
}

// How many tokens, of those already in order, top-p and min-p leave, and their
// weight together. The first has weight 1.
struct prefix {
  size_t count = 0;
  double total = 0;
};

prefix truncate(std::span<const float> weights, const sampling_params& p) {
  auto whole = 0.0;
  for (auto w : weights)
    whole += w;
  auto out = prefix{};
  for (auto w : weights) {
    if (out.count > 0
        && (w < p.min_p || (p.top_p < 1.f && out.total >= p.top_p * whole)))
      break;
    ++out.count;
    out.total += w;
  }
  return out;
}

} // namespace

// -- penalties and biases ----------------------------------------------------

void fused_sampler::penalise_repetition(std::span<const token_id> prompt,
                                        std::span<const token_id> generated,
                                        const sampling_params& p) {
  for (auto ids : {prompt, generated})
    for (auto id : ids)
      if (counts_[static_cast<size_t>(id)]++ == 0)
        touched_.push_back(id);
  for (auto id : touched_) {
    auto& x = logits_[static_cast<size_t>(id)];
    x = x > 0.f ? x / p.repetition_penalty : x * p.repetition_penalty;
    counts_[static_cast<size_t>(id)] = 0;
  }
  touched_.clear();
}

void fused_sampler::penalise_presence(std::span<const token_id> generated,
                                      const sampling_params& p) {
  for (auto id : generated)
    if (counts_[static_cast<size_t>(id)]++ == 0)
      touched_.push_back(id);
  for (auto id : touched_) {
    auto& count = counts_[static_cast<size_t>(id)];
    logits_[static_cast<size_t>(id)] -=
        p.presence_penalty + static_cast<float>(count) * p.frequency_penalty;
    count = 0;
  }
  touched_.clear();
}

result<std::span<const float>> fused_sampler::adjust(
    std::span<const float> logits, std::span<const token_id> prompt,
    std::span<const token_id> generated, const sampling_params& p) {
  auto repetition =
      p.repetition_penalty != 1.f && !(prompt.empty() && generated.empty());
  auto presence = (p.presence_penalty != 0.f || p.frequency_penalty != 0.f)
                  && !generated.empty();
  if (!repetition && !presence && p.logit_bias.empty())
    return logits;
  auto recent = generated;
  if (p.repeat_last_n != 0) {
    auto n = size_t{p.repeat_last_n};
    recent = generated.last(std::min(n, generated.size()));
    prompt = prompt.last(std::min(n - recent.size(), prompt.size()));
  }
  if ((repetition
       && !(in_range(prompt, logits.size()) && in_range(recent, logits.size())))
      || (presence && !in_range(generated, logits.size())))
    return fail(errc::invalid_argument,
                "a token to penalise is not in the vocabulary");
  logits_.assign(logits.begin(), logits.end());
  counts_.resize(logits.size());
  if (repetition)
    penalise_repetition(prompt, recent, p);
  if (presence)
    penalise_presence(generated, p);
  for (auto& [id, bias] : p.logit_bias) {
    if (id < 0 || static_cast<size_t>(id) >= logits.size())
      return fail(errc::invalid_argument, "logit_bias of token "
                                              + std::to_string(id)
                                              + ": no such token");
    auto& x = logits_[static_cast<size_t>(id)];
    if (bias != -infinity)
      x += bias;
    else if (!std::isnan(x))
      x = -infinity;
  }
  return std::span<const float>{logits_};
}

// -- selection ---------------------------------------------------------------

result<float> fused_sampler::scan(std::span<const float>& logits) {
  if (!scan_maxima(logits, maxima_))
    return fail(errc::invalid_argument, "the logits hold NaN");
  auto max = *std::max_element(maxima_.begin(), maxima_.end());
  if (max == -infinity)
    return fail(errc::invalid_argument,
                "no token is possible: each is banned or has no probability");
  if (max < infinity)
    return max;
  logits_.resize(logits.size());
  for (auto i = size_t{0}; i < logits.size(); ++i)
    logits_[i] = logits[i] == infinity ? 0.f : -infinity;
  logits = logits_;
  scan_maxima(logits, maxima_);
  return 0.f;
}

void fused_sampler::select(std::span<const float> logits, size_t k) {
  candidates_.clear();
  // k blocks have a maximum of at least `bound`, so k logits have.
  auto bound = std::numeric_limits<float>::lowest();
  if (k < maxima_.size()) {
    scratch_.assign(maxima_.begin(), maxima_.end());
    auto kth = scratch_.begin() + static_cast<ptrdiff_t>(k - 1);
    std::nth_element(scratch_.begin(), kth, scratch_.end(), std::greater<>{});
    bound = std::max(bound, *kth);
  }
  for (auto b = size_t{0}; b < maxima_.size(); ++b) {
    if (maxima_[b] < bound)
      continue;
    auto end = std::min(logits.size(), (b + 1) * scan_block);
    for (auto i = b * scan_block; i < end; ++i)
      if (logits[i] >= bound)
        candidates_.push_back({logits[i], static_cast<token_id>(i)});
  }
  if (k < candidates_.size()) {
    auto end = candidates_.begin() + static_cast<ptrdiff_t>(k);
    std::nth_element(candidates_.begin(), end, candidates_.end(), before);
    candidates_.erase(end, candidates_.end());
  }
  std::sort(candidates_.begin(), candidates_.end(), before);
}

token_id fused_sampler::greedy(std::span<const float> logits, float max) const {
  auto block = std::find(maxima_.begin(), maxima_.end(), max);
  auto i = static_cast<size_t>(block - maxima_.begin()) * scan_block;
  while (logits[i] != max)
    ++i;
  return static_cast<token_id>(i);
}

float fused_sampler::nucleus_bound(float top_p, double total) {
  mass_.assign(buckets, 0.0);
  for (auto w : weights_)
    if (w > 0.f)
      mass_[bucket_of(w)] += w;
  auto target = static_cast<double>(top_p) * total;
  auto sum = 0.0;
  auto last = size_t{0};
  while (last < buckets && sum + mass_[last] < target)
    sum += mass_[last++];
  if (last == buckets)
    return 0.f; // by rounding: all are needed
  candidates_.clear();
  for (auto i = size_t{0}; i < weights_.size(); ++i)
    if (weights_[i] > 0.f && bucket_of(weights_[i]) == last)
      candidates_.push_back({weights_[i], static_cast<token_id>(i)});
  std::sort(candidates_.begin(), candidates_.end(), before);
  auto i = size_t{0};
  auto bound = 1.f;
  do {
    bound = candidates_[i].value;
    sum += bound;
    ++i;
  } while (i < candidates_.size() && sum < target);
  for (; i < candidates_.size() && candidates_[i].value == bound; ++i)
    weights_[static_cast<size_t>(candidates_[i].id)] = 0.f;
  return bound;
}

// -- drawing -----------------------------------------------------------------

token_id fused_sampler::draw_selected(const sampling_params& p, float max,
                                      double unit) {
  weights_.resize(candidates_.size());
  for (auto i = size_t{0}; i < weights_.size(); ++i)
    weights_[i] = candidates_[i].value;
  scan_exp(weights_, max, scale_of(p.temperature), weights_, sums_);
  auto kept = truncate(weights_, p);
  auto left = unit * kept.total;
  auto i = size_t{0};
  for (; i + 1 < kept.count; ++i) {
    if (left < weights_[i])
      break;
    left -= weights_[i];
  }
  while (weights_[i] == 0.f) // only ever by rounding; the first has weight 1
    --i;
  return candidates_[i].id;
}

token_id fused_sampler::draw_from_all(std::span<const float> logits,
                                      const sampling_params& p, float max,
                                      double unit) {
  weights_.resize(logits.size());
  auto total = scan_exp(logits, max, scale_of(p.temperature), weights_, sums_);
  auto bound = p.min_p;
  if (p.top_p < 1.f)
    bound = std::max(bound, nucleus_bound(p.top_p, total));
  if (bound > 0.f)
    total = scan_clear_below(weights_, bound, sums_);
  return draw_weighted(total, unit);
}

token_id fused_sampler::draw_weighted(double total, double unit) const {
  auto left = unit * total;
  // A block's sum is rounded otherwise than its terms: what is left over at
  // the end of one falls to its last token.
  auto block = size_t{0};
  auto last_block = sums_.size() - 1;
  while (sums_[last_block] == 0.0)
    --last_block;
  while (block < last_block && !(left < sums_[block]))
    left -= sums_[block++];
  auto end = std::min(weights_.size(), (block + 1) * scan_block);
  auto chosen = end;
  for (auto i = block * scan_block; i < end; ++i) {
    if (weights_[i] == 0.f)
      continue;
    chosen = i;
    if (left < weights_[i])
      break;
    left -= weights_[i];
  }
  return static_cast<token_id>(chosen);
}

// -- all together ------------------------------------------------------------

result<void> fused_sampler::report(std::span<const float> logits,
                                   const sampling_params& p, sampled& out) {
  auto max = scan(logits);
  if (!max)
    return max.failure();
  weights_.resize(logits.size());
  auto norm = portable_log(scan_exp(logits, *max, 1.f, weights_, sums_));
  auto logprob = [&](float logit) {
    return static_cast<float>((double{logit} - double{*max}) - norm);
  };
  out.logprob = logprob(logits[static_cast<size_t>(out.id)]);
  if (p.logprobs == 0)
    return {};
  select(logits, std::min(p.logprobs, sampling_params::max_logprobs));
  for (auto& c : candidates_)
    out.top.push_back({c.id, logprob(c.value)});
  return {};
}

result<sampled> fused_sampler::sample(std::span<const float> logits,
                                      std::span<const token_id> prompt,
                                      std::span<const token_id> generated,
                                      uint64_t position,
                                      const sampling_params& params) {
  auto floats = float_mode{};
  if (logits.empty())
    return fail(errc::invalid_argument, "there are no logits");
  auto adjusted = adjust(logits, prompt, generated, params);
  if (!adjusted)
    return adjusted.failure();
  auto x = *adjusted;
  auto max = scan(x);
  if (!max)
    return max.failure();
  auto out = sampled{};
  auto k = size_t{params.top_k};
  if (params.temperature == 0.f || k == 1) {
    out.id = greedy(x, *max);
  } else {
    auto unit = random_unit(params.seed, position);
    if (k > 0 && k < x.size()) {
      select(x, k);
      out.id = draw_selected(params, *max, unit);
    } else {
      out.id = draw_from_all(x, params, *max, unit);
    }
  }
  if (params.want_logprob)
    if (auto done = report(logits, params, out); !done)
      return done.failure();
  return out;
}

} // namespace troupe
