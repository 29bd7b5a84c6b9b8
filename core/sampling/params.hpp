#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/base/ids.hpp"
#include "core/base/result.hpp"

namespace troupe {

/// How tokens are chosen. The defaults leave the model's distribution as is.
struct sampling_params {
  /// Logits are divided by this; 0 is greedy (ties: the lowest id).
  float temperature = 1.f;
  /// Keep the k most likely tokens; 0: all.
  uint32_t top_k = 0;
  /// Keep the smallest set whose probability reaches p (Holtzman et al., "The
  /// Curious Case of Neural Text Degeneration", 2020); 1: all.
  float top_p = 1.f;
  /// Keep tokens at least this fraction as likely as the likeliest (Nguyen et
  /// al., "Turning Up the Heat: Min-p Sampling", 2024); 0: all.
  float min_p = 0.f;
  /// Divides positive and multiplies negative logits of tokens seen (Keskar et
  /// al., "CTRL", 2019); 1: off.
  float repetition_penalty = 1.f;
  /// Subtracted from the logit of each generated token (OpenAI's meaning).
  float presence_penalty = 0.f;
  /// Subtracted once per generated occurrence.
  float frequency_penalty = 0.f;
  /// The repetition penalty looks at the last n tokens of prompt and answer;
  /// 0: all of them.
  uint32_t repeat_last_n = 64;
  /// Added to the logits of these tokens; -infinity bans one.
  std::vector<std::pair<token_id, float>> logit_bias;
  /// The answer is a function of this, the model and the prompt.
  uint64_t seed = 0;
  /// Alternatives to report with each token, at most `max_logprobs`; only
  /// looked at with `want_logprob`.
  uint32_t logprobs = 0;
  /// Report the log-probability of each token.
  bool want_logprob = false;

  static constexpr uint32_t max_logprobs = 20;
};

/// invalid_argument, naming the parameter, its value and its range. `vocab` is
/// the number of tokens that logit_bias may name.
result<void> validate(const sampling_params& p, uint32_t vocab);

} // namespace troupe
