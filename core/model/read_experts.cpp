#include "core/model/hparams_parts.hpp"

namespace troupe {

void read_experts(key_reader& keys, const architecture& arch, hparams& p) {
  if (!arch.experts)
    return keys.refuse_unless("expert_count", 0.f);
  auto& e = p.experts;
  e.count = keys.whole("expert_count", 0, most_experts, 0);
  if (e.count == 0)
    return;
  e.used = keys.count("expert_used_count", e.count);
  e.ffn = keys.count("expert_feed_forward_length", most_width, p.ffn);
  e.shared = keys.whole("expert_shared_count", 0, most_experts, 0);
  if (uint64_t{e.shared} * e.ffn > most_width)
    keys.bad(std::to_string(e.shared) + " shared experts of width "
             + std::to_string(e.ffn) + " are wider than "
             + std::to_string(most_width));
  e.leading_dense = keys.whole("leading_dense_block_count", 0, p.layers, 0);
  e.normalise = keys.flag("expert_weights_norm", arch.normalised_experts);
  // Written as 0 where there is none.
  e.scale = keys.positive_or_zero("expert_weights_scale", 1.f);
  if (e.scale == 0.f)
    e.scale = 1.f;
  auto gating = keys.whole("expert_gating_func", 0, UINT32_MAX, 0);
  if (gating > 2)
    keys.stop(errc::unsupported,
              keys.full("expert_gating_func") + " is " + std::to_string(gating)
                  + "; this build implements 1, softmax, and 2, sigmoid");
  // Older files lack the key, or have 0; their models use the softmax.
  e.gating = gating == 2 ? expert_gating::sigmoid : expert_gating::softmax;
  e.groups = keys.count("expert_group_count", e.count, 1);
  e.groups_used = keys.count("expert_group_used_count", e.groups, e.groups);
  if (e.count % e.groups != 0)
    keys.bad(std::to_string(e.count) + " experts are not a multiple of "
             + std::to_string(e.groups) + " groups");
  else if (e.used > e.groups_used * (e.count / e.groups))
    keys.bad(keys.full("expert_used_count") + " is " + std::to_string(e.used)
             + ", more than " + std::to_string(e.groups_used) + " groups of "
             + std::to_string(e.count / e.groups) + " have");
  // No key says this: the models that score by sigmoid do it so.
  e.best_group = e.gating == expert_gating::sigmoid ? group_score::largest_two
                                                    : group_score::largest;
}

} // namespace troupe
