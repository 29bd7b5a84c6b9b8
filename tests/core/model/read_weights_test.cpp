#include <cmath>

#include "core/model/gguf.hpp"
#include "core/model/model.hpp"
#include "tests/core/model/check_refused.hpp"

using namespace troupe;
using namespace troupe::testing;

BOOST_AUTO_TEST_SUITE(model_weights_)

BOOST_AUTO_TEST_CASE(every_tensor_must_be_there) {
  auto whole = tiny_model_file();
  for (auto& t : whole.tensors) {
    if (t.name == "output.weight")
      continue; // tied
    auto f = whole;
    f.remove_tensor(t.name);
    auto e = model_refusal(f);
    BOOST_TEST(to_string(e.code) == "bad_file");
    BOOST_TEST(one_line_about(e));
    BOOST_TEST(e.message.find("tensor " + t.name + " is missing, expected ")
               != std::string::npos);
  }
  check_refused([](auto& f) { f.remove_tensor("blk.1.attn_k.weight"); },
                "tensor blk.1.attn_k.weight is missing, expected 64 x 32");
  check_refused([](auto& f) { f.put_u32("llama.block_count", 3); },
                "tensor blk.2.attn_norm.weight is missing, expected 64");
}

BOOST_AUTO_TEST_CASE(every_shape_must_fit) {
  auto whole = tiny_model_file();
  for (auto& t : whole.tensors) {
    auto f = whole;
    // As many values, otherwise laid out.
    auto& shape = f.at(t.name).shape;
    shape.insert(shape.begin(), 2);
    shape[1] /= 2;
    auto e = model_refusal(f);
    BOOST_TEST(to_string(e.code) == "bad_file");
    BOOST_TEST(one_line_about(e));
    BOOST_TEST(e.message.find("tensor " + t.name + " has shape ")
               != std::string::npos);
  }
  check_refused(
      [](auto& f) {
        f.at("blk.0.ffn_up.weight").shape = {96, 64};
      },
      "tensor blk.0.ffn_up.weight has shape 96 x 64, expected 64 x 96");
  check_refused([](auto& f) { f.at("output_norm.weight").shape = {32}; },
                "tensor output_norm.weight has shape 32, expected 64");
  check_refused(
      [](auto& f) {
        f.at("token_embd.weight").shape = {64, 299};
      },
      "tensor token_embd.weight has shape 64 x 299, expected "
      "64 x 300");
}

BOOST_AUTO_TEST_CASE(sizes_of_one_beyond_the_shape_are_fine) {
  auto f = tiny_model_file();
  f.at("output_norm.weight").shape = {64, 1, 1, 1};
  f.at("output.weight").shape = {64, 300, 1};
  BOOST_TEST(model_refusal(f).message == "");
  f.at("output.weight").shape = {64, 1, 300};
  BOOST_TEST(one_line_about(model_refusal(f)));
}

BOOST_AUTO_TEST_CASE(quantisations_that_are_not_computed_with) {
  auto expected = std::string{", expected F32, F16, BF16, Q4_0, Q4_1, Q5_0, "
                              "Q5_1, Q8_0, Q4_K, Q5_K or Q6_K"};
  check_refused([](auto& f) { f.at("output_norm.weight").type = 99; },
                "tensor output_norm.weight has type 99" + expected,
                errc::unsupported);
  auto o = tiny_model_options{};
  o.hidden = 256;
  o.heads = 16;
  auto f = tiny_model_file(o);
  f.at("blk.0.attn_q.weight").type = 10;
  BOOST_TEST(model_refusal(f).message
             == "bad.gguf: tensor blk.0.attn_q.weight has type 10 (Q2_K)"
                    + expected);
}

BOOST_AUTO_TEST_CASE(every_encoding_and_its_size) {
  auto o = tiny_model_options{};
  o.hidden = 256;
  o.heads = 16;
  o.ffn = 256;
  for (auto t : {dtype::f32, dtype::f16, dtype::bf16, dtype::q4_0, dtype::q4_1,
                 dtype::q5_0, dtype::q5_1, dtype::q8_0, dtype::q4_k,
                 dtype::q5_k, dtype::q6_k}) {
    o.type = t;
    auto f = tiny_model_file(o);
    BOOST_TEST(model_refusal(f).message == "");
    auto bytes = f.bytes();
    bytes.pop_back(); // of the last tensor
    auto e = model_refusal(bytes);
    BOOST_TEST(e.message
               == "bad.gguf: tensor output.weight extends beyond the end of "
                  "the file");
    // A row that is not whole blocks.
    if (block_values(t) > 1) {
      f.at("blk.0.ffn_up.weight").shape = {128 + 16, 256};
      BOOST_TEST(one_line_about(model_refusal(f)));
      BOOST_TEST(model_refusal(f).message.find("not a multiple of")
                 != std::string::npos);
    }
  }
}

