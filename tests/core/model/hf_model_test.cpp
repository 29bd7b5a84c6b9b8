#include "core/model/hf_model.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <limits>

#include "tests/support/core/floats.hpp"
#include "tests/support/core/hf_writer.hpp"
#include "tests/support/core/logits.hpp"
#include "tests/support/core/model_refusal.hpp"
#include "tests/support/core/temp_dir.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

result<std::shared_ptr<const model>> load(const hf_model_files& f) {
  auto dir = temp_dir{};
  f.write(dir.path());
  return load_with_numbered_tokens(dir.path()); // the mapping lives on
}

std::shared_ptr<const model> loaded(const hf_model_files& f) {
  auto m = load(f);
  BOOST_REQUIRE_MESSAGE(m.ok(), (m.ok() ? "" : m.failure().message));
  return *m;
}

// The message without the directory, whose name is by chance.
std::string refusal(const hf_model_files& f) {
  auto m = load(f);
  if (m)
    return "";
  auto& text = m.failure().message;
  BOOST_TEST(one_line_about(m.failure(), text.substr(0, text.find(':'))));
  return text.substr(text.find_last_of('/', text.find(':')) + 1);
}

floats logits_of(const std::shared_ptr<const model>& m) {
  return testing::logits_of(
      m, std::to_array<token_id>({5, 250, 17, 99, 3, 3, 120}));
}

} // namespace

BOOST_AUTO_TEST_SUITE(hf_models)

// The same weights in both formats.
BOOST_AUTO_TEST_CASE(a_directory_computes_what_a_gguf_file_does) {
  for (auto type : {dtype::f32, dtype::f16, dtype::bf16}) {
    auto o = tiny_model_options{};
    o.type = type;
    auto same = [&] {
      return same_bits(logits_of(tiny_model(o)),
                       logits_of(loaded(tiny_hf_model(o))));
    };
    // The sums over a head have another order.
    auto a = logits_of(tiny_model(o));
    auto b = logits_of(loaded(tiny_hf_model(o)));
    BOOST_REQUIRE(a.size() == b.size());
    for (auto i = size_t{0}; i < a.size(); ++i)
      BOOST_REQUIRE_SMALL(a[i] - b[i], 1e-4f);
    o.architecture = "qwen2";
    o.qkv_bias = true;
    o.tied = true;
    BOOST_TEST(same());
    o.architecture = "qwen3";
    o.qkv_bias = false;
    o.qk_norm = true;
    o.head_dim = 32;
    BOOST_TEST(same());
    o.architecture = "phi3";
    o.qk_norm = false;
    o.fused = true;
    BOOST_TEST(same());
  }
}

BOOST_AUTO_TEST_CASE(weights_are_used_where_they_lie) {
  auto o = tiny_model_options{};
  o.type = dtype::bf16;
  auto m = loaded(tiny_hf_model(o));
  auto& dir = dynamic_cast<const hf_directory&>(*m->file);
  auto& q = m->w.layers[1].wq;
  BOOST_TEST((q.type == dtype::bf16));
  BOOST_TEST(q.data
             == dir.find("model.layers.1.self_attn.q_proj.weight")
                    ->tensor->data.data());
  BOOST_TEST(m->params.name == std::filesystem::path{dir.path()}.filename());
  BOOST_TEST(m->vocab.tokens.size() == tiny_vocab_size);
}

BOOST_AUTO_TEST_CASE(what_a_tied_model_has) {
  auto o = tiny_model_options{};
  o.tied = true;
  auto f = tiny_hf_model(o);
  auto m = loaded(f);
  BOOST_TEST(m->w.output.data == m->w.embedding.data);
  auto copy = f.weights.at("model.embed_tokens.weight");
  copy.name = "lm_head.weight";
  f.weights.tensors.push_back(copy);
  m = loaded(f);
  BOOST_TEST(m->w.output.data == m->w.embedding.data);
  f.weights.remove("lm_head.weight");
  f.put("tie_word_embeddings", "false");
  BOOST_TEST(refusal(f).ends_with(
      ": tensor lm_head.weight is missing, expected 300 x 64"));
}

