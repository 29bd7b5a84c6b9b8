#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/model/bounds.hpp"
#include "core/model/gguf_type.hpp"
#include "core/model/hf_parts.hpp"

namespace troupe {

namespace {

// Pairs that turn at least high_freq_factor times within the old context stay
// as they are, those that turn at most low_freq_factor times are slowed down by
// the factor, and between them the frequency is interpolated (Llama 3.1).
std::vector<float> llama3_factors(json_fields& rope, const hparams& p) {
  auto factor = double{rope.positive("factor")};
  auto low = double{rope.positive("low_freq_factor")};
  auto high = double{rope.positive("high_freq_factor")};
  auto context = rope.count("original_max_position_embeddings", most_context);
  if (high <= low)
    rope.stop(errc::bad_file, rope.describe("high_freq_factor")
                                  + ", not more than low_freq_factor");
  auto out = std::vector<float>(p.rope_dim / 2);
  for (auto i = size_t{0}; i < out.size(); ++i) {
    auto exponent = -2.0 * static_cast<double>(i) / p.rope_dim;
    auto frequency = std::pow(double{p.rope_base}, exponent);
    auto turns = context * frequency / (2 * std::numbers::pi);
    auto kept = std::clamp((turns - low) / (high - low), 0.0, 1.0);
    out[i] = static_cast<float>(1 / (kept + (1 - kept) / factor));
  }
  return out;
}

void read_yarn(json_fields& rope, bool latent, hparams& p) {
  auto original =
      rope.count("original_max_position_embeddings", most_context, p.context);
  p.yarn.original_context = original;
  auto ratio = static_cast<float>(p.context) / static_cast<float>(original);
  p.yarn.factor = rope.positive("factor", ratio);
  if (p.yarn.factor < 1.f)
    rope.stop(errc::bad_file, rope.describe("factor") + ", less than 1");
  if (p.rope_base <= 1.f)
    rope.stop(errc::bad_file, "rope_theta is not more than 1, as yarn needs");
  p.yarn.beta_fast = rope.positive("beta_fast", p.yarn.beta_fast);
  p.yarn.beta_slow = rope.positive("beta_slow", p.yarn.beta_slow);
  rope.refuse_unless("truncate", 1);
  auto magnitude = [&](float weight) {
    return 1.f + weight * (yarn_magnitude(p.yarn.factor) - 1.f);
  };
  // Two weights that mostly cancel out, since DeepSeek V2.
  auto usual = rope.has("mscale") && rope.has("mscale_all_dim")
                   ? magnitude(rope.positive("mscale"))
                         / magnitude(rope.positive("mscale_all_dim"))
                   : magnitude(1.f);
  p.rope_magnitude = rope.positive("attention_factor", usual);
  // Their models scale whole scores besides.
  if (latent && rope.has("mscale_all_dim")) {
    auto more = magnitude(rope.positive("mscale_all_dim"));
    p.attention_scale = p.scale_of_scores() * more * more;
    if (!(p.attention_scale > 0.f) || !std::isfinite(p.attention_scale))
      rope.stop(errc::bad_file,
                rope.describe("mscale_all_dim") + ", out of range");
  }
  // config.json of a model that yarn was added to names the old context.
  auto reach = double{p.yarn.factor} * original;
  p.context = static_cast<uint32_t>(
      std::clamp(reach, static_cast<double>(p.context), double{most_context}));
}

void read_scaling(json_fields& rope, bool latent, hparams& p,
                  std::vector<float>& factors) {
  auto type = rope.text("rope_type", rope.text("type", "default"));
  if (type == "default" || rope.failed())
    return;
  if (type == "linear") {
    p.rope_scale = 1.f / rope.positive("factor");
    if (!(p.rope_scale > 0.f) || !std::isfinite(p.rope_scale))
      rope.stop(errc::bad_file, rope.describe("factor") + ", out of range");
  } else if (type == "llama3") {
    factors = llama3_factors(rope, p);
  } else if (type == "yarn") {
    read_yarn(rope, latent, p);
    if (!rope.failed())
      factors = yarn_factors(p.yarn, p.rope_dim, p.rope_base);
  } else {
    rope.stop(errc::unsupported,
              rope.full("rope_type") + " is \"" + printable(type)
                  + "\"; this build implements default, linear, llama3 and "
                    "yarn");
  }
  if (std::any_of(factors.begin(), factors.end(),
                  [](float x) { return !(x > 0.f) || !std::isfinite(x); }))
    rope.stop(errc::bad_file, rope.describe("factor") + ", out of range");
}

} // namespace

void read_hf_rope(json_fields& config, const hf_architecture& arch, hparams& p,
                  std::vector<float>& factors) {
  p.rope_base = config.positive("rope_theta", 10000.f);
  if (arch.local_rope)
    p.local_rope_base = config.positive("rope_local_base_freq", 10000.f);
  // The older name first: the newer library still reads it so.
  auto key = config.has("rope_scaling") ? "rope_scaling" : "rope_parameters";
  auto rope = config.object(key);
  if (!rope)
    return;
  auto all = rope;
  if (rope->has("full_attention") && arch.local_rope) {
    if (auto local = rope->object("sliding_attention")) {
      p.local_rope_base = local->positive("rope_theta", p.local_rope_base);
      if (local->text("rope_type", "default") != "default")
        local->stop(errc::unsupported, local->describe("rope_type")
                                           + "; this build implements default");
      config.take_failure(*local);
    }
    all = rope->object("full_attention");
  } else if (rope->has("full_attention")) {
    rope->stop(errc::unsupported,
               rope->full("full_attention")
                   + " is given, which this build does not implement for "
                   + std::string{arch.model_type});
  }
  config.take_failure(*rope);
  if (!all)
    return;
  p.rope_base = all->positive("rope_theta", p.rope_base);
  read_scaling(*all, arch.latent, p, factors);
  config.take_failure(*all);
}

} // namespace troupe
