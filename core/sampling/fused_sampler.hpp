#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/ids.hpp"
#include "core/base/result.hpp"
#include "core/sampling/params.hpp"

namespace troupe {

struct token_logprob {
  token_id id = -1;
  /// Natural logarithm, of the model's own distribution: before penalties,
  /// bias, temperature and truncation.
  float logprob = 0.f;
  friend bool operator==(const token_logprob&, const token_logprob&) = default;
};

struct sampled {
  token_id id = -1;
  float logprob = 0.f; ///< 0 unless want_logprob
  /// The likeliest first (ties: the lowest id), without impossible tokens.
  std::vector<token_logprob> top;
};

/// Chooses tokens. In this order: repetition penalty, presence and frequency
/// penalty, bias, temperature, top-k, top-p of what top-k left, min-p; then a
/// draw. Keeps scratch memory but no state: the same arguments give the same
/// token, on any node and after any restart. One thread at a time.
class fused_sampler {
public:
  /// `logits`: [vocab], the model's, untouched. `prompt` and `generated` are
  /// what the penalties look at; `position` counts generated tokens and picks
  /// the random number. A logit of +infinity takes all probability (several
  /// share it), of -infinity none; a ban overrides both. invalid_argument if no
  /// token is possible (all banned or -infinity), the logits hold a NaN, or a
  /// token is out of range.
  /// REQUIRES: validate(params, vocab).
  result<sampled> sample(std::span<const float> logits,
                         std::span<const token_id> prompt,
                         std::span<const token_id> generated, uint64_t position,
                         const sampling_params& params);

private:
  struct candidate {
    float value; // logit or weight
    token_id id;
  };

  static bool before(const candidate& a, const candidate& b) {
    return a.value > b.value || (a.value == b.value && a.id < b.id);
  }

  /// Logits with penalties and biases, in `logits_`; or those given.
  result<std::span<const float>> adjust(std::span<const float> logits,
                                        std::span<const token_id> prompt,
                                        std::span<const token_id> generated,
                                        const sampling_params& p);
  void penalise_repetition(std::span<const token_id> prompt,
                           std::span<const token_id> generated,
                           const sampling_params& p);
  void penalise_presence(std::span<const token_id> generated,
                         const sampling_params& p);

  /// Block maxima into `maxima_`, and the largest logit, which is finite:
  /// where there are +infinities, they become 0 and the rest -infinity in
  /// `logits_`, and `logits` that.
  result<float> scan(std::span<const float>& logits);

  /// The k largest logits above -infinity into `candidates_`, in order.
  /// REQUIRES: `maxima_` are those of `logits`.
  void select(std::span<const float> logits, size_t k);

  token_id greedy(std::span<const float> logits, float max) const;
  token_id draw_selected(const sampling_params& p, float max, double unit);
  token_id draw_from_all(std::span<const float> logits,
                         const sampling_params& p, float max, double unit);
  /// The weight that the least of top-p's tokens has in `weights_`; of its
  /// ties, those left out are cleared.
  float nucleus_bound(float top_p, double total);
  token_id draw_weighted(double total, double unit) const;

  result<void> report(std::span<const float> logits, const sampling_params& p,
                      sampled& out);

  std::vector<float> logits_;  // [vocab]
  std::vector<float> weights_; // [vocab] or [candidates], exp(logit - max)
  std::vector<float> maxima_;  // of blocks of logits
  std::vector<float> scratch_;
  std::vector<double> sums_; // of blocks of weights
  std::vector<double> mass_; // of weights by magnitude
  std::vector<candidate> candidates_;
  std::vector<uint32_t> counts_; // [vocab], zero between calls
  std::vector<token_id> touched_;
};

} // namespace troupe
