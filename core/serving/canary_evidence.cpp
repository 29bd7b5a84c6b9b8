#include "core/serving/canary_evidence.hpp"

#include <algorithm>

namespace troupe {

namespace {

// How much of the allowed error each measure has, by `canary_measure`. Not the
// sum of their wealth but the greatest decides: each is a fair game for itself,
// but a key that had an answer and then a failure is in two of them.
constexpr auto weights = std::array{0.5, 0.2, 0.2, 0.1};

constexpr auto failure_ratios =
    label_test<1, 4>::ratios{{{2}, {5}, {20}, {100}}};

// Fast and slow: half of the baseline's each.
constexpr auto latency_ratios = label_test<2, 5>::ratios{
    {{.95, 1.05}, {.88, 1.12}, {.75, 1.25}, {.5, 1.5}, {.2, 1.8}}};

// Both more and fewer are worse: nobody knows which is right.
constexpr auto cut_off_ratios =
    label_test<2, 4>::ratios{{{1, 3}, {1, 1.5}, {3, 1}, {1.5, 1}}};

} // namespace

std::string_view to_string(canary_measure m) {
  switch (m) {
  case canary_measure::failures:
    return "failures";
  case canary_measure::ttft:
    return "ttft";
  case canary_measure::tpot:
    return "tpot";
  case canary_measure::cut_off:
    return "cut_off";
  }
  return "?";
}

// -- parts --------------------------------------------------------------------

void rate_bounds::record(bool event) {
  auto of = static_cast<double>(event ? events : n - events) + 0.5;
  log_likelihood += std::log(of / (static_cast<double>(n) + 1));
  ++n;
  events += event;
}

// The mixture has gained so much against p that p is not the rate.
bool rate_bounds::excluded(double p, double error) const {
  auto with = static_cast<double>(events);
  auto without = static_cast<double>(n - events);
  auto of_p = (with > 0 ? with * std::log(p) : 0)
              + (without > 0 ? without * std::log1p(-p) : 0);
  return log_likelihood - of_p >= -std::log(error);
}

double rate_bounds::upper(double error) const {
  auto low = n == 0 ? 1. : static_cast<double>(events) / static_cast<double>(n);
  auto high = 1.;
  for (auto i = 0; i < 40; ++i) {
    auto p = (low + high) / 2;
    (excluded(p, error) ? high : low) = p;
  }
  return high;
}

double rate_bounds::lower(double error) const {
  auto low = 0.;
  auto high =
      n == 0 ? 0. : static_cast<double>(events) / static_cast<double>(n);
  for (auto i = 0; i < 40; ++i) {
    auto p = (low + high) / 2;
    (excluded(p, error) ? low : high) = p;
  }
  return low;
}

void running_median::record(double log_x) {
  if (n++ == 0) {
    log_value = log_x;
    return;
  }
  auto step = std::max(1 / static_cast<double>(n), 0.02);
  log_value += log_x > log_value ? step : -step;
}

canary_evidence::latency::latency() : test(latency_ratios) {}

void canary_evidence::latency::record(bool canary, double share, duration d,
                                      double slow_margin) {
  if (d <= duration{0})
    return;
  auto log_d = std::log(static_cast<double>(d.count()));
  if (usual.n > 0) { // by what was known before this one
    auto slow = log_d > usual.log_value;
    test.record(slow, canary, share);
    if (canary) {
      log_not_slow += std::log(.5 / (slow ? slow_margin : 1 - slow_margin));
      ++seen;
    }
  }
  if (!canary)
    usual.record(log_d);
}

// -- all together -------------------------------------------------------------

canary_evidence::canary_evidence(const canary_options& options)
    : options_(options), failures_(failure_ratios), cut_off_(cut_off_ratios) {
  options_.false_alarms = std::clamp(options_.false_alarms, 1e-9, 1.);
  options_.false_promotions = std::clamp(options_.false_promotions, 1e-9, 1.);
  options_.slow_margin = std::clamp(options_.slow_margin, 0.51, 0.99);
}

void canary_evidence::record(bool canary, double share,
                             const request_outcome& o) {
  (canary ? canary_ : baseline_).record(o.failed);
  if (o.failed) {
    failures_.record(0, canary, share);
    return;
  }
  cut_off_.record(o.cut_off, canary, share);
  ttft_.record(canary, share, o.ttft, options_.slow_margin);
  tpot_.record(canary, share, o.tpot, options_.slow_margin);
}

std::array<double, 4> canary_evidence::weighted() const {
  return {weights[0] * failures_.wealth(), weights[1] * ttft_.wealth(),
          weights[2] * tpot_.wealth(), weights[3] * cut_off_.wealth()};
}

double canary_evidence::against() const {
  return std::ranges::max(weighted());
}

canary_measure canary_evidence::reason() const {
  auto all = weighted();
  auto most = std::ranges::max_element(all) - all.begin();
  return static_cast<canary_measure>(most);
}

// Each of them has to be shown, so that none of them needs a smaller error.
bool canary_evidence::not_worse() const {
  auto enough = -std::log(options_.false_promotions);
  auto half = options_.false_promotions / 2;
  // Latencies that nobody reports are none to compare.
  auto not_slow = [&](const latency& l) {
    return (l.usual.n == 0 && l.seen == 0) || l.log_not_slow >= enough;
  };
  return not_slow(ttft_) && not_slow(tpot_)
         && canary_.upper(half) - baseline_.lower(half)
                <= options_.failure_margin;
}

} // namespace troupe
