#include "core/model/model.hpp"

#include <filesystem>

#include <boost/test/unit_test.hpp>

#include "core/model/gguf.hpp"
#include "core/tensor/quant.hpp"
#include "tests/support/core/model_refusal.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::testing;

BOOST_AUTO_TEST_SUITE(model_file)

BOOST_AUTO_TEST_CASE(a_tiny_model_loads_and_outlives_its_file) {
  auto m = tiny_model();
  BOOST_TEST(m->params.architecture == "llama");
  BOOST_TEST(m->params.vocab == tiny_vocab_size);
  BOOST_TEST(m->params.context == 256u);
  BOOST_TEST(m->params.hidden == 64u);
  BOOST_TEST(m->params.heads == 4u);
  BOOST_TEST(m->params.kv_heads == 2u);
  BOOST_TEST(m->params.head_dim == 16u);
  BOOST_TEST(m->params.rope_dim == 16u);
  BOOST_TEST((m->params.pairing == rope_pairing::adjacent));
  BOOST_REQUIRE(m->w.layers.size() == 2u);
  BOOST_TEST(m->vocab.tokens[tiny_im_end] == "<|im_end|>");
  BOOST_TEST(m->vocab.tokens[3] == "!");
  BOOST_TEST(m->vocab.eos == tiny_im_end);
  BOOST_TEST(!std::filesystem::exists(m->file->path()));
  auto& down = m->w.layers[1].down;
  BOOST_TEST(down.rows == 64u);
  BOOST_TEST(down.cols == 96u);
  auto row = std::vector<float>(96);
  dequantize_row(down.type, down.row(63), 96, row.data());
  auto written = tiny_model_file().at("blk.1.ffn_down.weight").data;
  BOOST_TEST(
      (std::memcmp(row.data(), written.data() + 63 * 96 * 4, 96 * 4) == 0));
}

BOOST_AUTO_TEST_CASE(every_dtype_loads) {
  for (auto type :
       {dtype::f32, dtype::f16, dtype::bf16, dtype::q8_0, dtype::q4_0}) {
    auto o = tiny_model_options{};
    o.type = type;
    auto m = tiny_model(o);
    BOOST_TEST((m->w.layers[0].wq.type == type));
    BOOST_TEST(m->w.layers[0].wq.row(31)
               == m->w.layers[0].wq.data + 31 * m->w.layers[0].wq.row_bytes());
  }
}

BOOST_AUTO_TEST_CASE(what_models_may_have_or_lack) {
  auto o = tiny_model_options{};
  o.tied = true;
  o.qkv_bias = true;
  o.rope_factors = true;
  o.head_dim = 24; // 4 heads of it are not the width
  auto m = tiny_model(o);
  BOOST_TEST(m->w.output.data == m->w.embedding.data);
  BOOST_TEST(m->w.layers[0].bq.size() == 96u);
  BOOST_TEST(m->w.layers[0].bk.size() == 48u);
  BOOST_TEST(m->w.rope_factors.size() == 12u);
  BOOST_TEST(m->w.layers[0].wo.cols == 96u);
  auto plain = tiny_model();
  BOOST_TEST(plain->w.output.data != plain->w.embedding.data);
  BOOST_TEST(plain->w.layers[0].bq.empty());
  BOOST_TEST(plain->w.rope_factors.empty());
}

BOOST_AUTO_TEST_CASE(the_digest_tells_files_apart) {
  auto o = tiny_model_options{};
  auto one = tiny_model(o);
  BOOST_TEST(one->digest.size() == 32u);
  BOOST_TEST(one->digest.find_first_not_of("0123456789abcdef")
             == std::string::npos);
  BOOST_TEST(tiny_model(o)->digest == one->digest);
  o.seed = 2;
  BOOST_TEST(tiny_model(o)->digest != one->digest);
  // A value of a norm, and a key that nothing reads.
  auto digest_of = [](const gguf_writer& f) {
    auto dir = temp_dir{};
    f.write(dir.file("m"));
    auto m = load_model(dir.file("m"));
    BOOST_REQUIRE(m);
    return (*m)->digest;
  };
  auto f = tiny_model_file();
  BOOST_TEST(digest_of(f) == one->digest);
  f.at("output_norm.weight").data[1] ^= std::byte{1};
  BOOST_TEST(digest_of(f) != one->digest);
  f = tiny_model_file();
  f.put_string("general.name", "tinY");
  BOOST_TEST(digest_of(f) != one->digest);
}

BOOST_AUTO_TEST_CASE(errors_of_files_name_their_path) {
  auto dir = temp_dir{};
  auto bytes = tiny_model_file().bytes();
  auto path = dir.file("cut.gguf");
  for (auto n : {1ul, 4ul, 24ul, 5000ul, bytes.size() - 1}) {
    write_file(path, std::span{bytes}.first(n));
    auto m = load_model(path);
    BOOST_REQUIRE(!m);
    BOOST_TEST(to_string(m.failure().code) == "bad_file");
    BOOST_TEST(one_line_about(m.failure(), path));
  }
}

BOOST_AUTO_TEST_CASE(a_large_file_is_not_read) {
  // A model of 4 GB, all holes: only a mapping can load it.
  auto f = tiny_model_file();
  auto& extra = f.tensors.emplace_back();
  extra = f.at("output.weight");
  extra.name = "a_head_of_somebody_else";
  extra.data.clear();
  extra.shape = {1u << 15, 1u << 15};
  extra.zeros = uint64_t{1} << 32;
  auto dir = temp_dir{};
  f.write(dir.file("large"));
  auto m = load_model(dir.file("large"));
  BOOST_REQUIRE(m);
  auto& file = dynamic_cast<const gguf_file&>(*(*m)->file);
  BOOST_TEST(file.bytes().size() > uint64_t{1} << 32);
}

BOOST_AUTO_TEST_SUITE_END()
