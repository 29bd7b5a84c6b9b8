#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/model/hparams.hpp"
#include "core/tensor/compute.hpp"

namespace troupe {

struct chosen_expert {
  uint32_t expert = 0;
  float weight = 0;
};

size_t choose_experts_scratch_floats(const expert_hparams& e);

/// What a token's experts are, and what their outputs are multiplied by:
/// `out`: [used], by number. `logits`: [count], the router's; `bias`: [count]
/// or empty, added to the scores for the choice alone. Of equal scores the
/// lower number is better; groups that are not among the best are left out.
/// `scratch`: choose_experts_scratch_floats.
void choose_experts(const expert_hparams& e, const float* logits,
                    std::span<const float> bias, float* scratch,
                    std::span<chosen_expert> out);

/// The rows of a step by the experts that they use.
class expert_rows {
public:
  struct entry {
    uint32_t row;
    float weight;
  };

  expert_rows(const expert_hparams& e, uint32_t max_tokens);

  /// `logits`: [tokens, count].
  void assign(compute& c, const float* logits, uint32_t tokens,
              std::span<const float> bias);

  /// Rows in their order.
  std::span<const entry> of(uint32_t expert) const {
    return {entries_.data() + first_[expert],
            first_[expert + 1] - first_[expert]};
  }

private:
  const expert_hparams& e_;
  std::vector<chosen_expert> chosen_; ///< [tokens, used]
  std::vector<entry> entries_;        ///< by expert
  std::vector<uint32_t> first_;       ///< [count + 1], in entries_
};

} // namespace troupe
