#include <cmath>

#include "core/model/hparams_parts.hpp"

namespace troupe {

namespace {

void read_yarn(key_reader& keys, const architecture& arch, float factor,
               hparams& p) {
  p.yarn.factor = factor;
  p.yarn.original_context = keys.count("rope.scaling.original_context_length",
                                       most_context, p.context);
  p.yarn.beta_fast =
      keys.positive("rope.scaling.yarn_beta_fast", p.yarn.beta_fast);
  p.yarn.beta_slow =
      keys.positive("rope.scaling.yarn_beta_slow", p.yarn.beta_slow);
  // Beyond the recommended one; there are two names of it.
  auto more = keys.positive("rope.scaling.attn_factor", 1.f)
              * keys.positive("rope.scaling.yarn_attn_factor", 1.f);
  auto magnitude = 1.f;
  if (arch.latent) {
    // DeepSeek's models scale whole scores in place of the part that has
    // positions, and by a factor of their own in place of 0.1.
    auto per_log =
        keys.positive_or_zero("rope.scaling.yarn_log_multiplier", 0.f);
    magnitude = more * (1.f + per_log * std::log(factor));
    p.attention_scale = p.scale_of_scores() * magnitude * magnitude;
    if (!std::isfinite(p.attention_scale) || !(p.attention_scale > 0.f))
      keys.bad(keys.full("rope.scaling.yarn_log_multiplier")
               + " is out of range");
  } else {
    keys.refuse_unless("rope.scaling.yarn_log_multiplier", 0.f);
    magnitude = yarn_magnitude(factor) * more;
    p.rope_magnitude = magnitude;
  }
  if (factor < 1.f)
    keys.bad(keys.full("rope.scaling.factor")
             + " is less than 1, which yarn cannot be");
  if (!std::isfinite(magnitude) || !(magnitude > 0.f))
    keys.bad(keys.full("rope.scaling.attn_factor") + " is out of range");
  if (p.rope_base <= 1.f)
    keys.bad(keys.full("rope.freq_base")
             + " is not more than 1, which yarn needs");
}

} // namespace

void read_rope(key_reader& keys, const architecture& arch, hparams& p) {
  p.pairing = arch.pairing;
  p.rope_base = keys.positive("rope.freq_base", 10000.f);
  if (arch.local_rope_base != 0.f && !p.windows.empty())
    p.local_rope_base =
        keys.positive("rope.freq_base_swa", arch.local_rope_base);
  auto type = keys.text(keys.full("rope.scaling.type"), "");
  // An older name of the factor, which implies the type.
  auto factor =
      keys.has("rope.scale_linear") && !keys.has("rope.scaling.factor")
          ? "rope.scale_linear"
          : "rope.scaling.factor";
  if (type == "none" || (type.empty() && !keys.has(factor)))
    return;
  if (type.empty() || type == "linear") {
    p.rope_scale = 1.f / keys.positive(factor);
    if (!(p.rope_scale > 0.f) || !std::isfinite(p.rope_scale))
      keys.bad(keys.full(factor) + " is out of range");
  } else if (type == "yarn") {
    read_yarn(keys, arch, keys.positive(factor), p);
  } else if (type == "llama3") {
    // All of it is in the tensor; files that have that need not name the type.
    if (!keys.file().find_tensor("rope_freqs.weight"))
      keys.bad("tensor rope_freqs.weight is missing, which "
               + keys.full("rope.scaling.type") + " \"llama3\" needs");
  } else {
    keys.stop(errc::unsupported,
              keys.full("rope.scaling.type") + " is \"" + printable(type)
                  + "\"; this build implements none, linear, llama3 and yarn");
  }
}

} // namespace troupe
