#include <algorithm>
#include <cmath>
#include <utility>

#include "core/model/read_parts.hpp"

namespace troupe {

namespace {

constexpr auto most_width = uint32_t{1} << 20; // hidden, ffn, heads * head_dim
constexpr auto most_layers = uint32_t{4096};
constexpr auto most_heads = uint32_t{65536};
constexpr auto most_context = uint32_t{1} << 24;

// Keys, after the architecture's prefix, that change the computation in ways
// not implemented here, unless they hold this neutral value.
constexpr auto foreign = std::to_array<std::pair<std::string_view, float>>({
    {"expert_count", 0.f},
    {"attention.max_alibi_bias", 0.f},
    {"attention.clamp_kqv", 0.f},
    {"attention.scale", 0.f},
    {"attention.causal", 1.f},
    {"attn_logit_softcapping", 0.f},
    {"final_logit_softcapping", 0.f},
    {"use_parallel_residual", 0.f},
    {"embedding_scale", 1.f},
    {"residual_scale", 1.f},
    {"logit_scale", 1.f},
    {"rope.scaling.yarn_ext_factor", 1.f},
    {"rope.scaling.yarn_log_multiplier", 0.f},
});

// Reads the keys of one architecture; after the first error the rest is
// skipped and the values are worthless.
class key_reader {
public:
  key_reader(const gguf_file& file, std::string_view prefix)
      : file_(file), prefix_(prefix) {}

  bool failed() const { return static_cast<bool>(error_); }
  const error& failure() const { return error_; }

  void stop(errc code, const std::string& reason) {
    if (!failed())
      error_ = file_.complain(code, reason);
  }

  std::string full(std::string_view key) const {
    return prefix_ + "." + std::string{key};
  }

  bool has(std::string_view key) const { return file_.find(full(key)); }

  uint32_t count(std::string_view key, uint32_t most) {
    return count(key, most, std::nullopt);
  }

  /// From 1 to `most`; `otherwise` if absent.
  uint32_t count(std::string_view key, uint32_t most,
                 std::optional<uint32_t> otherwise) {
    auto x = take(file_.get_int(full(key)));
    if (failed())
      return 1;
    if (!x && !otherwise)
      stop(errc::bad_file, "metadata key " + full(key) + " is missing");
    auto given = x.value_or(otherwise.value_or(1));
    if (given < 1 || given > most) {
      stop(errc::bad_file, full(key) + " is " + std::to_string(given)
                               + ", not from 1 to " + std::to_string(most));
      return 1;
    }
    return static_cast<uint32_t>(given);
  }

  /// Finite and positive; `otherwise` if absent.
  float positive(std::string_view key, std::optional<float> otherwise) {
    auto x = take(file_.get_f32(full(key)));
    if (failed())
      return 1.f;
    if (!x && !otherwise)
      stop(errc::bad_file, "metadata key " + full(key) + " is missing");
    auto given = x.value_or(otherwise.value_or(1.f));
    if (!(given > 0.f) || !std::isfinite(given))
      stop(errc::bad_file, full(key) + " is " + file_.find(full(key))->render()
                               + ", not a positive number");
    return given;
  }

  std::string text(const std::string& key, std::string_view otherwise) {
    return std::string{take(file_.get_string(key)).value_or(otherwise)};
  }

  void refuse_foreign() {
    for (auto& [key, neutral] : foreign)
      if (auto entry = file_.find(full(key));
          entry && number(*entry) != neutral) // or is no number at all
        stop(errc::unsupported, full(key) + " is " + entry->render()
                                    + ", which this build does not implement");
  }

  /// A window over all of the context is none.
  void refuse_window(uint32_t context) {
    constexpr auto key = "attention.sliding_window";
    auto entry = file_.find(full(key));
    if (!entry)
      return;
    auto window = number(*entry);
    if (window != 0.f && !(window >= static_cast<float>(context)))
      stop(errc::unsupported, full(key) + " is " + entry->render()
                                  + " in a context of "
                                  + std::to_string(context)
                                  + ", which this build does not implement");
  }

private:
  template <class T>
  std::optional<T> take(result<std::optional<T>> x) {
    if (failed())
      return std::nullopt;
    if (!x) {
      error_ = x.failure();
      return std::nullopt;
    }
    return *x;
  }

  float number(const gguf_entry& entry) const {
    auto key = entry.key;
    if (auto x = file_.get_bool(key))
      return **x ? 1.f : 0.f;
    if (auto x = file_.get_int(key))
      return static_cast<float>(**x);
    if (auto x = file_.get_f32(key))
      return **x;
    return std::nanf("");
  }

