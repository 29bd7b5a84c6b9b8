#include "core/model/read_parts.hpp"
#include "tests/core/model/check_refused.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

using change = std::function<void(gguf_writer&)>;

tiny_model_options with_experts(const char* architecture) {
  auto o = tiny_model_options{};
  o.architecture = architecture;
  o.qk_norm = o.architecture == "qwen3moe";
  o.latent = o.architecture == "deepseek2";
  o.experts = 6;
  return o;
}

expert_hparams experts_after(const char* architecture, const change& spoil) {
  auto f = tiny_model_file(with_experts(architecture));
  spoil(f);
  auto bytes = f.bytes();
  auto file = gguf_file::parse(bytes, "f");
  BOOST_REQUIRE(file);
  auto p = read_hparams(*file, **read_architecture(*file), tiny_vocab_size);
  BOOST_REQUIRE_MESSAGE(p.ok(), (p.ok() ? "" : p.failure().message));
  return p->experts;
}

void refused(const change& spoil, const std::string& reason,
             errc code = errc::bad_file) {
  auto f = tiny_model_file(with_experts("deepseek2"));
  spoil(f);
  auto e = model_refusal(f);
  BOOST_TEST(to_string(e.code) == to_string(code));
  BOOST_TEST(e.message == "bad.gguf: " + reason);
}

} // namespace

BOOST_AUTO_TEST_SUITE(model_experts)

BOOST_AUTO_TEST_CASE(what_a_file_says_of_experts) {
  auto e = experts_after("deepseek2", [](auto& f) {
    f.put_u32("deepseek2.expert_shared_count", 3);
    f.put_bool("deepseek2.expert_weights_norm", true);
    f.put_f32("deepseek2.expert_weights_scale", 2.5f);
    f.put_u32("deepseek2.expert_gating_func", 2);
    f.put_u32("deepseek2.expert_group_count", 3);
    f.put_u32("deepseek2.expert_group_used_count", 2);
  });
  BOOST_TEST(e.count == 6u);
  BOOST_TEST(e.used == 2u);
  BOOST_TEST(e.ffn == 32u);
  BOOST_TEST(e.shared == 3u);
  BOOST_TEST(e.leading_dense == 1u);
  BOOST_TEST(e.normalise);
  BOOST_TEST(e.scale == 2.5f);
  BOOST_TEST((e.gating == expert_gating::sigmoid));
  BOOST_TEST(e.groups == 3u);
  BOOST_TEST(e.groups_used == 2u);
  BOOST_TEST((e.best_group == group_score::largest_two));
}

BOOST_AUTO_TEST_CASE(what_it_need_not_say) {
  auto silent = [](const std::string& at) {
    return [at](gguf_writer& f) {
      for (auto key : {"expert_feed_forward_length", "expert_shared_count",
                       "leading_dense_block_count"})
        f.remove(at + "." + key);
    };
  };
  auto e = experts_after("deepseek2", silent("deepseek2"));
  BOOST_TEST(e.ffn == 96u); // that of a layer without
  BOOST_TEST(e.shared == 0u);
  BOOST_TEST(e.leading_dense == 0u);
  BOOST_TEST(!e.normalise);
  BOOST_TEST(e.scale == 1.f);
  BOOST_TEST((e.gating == expert_gating::softmax));
  BOOST_TEST(e.groups == 1u);
  BOOST_TEST((e.best_group == group_score::largest));
  // Mixtral and Qwen 3 divide by the sum, and their files don't say so.
  BOOST_TEST(experts_after("llama", silent("llama")).normalise);
  BOOST_TEST(experts_after("qwen3moe", silent("qwen3moe")).normalise);
  e = experts_after("deepseek2", [](auto& f) {
    f.put_u32("deepseek2.expert_gating_func", 0);
    f.put_f32("deepseek2.expert_weights_scale", 0.f);
  });
  BOOST_TEST((e.gating == expert_gating::softmax));
  BOOST_TEST(e.scale == 1.f);
}

