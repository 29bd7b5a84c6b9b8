#include <nlohmann/json.hpp>

#include "core/model/bounds.hpp"
#include "core/model/hf_parts.hpp"

namespace troupe {

namespace {

void expect_text(json_fields& config, std::string_view key,
                 std::string_view wanted) {
  if (config.text(key, wanted) != wanted)
    config.stop(errc::unsupported, config.describe(key)
                                       + "; this build implements "
                                       + std::string{wanted});
}

void read_mixtral(json_fields& config, expert_hparams& e) {
  e.count = config.count("num_local_experts", most_experts);
  e.normalise = true;
}

void read_qwen3(json_fields& config, expert_hparams& e) {
  // The second is what version 5 of transformers writes.
  e.count = config.count(config.has("num_experts") ? "num_experts"
                                                   : "num_local_experts",
                         most_experts);
  e.ffn = config.count("moe_intermediate_size", most_width);
  e.normalise = config.flag("norm_topk_prob", false);
  config.refuse_unless("decoder_sparse_step", 1);
  auto* dense = config.find("mlp_only_layers");
  if (dense && !(dense->is_array() && dense->empty()))
    config.stop(errc::unsupported,
                config.describe("mlp_only_layers")
                    + "; this build implements experts in all layers");
}

void read_deepseek(json_fields& config, hf_experts kind, uint32_t layers,
                   expert_hparams& e) {
  e.count = config.count("n_routed_experts", most_experts, 0, 0);
  if (e.count == 0)
    return;
  e.ffn = config.count("moe_intermediate_size", most_width);
  e.shared = config.count("n_shared_experts", most_experts, 0, 0);
  e.leading_dense = config.count("first_k_dense_replace", layers, 0, 0);
  e.scale = config.positive("routed_scaling_factor", 1.f);
  config.refuse_unless("moe_layer_freq", 1);
  auto grouped = true;
  if (kind == hf_experts::deepseek3) {
    e.gating = expert_gating::sigmoid;
    e.best_group = group_score::largest_two;
    e.normalise = config.flag("norm_topk_prob", true);
    expect_text(config, "scoring_func", "sigmoid");
    expect_text(config, "topk_method", "noaux_tc");
  } else {
    // No model has weights that are normalised, and accounts differ of
    // whether they are scaled then.
    config.refuse_unless("norm_topk_prob", 0);
    expect_text(config, "scoring_func", "softmax");
    grouped = config.text("topk_method", "greedy") != "greedy";
    if (grouped)
      expect_text(config, "topk_method", "group_limited_greedy");
  }
  if (grouped) {
    e.groups = config.count("n_group", e.count, 1);
    e.groups_used = config.count("topk_group", e.groups, e.groups);
  }
}

} // namespace

void read_hf_experts(json_fields& config, const hf_architecture& arch,
                     hparams& p) {
  auto& e = p.experts;
  e.ffn = p.ffn;
  switch (arch.experts) {
  case hf_experts::none:
    break;
  case hf_experts::mixtral:
    read_mixtral(config, e);
    break;
  case hf_experts::qwen3:
    read_qwen3(config, e);
    break;
  case hf_experts::deepseek2:
  case hf_experts::deepseek3:
    read_deepseek(config, arch.experts, p.layers, e);
    break;
  }
  if (e.count == 0)
    return void(e = {});
  e.used = config.count("num_experts_per_tok", e.count);
  if (uint64_t{e.shared} * e.ffn > most_width)
    config.stop(errc::bad_file, std::to_string(e.shared)
                                    + " shared experts of width "
                                    + std::to_string(e.ffn) + " are wider than "
                                    + std::to_string(most_width));
  if (e.count % e.groups != 0)
    config.stop(errc::bad_file, std::to_string(e.count)
                                    + " experts are not a multiple of "
                                    + std::to_string(e.groups) + " groups");
  else if (e.used > e.groups_used * (e.count / e.groups))
    config.stop(errc::bad_file,
                config.describe("num_experts_per_tok") + ", more than "
                    + std::to_string(e.groups_used) + " groups of "
                    + std::to_string(e.count / e.groups) + " have");
}

} // namespace troupe
