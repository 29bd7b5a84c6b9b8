#include "core/engine/expert_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/engine/step.hpp"

namespace troupe {

namespace {

constexpr auto never = -std::numeric_limits<float>::infinity();

// In double: the choice and the weights should not hinge on how a library
// rounds e^x. What is no number counts as 0, so that the choice has an order.
void score(const expert_hparams& e, const float* logits, float* scores) {
  auto put = [scores](uint32_t i, double x) {
    scores[i] = x == x ? static_cast<float>(x) : 0.f;
  };
  if (e.gating == expert_gating::sigmoid) {
    for (auto i = uint32_t{0}; i < e.count; ++i)
      put(i, 1 / (1 + std::exp(-double{logits[i]})));
    return;
  }
  auto largest = double{*std::max_element(logits, logits + e.count)};
  auto sum = 0.0;
  for (auto i = uint32_t{0}; i < e.count; ++i)
    sum += std::exp(logits[i] - largest);
  for (auto i = uint32_t{0}; i < e.count; ++i)
    put(i, std::exp(logits[i] - largest) / sum);
}

// The first of the largest.
uint32_t best(const float* xs, uint32_t n) {
  return static_cast<uint32_t>(std::max_element(xs, xs + n) - xs);
}

float value_of_group(const expert_hparams& e, const float* scores) {
  auto size = e.count / e.groups;
  auto first = never;
  auto second = never;
  for (auto i = uint32_t{0}; i < size; ++i) {
    second = std::max(second, std::min(first, scores[i]));
    first = std::max(first, scores[i]);
  }
  return e.best_group == group_score::largest || size < 2 ? first
                                                          : first + second;
}

// Takes the experts of all but the best groups out of the choice.
void leave_best_groups(const expert_hparams& e, float* scores, float* values) {
  auto size = e.count / e.groups;
  for (auto g = uint32_t{0}; g < e.groups; ++g)
    values[g] = value_of_group(e, scores + g * size);
  for (auto i = uint32_t{0}; i < e.groups_used; ++i)
    values[best(values, e.groups)] = never;
  for (auto g = uint32_t{0}; g < e.groups; ++g)
    if (values[g] != never)
      std::fill_n(scores + g * size, size, never);
}

} // namespace

size_t choose_experts_scratch_floats(const expert_hparams& e) {
  return 2 * size_t{e.count} + e.groups;
}

void choose_experts(const expert_hparams& e, const float* logits,
                    std::span<const float> bias, float* scratch,
                    std::span<chosen_expert> out) {
  auto* scores = scratch;
  auto* choice = scratch + e.count;
  score(e, logits, scores);
  for (auto i = uint32_t{0}; i < e.count; ++i)
    choice[i] = scores[i] + (bias.empty() ? 0.f : bias[i]);
  if (e.groups_used < e.groups)
    leave_best_groups(e, choice, choice + e.count);
  for (auto& x : out) {
    x.expert = best(choice, e.count);
    x.weight = scores[x.expert];
    choice[x.expert] = never;
  }
  std::sort(out.begin(), out.end(),
            [](auto& a, auto& b) { return a.expert < b.expert; });
  auto sum = 0.f;
  for (auto& x : out)
    sum += x.weight;
  // Scores can be so small that they vanish.
  auto scale = e.normalise ? e.scale / std::max(sum, 1e-20f) : e.scale;
  for (auto& x : out)
    x.weight *= scale;
}

expert_rows::expert_rows(const expert_hparams& e, uint32_t max_tokens)
    : e_(e), chosen_(size_t{max_tokens} * e.used), entries_(chosen_.size()),
      first_(e.count + 2) {}

void expert_rows::assign(compute& c, const float* logits, uint32_t tokens,
                         std::span<const float> bias) {
  for_rows(c, tokens, [&](uint32_t row, unsigned worker) {
    choose_experts(e_, logits + size_t{row} * e_.count, bias, c.scratch(worker),
                   {chosen_.data() + size_t{row} * e_.used, e_.used});
  });
  // Counted at the place after its own, which then moves on with each entry
  // and ends where the next expert's begin.
  std::fill(first_.begin(), first_.end(), 0u);
  auto n = size_t{tokens} * e_.used;
  for (auto i = size_t{0}; i < n; ++i)
    ++first_[chosen_[i].expert + 2];
  for (auto i = size_t{2}; i < first_.size(); ++i)
    first_[i] += first_[i - 1];
  for (auto i = size_t{0}; i < n; ++i)
    entries_[first_[chosen_[i].expert + 1]++] = {
        static_cast<uint32_t>(i / e_.used), chosen_[i].weight};
}

} // namespace troupe
