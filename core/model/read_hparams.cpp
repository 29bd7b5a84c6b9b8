#include <array>
#include <cmath>

#include "core/model/hparams_parts.hpp"
#include "core/model/read_parts.hpp"

namespace troupe {

namespace {

// Keys, after the architecture's prefix, that change the computation in ways
// not implemented here, unless they hold this neutral value.
constexpr auto foreign = std::to_array<std::pair<std::string_view, float>>({
    {"attention.max_alibi_bias", 0.f},
    {"attention.clamp_kqv", 0.f},
    {"attention.causal", 1.f},
    {"use_parallel_residual", 0.f},
    {"embedding_scale", 1.f},
    {"residual_scale", 1.f},
    {"logit_scale", 1.f},
    {"rope.scaling.yarn_ext_factor", 1.f},
});

} // namespace

result<const architecture*> read_architecture(const gguf_file& file) {
  auto name = file.get_string("general.architecture");
  if (!name)
    return name.failure();
  if (!*name)
    return file.complain(errc::bad_file,
                         "metadata key general.architecture is missing");
  if (auto arch = find_architecture(**name))
    return arch;
  return file.complain(errc::unsupported, "architecture \"" + printable(**name)
                                              + "\"; this build implements "
                                              + known_architectures());
}

result<hparams> read_hparams(const gguf_file& file, const architecture& arch,
                             uint32_t vocab) {
  auto keys = key_reader{file, arch.name};
  auto p = hparams{};
  p.architecture = arch.name;
  p.name = keys.text("general.name", "");
  p.vocab = vocab;
  auto given = keys.count("vocab_size", UINT32_MAX, vocab);
  if (given != vocab)
    keys.bad(keys.full("vocab_size") + " is " + std::to_string(given)
             + ", but tokenizer.ggml.tokens has " + std::to_string(vocab));
  p.context = keys.count("context_length", most_context);
  p.hidden = keys.count("embedding_length", most_width);
  p.layers = keys.count("block_count", most_layers);
  p.ffn = keys.count("feed_forward_length", most_width);
  p.gate = arch.gate;
  read_attention(keys, arch, p);
  read_rope(keys, arch, p);
  read_experts(keys, arch, p);
  p.norm_eps = keys.positive("attention.layer_norm_rms_epsilon");
  if (arch.scaled_embedding)
    p.embedding_scale = std::sqrt(static_cast<float>(p.hidden));
  p.logit_softcap =
      keys.positive_or_zero("final_logit_softcapping", arch.logit_softcap);
  for (auto& [key, neutral] : foreign)
    keys.refuse_unless(key, neutral);
  if (keys.failed())
    return keys.failure();
  return p;
}

} // namespace troupe
