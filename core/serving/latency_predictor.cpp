#include "core/serving/latency_predictor.hpp"

#include <algorithm>
#include <cmath>

namespace troupe {

namespace {

constexpr auto n = step_features;
using vec = feature_vec;

/// Information about each of the prior's costs, in units of a step's: the prior
/// may be wrong by an order of magnitude where steps are right to some percent.
constexpr auto prior_information = 1e-5;
/// Steps before any is called late.
constexpr auto learning = uint64_t{8};
/// A mean miss of so many mean misses, to one side, is chance; what is beyond
/// adds up to an alarm. Of normal misses none does by chance.
constexpr auto slack = 0.5;
constexpr auto alarm = 32.;
/// What is left of the old information after a change of speed, and the steps
/// that follow it with less question.
constexpr auto left_after_change = 0.02;
constexpr auto trusted_after_change = 16u;
/// Weight of one step in the mean misses.
constexpr auto miss_weight = 1. / 32;
/// How far, in mean misses, one step moves the margin.
constexpr auto margin_stride = 0.4;
constexpr auto longest = 9e18; // of nanoseconds in a duration

vec counts(const step_shape& s) {
  return {1., static_cast<double>(s.prefill_tokens),
          static_cast<double>(s.prefill_context), static_cast<double>(s.rows),
          static_cast<double>(s.decode_context)};
}

duration to_duration(double ns) {
  return duration{static_cast<int64_t>(std::clamp(ns, 0., longest))};
}

} // namespace

latency_predictor::latency_predictor(const latency_options& o)
    : prior_{o.prior.base, o.prior.prefill_token, o.prior.prefill_context,
             o.prior.row, o.prior.decode_context},
      information_{}, evidence_{}, floor_(prior_information),
      kept_(1 - 1. / std::max(o.memory, 2u)),
      missed_share_(1 - std::clamp(o.coverage, 0.5, 0.999)) {
  for (size_t i = 0; i < n; ++i) {
    prior_[i] = std::max(prior_[i], 1e-6);
    multiple_[i] = 1;
    information_[i][i] = evidence_[i] = prior_information;
  }
  cost_ = prior_;
}

// All costs times `ratio`. Information is about relative errors, so it shrinks
// as a step's time grows; `weight` of it is left.
void latency_predictor::rescale(double ratio, double weight) {
  floor_ /= ratio * ratio;
  auto lift = floor_ * (1 - weight); // or many changes would leave nothing
  for (size_t i = 0; i < n; ++i) {
    for (auto& x : information_[i])
      x *= weight / (ratio * ratio);
    multiple_[i] *= ratio;
    cost_[i] *= ratio;
    information_[i][i] += lift;
    evidence_[i] = evidence_[i] * weight / ratio + lift * multiple_[i];
  }
  factors_ = ldl_factors{information_};
}

// One step: y is what z . multiple_ should have been.
void latency_predictor::learn(const vec& z, double y) {
  auto v = vec{};
  for (size_t i = 0; i < n; ++i)
    v[i] = dot(information_[i], z);
  auto forgotten = (1 - kept_) / dot(z, v);
  auto told = forgotten * dot(z, evidence_);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j)
      information_[i][j] += z[i] * z[j] - forgotten * (v[i] * v[j]);
    evidence_[i] += z[i] * y - told * v[i];
  }
  factors_ = ldl_factors{information_};
  multiple_ = solve_nonnegative(information_, factors_, evidence_, multiple_);
  for (size_t i = 0; i < n; ++i)
    cost_[i] = multiple_[i] * prior_[i];
}

void latency_predictor::record(const step_shape& shape, duration took) {
  if (took.count() <= 0 || (shape.rows == 0 && shape.prefill_tokens == 0))
    return;
  auto x = counts(shape);
  auto y = static_cast<double>(took.count());
  if (observations_ == 0)
    rescale(y / dot(cost_, x), 1);
  auto predicted = std::max(dot(cost_, x), 1.);
  auto scale = std::max(predicted, y);
  auto z = vec{};
  for (size_t i = 0; i < n; ++i)
    z[i] = x[i] * prior_[i] / predicted;
  // The prediction's own deviation, in units of a step's: what was not seen may
  // miss by more.
  auto spread = std::sqrt(1 + factors_.quadratic(z));
  auto miss = (y / predicted - 1) / spread;
  auto limit = 4 * relative_ + 0.05;
  if (observations_++ < learning) {
    limit = 1;
  } else {
    if (trusting_ == 0)
      watch_for_change(y / predicted, miss);
    else
      --trusting_;
    if (trusting_ > 0)
      limit = std::max(limit, 1.);
    if (miss > limit) // by accident; none is early by accident
      y = scale = predicted * (1 + limit * spread);
  }
  note_miss(miss, limit, predicted);
  for (auto& zi : z)
    zi *= predicted / scale;
  learn(z, y / scale);
}

bool latency_predictor::wants(const step_shape& shape, uint64_t number) const {
  return observations_ < first || number % one_of == 0
         || predict(shape) >= quick;
}

void latency_predictor::watch_for_change(double ratio, double miss) {
  std::rotate(ratios_.begin(), ratios_.begin() + 1, ratios_.end());
  ratios_.back() = ratio;
  auto m = std::clamp(miss / std::max(relative_, 0.005), -4., 4.);
  late_ = std::max(late_ + m - slack, 0.);
  early_ = std::max(early_ - m - slack, 0.);
  if (late_ < alarm && early_ < alarm)
    return;
  // An alarm takes more steps than there are ratios.
  auto newest = ratios_;
  std::sort(newest.begin(), newest.end());
  rescale(newest[newest.size() / 2], left_after_change);
  trusting_ = trusted_after_change;
  late_ = early_ = 0;
  ++changes_;
}

void latency_predictor::note_miss(double miss, double limit, double predicted) {
  auto m = std::min(std::abs(miss), limit);
  auto weight = std::max(1. / static_cast<double>(observations_), miss_weight);
  relative_ += weight * (m - relative_);
  absolute_ += weight * (m * predicted - absolute_);
  // Follows the quantile of the misses (Gibbs and Candes, "Adaptive conformal
  // inference under distribution shift", 2021).
  auto stride = margin_stride * std::max(relative_, margin_ / 3);
  margin_ += stride * ((miss > margin_ ? 1. : 0.) - missed_share_);
  margin_ = std::max(margin_, 0.);
}

duration latency_predictor::predict(const step_shape& shape) const {
  return to_duration(dot(cost_, counts(shape)));
}

duration latency_predictor::at_most(const step_shape& shape) const {
  return to_duration(dot(cost_, counts(shape)) * (1 + margin_));
}

duration latency_predictor::deviation() const {
  return to_duration(absolute_);
}

step_cost latency_predictor::cost() const {
  return {cost_[0], cost_[1], cost_[2], cost_[3], cost_[4]};
}

} // namespace troupe