  const gguf_file& file_;
  std::string prefix_;
  error error_;
};

void read_yarn(key_reader& keys, float factor, hparams& p) {
  p.yarn.factor = factor;
  p.yarn.original_context = keys.count("rope.scaling.original_context_length",
                                       most_context, p.context);
  p.yarn.beta_fast =
      keys.positive("rope.scaling.yarn_beta_fast", p.yarn.beta_fast);
  p.yarn.beta_slow =
      keys.positive("rope.scaling.yarn_beta_slow", p.yarn.beta_slow);
  // Beyond the recommended one; there are two names of it.
  p.rope_magnitude = yarn_magnitude(factor)
                     * keys.positive("rope.scaling.attn_factor", 1.f)
                     * keys.positive("rope.scaling.yarn_attn_factor", 1.f);
  if (factor < 1.f)
    keys.stop(errc::bad_file, keys.full("rope.scaling.factor")
                                  + " is less than 1, which yarn cannot be");
  if (!std::isfinite(p.rope_magnitude) || !(p.rope_magnitude > 0.f))
    keys.stop(errc::bad_file,
              keys.full("rope.scaling.attn_factor") + " is out of range");
}

void read_rope_scaling(const gguf_file& file, key_reader& keys, hparams& p) {
  auto type = keys.text(keys.full("rope.scaling.type"), "");
  // An older name of the factor, which implies the type.
  auto factor =
      keys.has("rope.scale_linear") && !keys.has("rope.scaling.factor")
          ? "rope.scale_linear"
          : "rope.scaling.factor";
  if (type == "none" || (type.empty() && !keys.has(factor)))
    return;
  if (type.empty() || type == "linear") {
    p.rope_scale = 1.f / keys.positive(factor, std::nullopt);
    if (!(p.rope_scale > 0.f) || !std::isfinite(p.rope_scale))
      keys.stop(errc::bad_file, keys.full(factor) + " is out of range");
  } else if (type == "yarn") {
    read_yarn(keys, keys.positive(factor, std::nullopt), p);
  } else if (type == "llama3") {
    // All of it is in the tensor; files that have that need not name the type.
    if (!file.find_tensor("rope_freqs.weight"))
      keys.stop(errc::bad_file, "tensor rope_freqs.weight is missing, which "
                                    + keys.full("rope.scaling.type")
                                    + " \"llama3\" needs");
  } else {
    keys.stop(errc::unsupported,
              keys.full("rope.scaling.type") + " is \"" + printable(type)
                  + "\"; this build implements none, linear, llama3 and yarn");
  }
}

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
  p.pairing = arch.pairing;
  p.vocab = vocab;
  auto bad = [&](const std::string& reason) {
    keys.stop(errc::bad_file, reason);
  };
  auto given = keys.count("vocab_size", UINT32_MAX, vocab);
  if (given != vocab)
    bad(keys.full("vocab_size") + " is " + std::to_string(given)
        + ", but tokenizer.ggml.tokens has " + std::to_string(vocab));
  p.context = keys.count("context_length", most_context);
  p.hidden = keys.count("embedding_length", most_width);
  p.layers = keys.count("block_count", most_layers);
  p.ffn = keys.count("feed_forward_length", most_width);
  p.heads = keys.count("attention.head_count", most_heads);
  p.kv_heads = keys.count("attention.head_count_kv", most_heads, p.heads);
  if (p.heads % p.kv_heads != 0)
    bad("attention heads " + std::to_string(p.heads)
        + " are not a multiple of KV heads " + std::to_string(p.kv_heads));
  if (p.hidden % p.heads != 0 && !keys.has("attention.key_length"))
    bad("width " + std::to_string(p.hidden) + " is not a multiple of "
        + std::to_string(p.heads) + " attention heads");
  auto usual = std::max(1u, p.hidden / p.heads);
  p.head_dim = keys.count("attention.key_length", most_width, usual);
  auto value_dim = keys.count("attention.value_length", most_width, p.head_dim);
  if (value_dim != p.head_dim)
    keys.stop(errc::unsupported, "heads have " + std::to_string(p.head_dim)
                                     + " values in K but "
                                     + std::to_string(value_dim) + " in V");
  if (p.head_dim % 2 != 0)
    bad("head size " + std::to_string(p.head_dim) + " is odd");
  if (uint64_t{p.heads} * p.head_dim > most_width)
    bad(std::to_string(p.heads) + " heads of " + std::to_string(p.head_dim)
        + " values are more than " + std::to_string(most_width) + " in all");
  p.rope_dim = keys.count("rope.dimension_count", most_width, p.head_dim);
  if (p.rope_dim > p.head_dim || p.rope_dim % 2 != 0)
    bad(keys.full("rope.dimension_count") + " is " + std::to_string(p.rope_dim)
        + ", not even and at most the head size " + std::to_string(p.head_dim));
  p.rope_base = keys.positive("rope.freq_base", 10000.f);
  read_rope_scaling(file, keys, p);
  p.norm_eps = keys.positive("attention.layer_norm_rms_epsilon", std::nullopt);
  if (p.yarn.factor != 1.f && p.rope_base <= 1.f)
    bad(keys.full("rope.freq_base") + " is not more than 1, which yarn needs");
  keys.refuse_foreign();
  keys.refuse_window(p.context);
  if (keys.failed())
    return keys.failure();
  return p;
}

} // namespace troupe