BOOST_AUTO_TEST_CASE(norms_of_any_dtype) {
  auto f = tiny_model_file();
  f.remove_tensor("output_norm.weight");
  f.add_tensor("output_norm.weight", {64}, dtype::bf16,
               std::vector<float>(64, 1.5f));
  auto bytes = f.bytes();
  auto file = gguf_file::parse(bytes, "f");
  BOOST_REQUIRE(file);
  auto m = read_model(std::make_shared<const gguf_file>(*std::move(file)));
  BOOST_REQUIRE(m);
  BOOST_TEST((*m)->w.output_norm == std::vector<float>(64, 1.5f));
}

BOOST_AUTO_TEST_CASE(norms_and_factors_are_finite) {
  check_refused(
      [](auto& f) {
        auto values = std::vector<float>(64, 1.f);
        values[63] = NAN;
        f.remove_tensor("blk.1.ffn_norm.weight");
        f.add_tensor("blk.1.ffn_norm.weight", {64}, dtype::f32, values);
      },
      "tensor blk.1.ffn_norm.weight has infinities or NaN");
  check_refused(
      [](auto& f) {
        f.add_tensor("rope_freqs.weight", {8}, dtype::f32,
                     std::vector<float>(8, 0.f));
      },
      "tensor rope_freqs.weight has factors that are not positive");
  check_refused(
      [](auto& f) {
        f.add_tensor("rope_freqs.weight", {16}, dtype::f32,
                     std::vector<float>(16, 1.f));
      },
      "tensor rope_freqs.weight has shape 16, expected 8");
}

BOOST_AUTO_TEST_CASE(what_each_architecture_needs) {
  auto refusal = [](const char* architecture, bool bias, bool norm) {
    auto o = tiny_model_options{};
    o.architecture = architecture;
    o.qkv_bias = bias;
    o.qk_norm = norm;
    return model_refusal(tiny_model_file(o)).message;
  };
  auto no_place = [](const std::string& name) {
    return "bad.gguf: tensor " + name
           + " has no place in this architecture as this build implements it";
  };
  BOOST_TEST(refusal("llama", false, false) == "");
  BOOST_TEST(refusal("llama", true, false) == "");
  BOOST_TEST(refusal("llama", false, true)
             == no_place("blk.0.attn_q_norm.weight"));
  BOOST_TEST(refusal("qwen2", true, false) == "");
  BOOST_TEST(refusal("qwen2", false, false)
             == "bad.gguf: tensor blk.0.attn_q.bias is missing, expected 64");
  BOOST_TEST(refusal("qwen2", true, true)
             == no_place("blk.0.attn_q_norm.weight"));
  BOOST_TEST(refusal("qwen3", false, true) == "");
  BOOST_TEST(refusal("qwen3", true, true) == no_place("blk.0.attn_q.bias"));
  BOOST_TEST(
      refusal("qwen3", false, false)
      == "bad.gguf: tensor blk.0.attn_q_norm.weight is missing, expected 16");
}

BOOST_AUTO_TEST_CASE(fused_tensors_have_all_rows) {
  auto o = tiny_model_options{};
  o.architecture = "phi3";
  BOOST_TEST(model_refusal(tiny_model_file(o)).message
             == "bad.gguf: tensor blk.0.attn_qkv.weight is missing, expected "
                "64 x 128");
  o.fused = true;
  BOOST_TEST(model_refusal(tiny_model_file(o)).message == "");
  auto f = tiny_model_file(o);
  f.at("blk.0.ffn_up.weight").shape = {64, 96};
  BOOST_TEST(model_refusal(f).message
             == "bad.gguf: tensor blk.0.ffn_up.weight has shape 64 x 96, "
                "expected 64 x 192");
  o.architecture = "llama";
  BOOST_TEST(model_refusal(tiny_model_file(o)).message
             == "bad.gguf: tensor blk.0.attn_q.weight is missing, expected "
                "64 x 64");
}

BOOST_AUTO_TEST_CASE(biases_come_together) {
  check_refused(
      [](auto& f) { f.add_zero_tensor("blk.0.attn_k.bias", {32}, dtype::f32); },
      "tensor blk.0.attn_q.bias is missing, expected 64");
}

BOOST_AUTO_TEST_CASE(tensors_that_would_be_ignored) {
  for (auto name : {"blk.0.attn_output.bias", "blk.7.attn_q.weight",
                    "output.bias", "blk.0.ffn_gate_inp.weight"})
    check_refused(
        [&](auto& f) { f.add_zero_tensor(name, {64}, dtype::f32); },
        std::string{"tensor "} + name
            + " has no place in this architecture as this build implements it",
        errc::unsupported);
  auto f = tiny_model_file();
  f.add_zero_tensor("hydra.0.weight", {64}, dtype::f32);
  f.add_zero_tensor("blk.0.attn_rot_embd.weight", {8}, dtype::f32);
  BOOST_TEST(model_refusal(f).message == "");
}

BOOST_AUTO_TEST_SUITE_END()
