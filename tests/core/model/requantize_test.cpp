#include "core/model/requantize.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/model/model.hpp"
#include "core/tensor/quant.hpp"
#include "tests/support/core/model_refusal.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

tiny_model_options wide() {
  auto o = tiny_model_options{};
  o.hidden = 256;
  o.heads = 16;
  o.ffn = 256;
  return o;
}

struct opened {
  explicit opened(const gguf_writer& f) : opened(f.bytes()) {}
  explicit opened(byte_vector b) : bytes(std::move(b)) {
    auto read = gguf_file::parse(bytes, "f");
    BOOST_REQUIRE_MESSAGE(read.ok(), (read ? "" : read.failure().message));
    file = std::make_shared<const gguf_file>(*std::move(read));
  }
  byte_vector bytes;
  std::shared_ptr<const gguf_file> file;
};

error failure_of(const gguf_file& file, const requantize_options& o) {
  auto plan = plan_requantize(file, o);
  if (!plan)
    return plan.failure();
  for (auto& t : plan->tensors)
    for (auto i = uint64_t{0}; i < pieces_of(t); ++i) {
      auto out = byte_vector(range_of_piece(t, i).bytes);
      if (auto ok = requantize_piece(file, t, i, out); !ok)
        return ok.failure();
    }
  return {};
}

opened converted(const gguf_file& file, const requantize_options& o) {
  auto plan = plan_requantize(file, o);
  BOOST_REQUIRE_MESSAGE(plan.ok(), (plan ? "" : plan.failure().message));
  auto bytes = plan->header;
  for (auto& t : plan->tensors) {
    BOOST_REQUIRE(t.offset >= bytes.size());
    bytes.resize(static_cast<size_t>(t.offset));
    for (auto i = uint64_t{0}; i < pieces_of(t); ++i) {
      auto range = range_of_piece(t, i);
      BOOST_REQUIRE(bytes.size() == t.offset + range.offset);
      bytes.resize(bytes.size() + range.bytes);
      auto out = std::span{bytes}.last(range.bytes);
      BOOST_REQUIRE(requantize_piece(file, t, i, out).ok());
    }
    BOOST_REQUIRE(bytes.size() == t.offset + t.bytes);
  }
  BOOST_TEST(bytes.size() == plan->bytes);
  return opened{std::move(bytes)};
}

std::vector<float> values_of(const gguf_file& file, std::string_view name) {
  auto& t = *file.find_tensor(name);
  auto out = std::vector<float>(t.values());
  dequantize_row(*as_dtype(t.type), t.data.data(),
                 static_cast<uint32_t>(out.size()), out.data());
  return out;
}

dtype type_of(const opened& f, std::string_view name) {
  return *as_dtype(f.file->find_tensor(name)->type);
}

} // namespace

BOOST_AUTO_TEST_SUITE(model_requantize)

BOOST_AUTO_TEST_CASE(the_new_file_is_a_model_of_the_wanted_type) {
  auto from = opened{tiny_model_file(wide())};
  for (auto t : {dtype::f32, dtype::f16, dtype::bf16, dtype::q4_0, dtype::q4_1,
                 dtype::q5_0, dtype::q5_1, dtype::q8_0, dtype::q4_k,
                 dtype::q5_k, dtype::q6_k}) {
    auto to = converted(*from.file, {t});
    auto m = read_model(to.file);
    BOOST_REQUIRE_MESSAGE(m.ok(), (m ? "" : m.failure().message));
    BOOST_TEST((type_of(to, "blk.1.ffn_down.weight") == t));
    BOOST_TEST((type_of(to, "blk.1.ffn_norm.weight") == dtype::f32));
    auto small = block_values(t) > 1 && t != dtype::q8_0;
    BOOST_TEST((type_of(to, "output.weight") == (small ? dtype::q6_k : t)));
    BOOST_TEST((type_of(to, "token_embd.weight") == t));
    // Each matrix is what encoding its rows gives.
    auto& old = *from.file->find_tensor("blk.1.ffn_down.weight");
    auto& got = *to.file->find_tensor("blk.1.ffn_down.weight");
    auto row = matrix_view{t, 1, 256, nullptr}.row_bytes();
    auto want = byte_vector(256 * row);
    for (auto r = size_t{0}; r < 256; ++r)
      quantize_row(t, reinterpret_cast<const float*>(old.data.data()) + r * 256,
                   256, want.data() + r * row);
    BOOST_REQUIRE(got.data.size() == want.size());
    BOOST_TEST(std::memcmp(got.data.data(), want.data(), want.size()) == 0);
  }
}

BOOST_AUTO_TEST_CASE(metadata_stays_but_for_what_says_the_type) {
  auto f = tiny_model_file(wide());
  f.put_u32("general.file_type", 1);
  f.put_u64("custom.number", 1ull << 40);
  f.put_f64("custom.float", 0.1);
  auto from = opened{f};
  auto to = converted(*from.file, {dtype::q4_k});
  for (auto& e : from.file->metadata()) {
    if (e.key == "general.file_type")
      continue;
    auto same = to.file->find(e.key);
    BOOST_REQUIRE(same != nullptr);
    BOOST_TEST((same->type == e.type && same->element == e.element));
    BOOST_TEST(std::equal(same->bytes.begin(), same->bytes.end(),
                          e.bytes.begin(), e.bytes.end()));
  }
  BOOST_TEST(**to.file->get_u32("general.file_type") == 14u);
  BOOST_TEST(**to.file->get_u32("general.quantization_version") == 2u);
  BOOST_TEST(to.file->metadata().size() == from.file->metadata().size() + 1);
  // And back: what says the version of the quantisation goes.
  auto back = converted(*to.file, {dtype::f16});
  BOOST_TEST(**back.file->get_u32("general.file_type") == 1u);
  BOOST_TEST(back.file->find("general.quantization_version") == nullptr);
}

