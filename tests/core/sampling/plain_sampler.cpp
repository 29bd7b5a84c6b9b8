#include "tests/core/sampling/plain_sampler.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace troupe::testing {

plain_distribution plain_distribution_of(std::span<const float> logits,
                                         std::span<const token_id> prompt,
                                         std::span<const token_id> generated,
                                         const sampling_params& p) {
  auto x = std::vector<double>(logits.begin(), logits.end());
  auto history = std::vector<token_id>(prompt.begin(), prompt.end());
  history.insert(history.end(), generated.begin(), generated.end());
  if (p.repeat_last_n != 0 && history.size() > p.repeat_last_n)
    history.erase(history.begin(), history.end() - p.repeat_last_n);
  for (auto id : std::set<token_id>(history.begin(), history.end()))
    x[id] =
        x[id] > 0 ? x[id] / p.repetition_penalty : x[id] * p.repetition_penalty;
  auto counts = std::map<token_id, int>{};
  for (auto id : generated)
    ++counts[id];
  for (auto [id, n] : counts)
    x[id] -= double{p.presence_penalty} + n * double{p.frequency_penalty};
  for (auto [id, bias] : p.logit_bias)
    x[id] += bias;
  auto d = plain_distribution{};
  auto max = *std::max_element(x.begin(), x.end());
  for (auto i = size_t{0}; i < x.size(); ++i)
    d.kept.push_back({static_cast<token_id>(i),
                      std::exp((x[i] - max) / double{p.temperature})});
  std::stable_sort(d.kept.begin(), d.kept.end(),
                   [&](auto& a, auto& b) { return x[a.id] > x[b.id]; });
  if (p.top_k > 0 && p.top_k < d.kept.size()) {
    d.kept.resize(p.top_k);
    d.sorted = true;
  }
  auto total = [&] {
    auto sum = 0.0;
    for (auto& e : d.kept)
      sum += e.probability;
    return sum;
  };
  if (p.top_p < 1.f) {
    auto enough = double{p.top_p} * total();
    auto n = size_t{0};
    auto sum = 0.0;
    do
      sum += d.kept[n++].probability;
    while (n < d.kept.size() && sum < enough);
    d.kept.resize(n);
  }
  auto least = double{p.min_p} * d.kept[0].probability;
  std::erase_if(d.kept, [&](auto& e) {
    return e.probability < least || e.probability == 0;
  });
  auto sum = total();
  for (auto& e : d.kept)
    e.probability /= sum;
  return d;
}

token_id plain_draw(const plain_distribution& d, double unit) {
  auto order = d.kept;
  if (!d.sorted)
    std::sort(order.begin(), order.end(),
              [](auto& a, auto& b) { return a.id < b.id; });
  auto sum = 0.0;
  for (auto& e : order)
    if (unit < (sum += e.probability))
      return e.id;
  return order.back().id;
}

} // namespace troupe::testing