BOOST_AUTO_TEST_CASE(the_bias_of_the_output_must_do_nothing) {
  auto o = tiny_model_options{};
  o.qkv_bias = true;
  auto f = tiny_hf_model(o);
  loaded(f);
  auto zeros = std::vector<float>(64);
  f.weights.add("model.layers.0.self_attn.o_proj.bias", {64}, dtype::f32,
                zeros);
  loaded(f);
  f.weights.remove("model.layers.0.self_attn.o_proj.bias");
  zeros[63] = 1;
  f.weights.add("model.layers.0.self_attn.o_proj.bias", {64}, dtype::f32,
                zeros);
  BOOST_TEST(
      refusal(f)
      == "model.safetensors: tensor model.layers.0.self_attn.o_proj.bias "
         "is not all zeros, which this build does not implement");
}

BOOST_AUTO_TEST_CASE(tensors_that_do_not_fit) {
  constexpr auto name = "model.layers.1.mlp.up_proj.weight";
  auto f = tiny_hf_model();
  f.weights.remove(name);
  BOOST_TEST(refusal(f).ends_with(": tensor " + std::string{name}
                                  + " is missing, expected 96 x 64"));
  f = tiny_hf_model();
  std::swap(f.weights.at(name).shape[0], f.weights.at(name).shape[1]);
  BOOST_TEST(refusal(f)
             == "model.safetensors: tensor " + std::string{name}
                    + " has shape 64 x 96, expected 96 x 64");
  f = tiny_hf_model();
  f.weights.at(name).type = "I32";
  BOOST_TEST(refusal(f)
             == "model.safetensors: tensor " + std::string{name}
                    + " has type I32, expected F32, F16 or BF16");
  f = tiny_hf_model();
  auto nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(f.weights.at("model.norm.weight").data.data(), &nan, 4);
  BOOST_TEST(refusal(f)
             == "model.safetensors: tensor model.norm.weight has infinities or "
                "NaN");
}

BOOST_AUTO_TEST_CASE(tensors_that_nothing_asked_for) {
  auto one = std::vector<float>(1);
  auto check = [&](std::string_view name) {
    auto f = tiny_hf_model();
    f.weights.add(name, {1}, dtype::f32, one);
    return refusal(f);
  };
  for (auto own : {"model.layers.0.mlp.down_proj.bias", "lm_head.bias",
                   "model.layers.2.input_layernorm.weight", "model.x"})
    BOOST_TEST(check(own)
               == "model.safetensors: tensor " + std::string{own}
                      + " has no place in this architecture as this build "
                        "implements it");
  BOOST_TEST(check("model.layers.0.self_attn.rotary_emb.inv_freq") == "");
  BOOST_TEST(check("score.weight") == "");
}

BOOST_AUTO_TEST_CASE(the_vocabulary_has_a_token_for_each_row) {
  auto dir = temp_dir{};
  tiny_hf_model().write(dir.path());
  auto d = hf_directory::open(dir.path());
  BOOST_REQUIRE(d);
  auto m = read_hf_model(std::make_shared<const hf_directory>(*std::move(d)),
                         numbered_tokens(299));
  BOOST_REQUIRE(!m);
  BOOST_TEST(m.failure().message
             == dir.file("config.json")
                    + ": vocab_size is 300, but there are 299 tokens");
}

BOOST_AUTO_TEST_CASE(the_digest_tells_directories_apart) {
  auto f = tiny_hf_model();
  auto first = loaded(f)->digest;
  BOOST_TEST(first.size() == 32u);
  BOOST_TEST(loaded(f)->digest == first);
  f.weights.at("model.norm.weight").data[1] ^= std::byte{1};
  BOOST_TEST(loaded(f)->digest != first);
  f = tiny_hf_model();
  f.put("nothing", "0");
  BOOST_TEST(loaded(f)->digest != first);
  auto dir = temp_dir{};
  tiny_hf_model().write(dir.path());
  auto d = hf_directory::open(dir.path());
  BOOST_REQUIRE(d);
  auto vocab = numbered_tokens(300);
  vocab.tokens[7] = "seven";
  auto m =
      read_hf_model(std::make_shared<const hf_directory>(*std::move(d)), vocab);
  BOOST_REQUIRE(m);
  BOOST_TEST((*m)->digest != first);
}

BOOST_AUTO_TEST_SUITE_END()
