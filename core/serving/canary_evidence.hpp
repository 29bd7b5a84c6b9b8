#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

#include "core/base/time.hpp"

namespace troupe {

/// How a request ended, as far as versions are compared by it. What the client
/// did wrong or cancelled is none of it.
struct request_outcome {
  bool failed = false;
  duration ttft = {};   ///< time to first token; 0: not known
  duration tpot = {};   ///< time per token after it; 0: not known
  bool cut_off = false; ///< ended by its limit of tokens
};

/// What versions are compared by.
enum class canary_measure : uint8_t { failures, ttft, tpot, cut_off };

std::string_view to_string(canary_measure m);

/// A test of "this does not depend on the version", valid at any time.
///
/// Requests are given to the canary by chance, with a probability that is
/// known, its share. If it is not worse, then whether a request of some class
/// (failed; slower than usual) is the canary's is that chance again, at most.
/// Someone who bets on each such request that the canary has more of them, at
/// the odds of the share, expects to gain nothing; so that his wealth, from 1,
/// ever reaches 1/a with a probability of at most a (Ville's inequality),
/// however often one looks. The bets are those of a mixture of alternatives,
/// each a likelihood ratio for each class: a mixture sequential probability
/// ratio test (Robbins 1970; Johari et al. 2017) on the labels alone, which
/// holds exactly, whatever the distribution of latencies or the rate of
/// failures, and also while both change.
template <size_t Classes, size_t Bets>
class label_test {
public:
  /// By bet and class: how many times as likely the canary's requests are in
  /// that class than the baseline's.
  using ratios = std::array<std::array<double, Classes>, Bets>;

  explicit label_test(const ratios& r) : ratios_(r) {}

  void record(size_t of_class, bool canary, double share) {
    for (size_t b = 0; b < Bets; ++b) {
      auto r = ratios_[b][of_class];
      logs[b] += (canary ? std::log(r) : 0) - std::log1p(share * (r - 1));
    }
  }

  double wealth() const {
    auto w = 0.;
    for (auto l : logs)
      w += std::exp(std::fmin(l, 600.));
    return w / Bets;
  }

  std::array<double, Bets> logs{}; ///< of the bets' wealth

private:
  ratios ratios_;
};

/// A confidence sequence for a probability: it is within the bounds at all
/// times, but for a probability of `error`. By a mixture over all
/// probabilities (Krichevsky and Trofimov 1981), as above.
struct rate_bounds {
  uint64_t n = 0;
  uint64_t events = 0;
  double log_likelihood = 0; ///< of what came, as the mixture predicted it

  void record(bool event);
  double lower(double error) const;
  double upper(double error) const;

private:
  bool excluded(double p, double error) const;
};

/// The median of a stream, tracked in its logarithm. How well it does so
/// decides about what a test can see, not about its validity.
struct running_median {
  double log_value = 0;
  uint64_t n = 0;

  void record(double log_x);
};

struct canary_options {
  /// The probability that a version which is not worse is rolled back.
  double false_alarms = 0.05;
  /// The probability that one is promoted which fails more often by
  /// `failure_margin`, or which has more than `slow_margin` of its requests
  /// slower than the baseline's median: 0.6 is 20 to 30 % slower where
  /// latencies spread over a factor of two about the median.
  double false_promotions = 0.05;
  double failure_margin = 0.02;
  double slow_margin = 0.6;
};

/// All that is known about a canary beside its baseline.
class canary_evidence {
public:
  explicit canary_evidence(const canary_options& options = {});

  /// A request ended that had become the canary's, or had not, by a chance of
  /// `share`. REQUIRES: 0 < share < 1.
  void record(bool canary, double share, const request_outcome& o);

  /// 1/false_alarms or more: it is worse, in one measure or another.
  double against() const;
  bool worse() const { return against() * options_.false_alarms >= 1; }
  /// What speaks most against it.
  canary_measure reason() const;

  /// It is within the margins in everything.
  bool not_worse() const;

  /// Outcomes of canary and baseline.
  uint64_t canary_requests() const { return canary_.n; }
  uint64_t baseline_requests() const { return baseline_.n; }
  uint64_t canary_failures() const { return canary_.events; }
  uint64_t baseline_failures() const { return baseline_.events; }

  /// Calls `f` with each number of the state, for writing and reading it.
  template <class F>
  void each_number(F&& f);

private:
  struct latency {
    latency();
    void record(bool canary, double share, duration d, double slow_margin);
    double wealth() const { return test.wealth(); }

    label_test<2, 5> test; ///< fast, slow
    running_median usual;  ///< of the baseline
    double log_not_slow =
        0;             ///< wealth of bets that it is not beyond the margin
    uint64_t seen = 0; ///< of the canary
  };

  std::array<double, 4> weighted() const;

  canary_options options_;
  label_test<1, 4> failures_;
  latency ttft_;
  latency tpot_;
  label_test<2, 4> cut_off_; ///< ended by itself, cut off
  rate_bounds canary_;       ///< failures
  rate_bounds baseline_;
};

template <class F>
void canary_evidence::each_number(F&& f) {
  auto latency_numbers = [&](latency& l) {
    for (auto& x : l.test.logs)
      f(x);
    f(l.usual.log_value);
    f(l.usual.n);
    f(l.log_not_slow);
    f(l.seen);
  };
  for (auto& x : failures_.logs)
    f(x);
  for (auto& x : cut_off_.logs)
    f(x);
  latency_numbers(ttft_);
  latency_numbers(tpot_);
  for (auto* r : {&canary_, &baseline_}) {
    f(r->n);
    f(r->events);
    f(r->log_likelihood);
  }
}

} // namespace troupe
