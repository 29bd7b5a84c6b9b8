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
  float logprob = 0.f;            ///< 0 unless want_logprob
  std::vector<token_logprob> top; ///< the likeliest first
};

/// Chooses tokens. Keeps scratch memory but no state: the same arguments give
/// the same token, on any node and after any restart.
class fused_sampler {
public:
  /// `logits`: [vocab], the model's, untouched. `prompt` and `generated` are
  /// what the penalties look at; `position` counts generated tokens and picks
  /// the random number. invalid_argument if no token is possible: all banned,
  /// or the logits hold NaN.
  result<sampled> sample(std::span<const float> logits,
                         std::span<const token_id> prompt,
                         std::span<const token_id> generated, uint64_t position,
                         const sampling_params& params);

private:
  struct candidate {
    float logit;
    token_id id;
  };
  std::vector<float> work_;
  std::vector<candidate> candidates_;
  std::vector<uint32_t> counts_;
  std::vector<token_id> touched_;
};

} // namespace troupe