BOOST_AUTO_TEST_CASE(numbers_that_make_no_sense) {
  auto number = [](const std::string& key, uint64_t x,
                   const std::string& range) {
    refused([&](auto& f) { f.put_u64("deepseek2." + key, x); },
            "deepseek2." + key + " is " + std::to_string(x) + ", not from "
                + range);
  };
  number("expert_count", 4097, "0 to 4096");
  number("expert_used_count", 0, "1 to 6");
  number("expert_used_count", 7, "1 to 6");
  number("expert_feed_forward_length", 0, "1 to 1048576");
  number("expert_shared_count", 1u << 20, "0 to 4096");
  number("leading_dense_block_count", 3, "0 to 2");
  number("expert_group_count", 7, "1 to 6");
  number("expert_group_used_count", 2, "1 to 1");
  refused([](auto& f) { f.remove("deepseek2.expert_used_count"); },
          "metadata key deepseek2.expert_used_count is missing");
  refused([](auto& f) { f.put_f32("deepseek2.expert_weights_scale", -1.f); },
          "deepseek2.expert_weights_scale is -1, not a positive number");
  refused([](auto& f) { f.put_u32("deepseek2.expert_weights_norm", 1); },
          "metadata key deepseek2.expert_weights_norm has type u32, expected "
          "bool");
  refused([](auto& f) { f.put_u32("deepseek2.expert_group_count", 4); },
          "6 experts are not a multiple of 4 groups");
  refused(
      [](auto& f) {
        f.put_u32("deepseek2.expert_group_count", 6);
        f.put_u32("deepseek2.expert_group_used_count", 1);
      },
      "deepseek2.expert_used_count is 2, more than 1 groups of 1 have");
  refused(
      [](auto& f) {
        f.put_u32("deepseek2.expert_shared_count", 4096);
        f.put_u32("deepseek2.expert_feed_forward_length", 4096);
      },
      "4096 shared experts of width 4096 are wider than 1048576");
  refused([](auto& f) { f.put_u32("deepseek2.expert_gating_func", 3); },
          "deepseek2.expert_gating_func is 3; this build implements 1, "
          "softmax, and 2, sigmoid",
          errc::unsupported);
}

BOOST_AUTO_TEST_CASE(architectures_without_experts_refuse_them) {
  auto o = tiny_model_options{};
  o.architecture = "qwen3";
  o.qk_norm = true;
  auto f = tiny_model_file(o);
  f.put_u32("qwen3.expert_count", 8);
  BOOST_TEST(model_refusal(f).message
             == "bad.gguf: qwen3.expert_count is 8, which this build does not "
                "implement");
  f.put_u32("qwen3.expert_count", 0);
  BOOST_TEST(model_refusal(f).message == "");
}

BOOST_AUTO_TEST_CASE(tensors_of_experts) {
  auto o = with_experts("deepseek2");
  o.shared_experts = 2;
  o.router_bias = true;
  auto whole = tiny_model_file(o);
  BOOST_TEST(model_refusal(whole).message == "");
  for (auto& t : whole.tensors)
    if (t.name.find("exp") != std::string::npos
        || t.name.find("_inp") != std::string::npos) {
      auto f = whole;
      auto& shape = f.at(t.name).shape;
      shape.back() /= 2;
      BOOST_TEST(one_line_about(model_refusal(f)));
      BOOST_TEST(
          model_refusal(f).message.find("tensor " + t.name + " has shape ")
          != std::string::npos);
      f = whole;
      f.remove_tensor(t.name);
      auto optional = t.name == "blk.1.exp_probs_b.bias";
      BOOST_TEST((model_refusal(f).message == "") == optional);
    }
  // Shared ones that nothing tells of.
  auto f = whole;
  f.put_u32("deepseek2.expert_shared_count", 0);
  BOOST_TEST(to_string(model_refusal(f).code) == "unsupported");
}

BOOST_AUTO_TEST_SUITE_END()
