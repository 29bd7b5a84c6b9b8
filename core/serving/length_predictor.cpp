#include "core/serving/length_predictor.hpp"

#include <algorithm>
#include <bit>

namespace troupe {

namespace {

/// Finished sequences that weigh as much as what is believed without them.
constexpr auto few = 4.;
/// Weights are brought back to 1 beyond this.
constexpr auto largest_weight = 1e60;

} // namespace

// -- length_histogram ---------------------------------------------------------

size_t length_histogram::bin_of(uint32_t length) {
  if (length < 16)
    return length;
  auto octave = static_cast<size_t>(std::bit_width(length)) - 5; // of 16: 0
  return 16 + 8 * octave + ((length >> (octave + 1)) & 7);
}

uint64_t length_histogram::first_of(size_t bin) {
  if (bin < 16)
    return bin;
  auto octave = (bin - 16) / 8;
  return (8 + (bin - 16) % 8) << (octave + 1);
}

void length_histogram::add(uint32_t length, double weight) {
  auto bin = bin_of(length);
  single_[bin] += weight;
  for (auto i = bins - bin; i <= bins; i += i & -i) {
    tree_[i].sequences += weight;
    tree_[i].tokens += weight * length;
  }
}

length_histogram::sums length_histogram::longer_than(uint32_t length) const {
  auto bin = bin_of(length);
  auto total = sums{};
  for (auto i = bins - bin - 1; i > 0; i -= i & -i) {
    total.sequences += tree_[i].sequences;
    total.tokens += tree_[i].tokens;
  }
  auto first = first_of(bin);
  auto end = first_of(bin + 1);
  auto longer = static_cast<double>(end - 1 - length);
  auto part = single_[bin] * longer / static_cast<double>(end - first);
  total.sequences += part;
  total.tokens += part * (length + 0.5 + longer / 2);
  return total;
}

void length_histogram::scale(double by) {
  for (auto& x : tree_)
    x = {x.sequences * by, x.tokens * by};
  for (auto& x : single_)
    x *= by;
}

// -- length_predictor ---------------------------------------------------------

length_predictor::length_predictor(uint32_t memory)
    : growth_(1 / (1 - 1. / std::max(memory, 2u))) {}

size_t length_predictor::class_of(uint32_t prompt) {
  // Up to 31 tokens, 63, 127 ... 32,767, and all beyond.
  auto width = static_cast<size_t>(std::bit_width(prompt));
  return std::clamp(width, size_t{5}, classes + 4) - 5;
}

void length_predictor::finished(uint32_t prompt, uint32_t length) {
  ++observations_;
  all_.add(length, weight_);
  by_prompt_[class_of(prompt)].add(length, weight_);
  weight_ *= growth_;
  if (weight_ < largest_weight)
    return;
  all_.scale(1 / weight_);
  for (auto& h : by_prompt_)
    h.scale(1 / weight_);
  weight_ = 1;
}

uint32_t length_predictor::remaining(uint32_t prompt, uint32_t generated,
                                     uint32_t max_tokens) const {
  if (generated >= max_tokens)
    return 1;
  // Each is believed as far as it has seen longer sequences, the rest is left
  // to the one before. Who would be longer than the limit ends there.
  auto mean = (1. + (max_tokens - generated)) / 2;
  for (auto* h : {&all_, &by_prompt_[class_of(prompt)]}) {
    auto longer = h->longer_than(generated);
    auto cut = h->longer_than(max_tokens);
    auto tokens = longer.tokens - cut.tokens + cut.sequences * max_tokens
                  - longer.sequences * generated;
    auto doubt = few * weight_;
    mean = (tokens + doubt * mean) / (longer.sequences + doubt);
  }
  return static_cast<uint32_t>(
      std::clamp(mean + 0.5, 1., 0. + (max_tokens - generated)));
}

} // namespace troupe