BOOST_AUTO_TEST_CASE(the_alignment_stays) {
  auto f = tiny_model_file(wide());
  f.put_u32("general.alignment", 256);
  f.alignment = 256;
  auto from = opened{f};
  auto to = converted(*from.file, {dtype::q6_k});
  BOOST_TEST(to.file->alignment() == 256u);
  BOOST_TEST(read_model(to.file).ok());
}

BOOST_AUTO_TEST_CASE(the_same_type_is_copied) {
  auto o = wide();
  o.type = dtype::q4_k;
  auto from = opened{tiny_model_file(o)};
  auto to = converted(*from.file, {dtype::q4_k, true});
  for (auto& t : from.file->tensors()) {
    auto& same = *to.file->find_tensor(t.name);
    BOOST_TEST(same.type == t.type);
    BOOST_TEST(std::equal(same.data.begin(), same.data.end(), t.data.begin(),
                          t.data.end()));
  }
}

BOOST_AUTO_TEST_CASE(f32_holds_what_any_encoding_says) {
  auto o = wide();
  o.type = dtype::q5_k;
  auto from = opened{tiny_model_file(o)};
  auto to = converted(*from.file, {dtype::f32});
  for (auto& t : from.file->tensors())
    BOOST_TEST((values_of(*to.file, t.name) == values_of(*from.file, t.name)));
}

BOOST_AUTO_TEST_CASE(the_output_matrix_and_tied_embeddings) {
  auto o = wide();
  o.tied = true;
  auto from = opened{tiny_model_file(o)};
  auto to = converted(*from.file, {dtype::q4_0});
  BOOST_TEST((type_of(to, "token_embd.weight") == dtype::q6_k));
  to = converted(*from.file, {dtype::q4_0, true});
  BOOST_TEST((type_of(to, "token_embd.weight") == dtype::q4_0));
}

BOOST_AUTO_TEST_CASE(rows_that_are_not_whole_blocks) {
  auto o = tiny_model_options{}; // widths of 64 and 96
  auto from = opened{tiny_model_file(o)};
  auto becomes = [&](dtype t, dtype want) {
    auto to = converted(*from.file, {t, true});
    BOOST_TEST((type_of(to, "blk.0.ffn_down.weight") == want));
    BOOST_TEST(read_model(to.file).ok());
  };
  becomes(dtype::q4_k, dtype::q5_0);
  becomes(dtype::q5_k, dtype::q5_1);
  becomes(dtype::q6_k, dtype::q8_0);
  becomes(dtype::q4_0, dtype::q4_0);
  o.ffn = 80;
  from = opened{tiny_model_file(o)};
  becomes(dtype::q4_k, dtype::f16);
  becomes(dtype::q8_0, dtype::f16);
}

BOOST_AUTO_TEST_CASE(a_large_tensor_comes_in_pieces) {
  auto f = gguf_writer{};
  auto values = std::vector<float>(3 * requantize_piece_values / 2);
  for (auto i = size_t{0}; i < values.size(); ++i)
    values[i] = static_cast<float>(i % 1000) / 1000;
  f.add_tensor("a", {512, values.size() / 512}, dtype::f32, values);
  auto from = opened{f};
  auto plan = plan_requantize(*from.file, {dtype::q8_0});
  BOOST_REQUIRE(plan);
  BOOST_TEST(pieces_of(plan->tensors[0]) == 2u);
  auto to = converted(*from.file, {dtype::q8_0});
  auto got = values_of(*to.file, "a");
  for (auto i = size_t{0}; i < values.size(); ++i)
    BOOST_REQUIRE(std::fabs(got[i] - values[i]) <= 0.005f);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_encoded_is_refused) {
  auto with = [](float x) {
    auto f = gguf_writer{};
    auto values = std::vector<float>(512, 1.f);
    values[300] = x;
    f.add_tensor("a", {256, 2}, dtype::f32, values);
    return opened{f};
  };
  auto infinite = with(-std::numeric_limits<float>::infinity());
  auto e = failure_of(*infinite.file, {dtype::bf16});
  BOOST_TEST(to_string(e) == "bad_file: f: tensor a has infinities or NaN");
  auto large = with(70000.f);
  e = failure_of(*large.file, {dtype::q4_k});
  BOOST_TEST(to_string(e)
             == "unsupported: f: tensor a has values beyond the range of "
                "float16, to which q4_k is limited");
  BOOST_TEST(!failure_of(*large.file, {dtype::bf16}));
  auto f = gguf_writer{};
  f.add_tensor("a", {256, 2}, dtype::f32, std::vector<float>(512));
  f.at("a").type = 10;
  auto foreign = opened{f};
  e = failure_of(*foreign.file, {dtype::q4_k});
  BOOST_TEST(to_string(e)
             == "unsupported: f: tensor a has type 10 (Q2_K), which this build "
                "cannot decode");
}

BOOST_AUTO_TEST_SUITE_END()
