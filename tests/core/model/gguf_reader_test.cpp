#include <boost/test/unit_test.hpp>

#include "core/base/random.hpp"
#include "core/model/gguf.hpp"
#include "core/model/model.hpp"
#include "tests/support/core/model_refusal.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

// As small as a whole model gets.
tiny_model_options least() {
  auto o = tiny_model_options{};
  o.type = dtype::q4_0;
  o.hidden = 32;
  o.layers = 1;
  o.heads = 2;
  o.kv_heads = 1;
  o.ffn = 32;
  return o;
}

// Two tensors of 64 bytes and one key.
gguf_writer plain() {
  auto f = gguf_writer{};
  f.put_u32("a.key", 7);
  f.add_zero_tensor("first", {16}, dtype::f32);
  f.add_zero_tensor("second", {4, 4}, dtype::f32);
  return f;
}

void check_refused(const gguf_writer& file, std::string_view reason,
                   errc code = errc::bad_file) {
  auto e = file_refusal(file);
  BOOST_TEST(to_string(e.code) == to_string(code));
  BOOST_TEST(e.message == "bad.gguf: " + std::string{reason});
}

byte_vector bytes_of(std::initializer_list<int> values) {
  auto out = byte_vector{};
  for (auto x : values)
    out.push_back(static_cast<std::byte>(x));
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(gguf_reader)

BOOST_AUTO_TEST_CASE(a_plain_file_is_read) {
  auto bytes = plain().bytes();
  auto file = gguf_file::parse(bytes, "plain");
  BOOST_REQUIRE(file);
  BOOST_TEST(file->version() == 3u);
  BOOST_TEST(file->metadata().size() == 1u);
  BOOST_TEST(file->tensors().size() == 2u);
  auto second = file->find_tensor("second");
  BOOST_REQUIRE(second);
  BOOST_TEST(second->shape_name() == "4 x 4");
  BOOST_TEST(second->data.size() == 64u);
  BOOST_TEST((second->data.data() + 64 == bytes.data() + bytes.size()));
  BOOST_TEST(file->header().size() % 32 == 0u);
  BOOST_TEST(!file->find_tensor("third"));
  BOOST_TEST(!file->find("b.key"));
}

BOOST_AUTO_TEST_CASE(version_2_is_read_and_others_are_not) {
  auto f = plain();
  f.version = 2;
  BOOST_TEST(!file_refusal(f));
  for (auto version : {0u, 1u, 4u, 0xffffffffu}) {
    f.version = version;
    check_refused(f,
                  "GGUF version " + std::to_string(version)
                      + "; this build reads 2 and 3",
                  errc::unsupported);
  }
  f.version = 3u << 24;
  check_refused(f, "big-endian file", errc::unsupported);
}

BOOST_AUTO_TEST_CASE(a_wrong_magic_is_shown) {
  auto f = plain();
  f.magic = "GG\nF";
  check_refused(f, "not a GGUF file: magic \"GG\\nF\"");
}

BOOST_AUTO_TEST_CASE(every_prefix_of_a_model_is_refused_in_one_line) {
  auto bytes = tiny_model_file(least()).bytes();
  BOOST_REQUIRE(!model_refusal(bytes));
  for (auto n = size_t{0}; n < bytes.size(); ++n) {
    auto e = model_refusal(std::span{bytes}.first(n));
    if (e.code != errc::bad_file || !one_line_about(e))
      BOOST_ERROR("prefix of " << n << " bytes: " << to_string(e));
  }
}

BOOST_AUTO_TEST_CASE(every_prefix_of_a_file_of_two_tensors_is_refused) {
  // With data of one block each, so that no prefix ends between tensors.
  auto bytes = plain().bytes();
  for (auto n = size_t{0}; n < bytes.size(); ++n) {
    auto own = byte_vector(bytes.begin(), bytes.begin() + ptrdiff_t(n));
    auto file = gguf_file::parse(own, "bad.gguf");
    BOOST_REQUIRE(!file);
    BOOST_TEST(one_line_about(file.failure()));
  }
}

BOOST_AUTO_TEST_CASE(mutated_bytes_never_crash_and_errors_are_one_line) {
  const auto bytes = tiny_model_file(least()).bytes();
  auto file = gguf_file::parse(bytes, "whole");
  BOOST_REQUIRE(file);
  auto header = file->header().size();
  auto refused = 0;
  for (auto i = 0u; i < 6000; ++i) {
    auto bad = bytes;
    // One byte, now and then some more, mostly in the header.
    for (auto j = 0u; j <= i % 8 / 7 * 3; ++j) {
      auto r = random_bits(42, i, j);
      auto most = i % 4 ? header : bytes.size();
      bad[(r >> 8) % most] = static_cast<std::byte>(r & 0xff);
    }
    if (auto e = model_refusal(bad)) {
      ++refused;
      if (!one_line_about(e))
        BOOST_ERROR("mutation " << i << ": " << to_string(e));
    }
  }
  // Most of the header is text of tokens, where any byte goes.
  BOOST_TEST(refused > 600);
}

BOOST_AUTO_TEST_CASE(flipped_bits_of_the_start_are_noticed) {
  auto bytes = tiny_model_file(least()).bytes();
  for (auto at = size_t{0}; at < 24; ++at)
    for (auto bit = 0; bit < 8; ++bit) {
      auto bad = bytes;
      bad[at] ^= static_cast<std::byte>(1 << bit);
      auto is_version_2 = at == 4 && bit == 0;
      if (!model_refusal(bad) && !is_version_2)
        BOOST_ERROR("bit " << bit << " of byte " << at << " went unnoticed");
    }
}

BOOST_AUTO_TEST_CASE(absurd_counts_are_refused_before_they_are_believed) {
  for (auto n : {uint64_t{1} << 20, uint64_t{1} << 40, ~uint64_t{0}}) {
    auto f = plain();
    f.tensor_count = n;
    check_refused(f, "tensor count " + std::to_string(n)
                         + " is more than the file can hold");
    f = plain();
    f.entry_count = n;
    check_refused(f, "metadata count " + std::to_string(n)
                         + " is more than the file can hold");
  }
}

BOOST_AUTO_TEST_CASE(absurd_strings_and_arrays_are_refused) {
  auto f = gguf_writer{};
  f.put_raw("a", 8, bytes_of({255, 255, 255, 255, 255, 255, 255, 255}));
  auto e = file_refusal(f);
  BOOST_TEST(one_line_about(e));
  BOOST_TEST(e.message.find("truncated in metadata key a: a string of "
                            "18446744073709551615 bytes")
             != std::string::npos);
  // 2^62 numbers of 4 bytes: their size is 0 in 64 bits.
  f.put_raw("a", 9, bytes_of({4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64}));
  e = file_refusal(f);
  BOOST_TEST(one_line_about(e));
  BOOST_TEST(e.message.find("an array of 4611686018427387904")
             != std::string::npos);
  f.put_raw("a", 9, bytes_of({9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}));
  check_refused(f, "metadata key a is an array of arrays", errc::unsupported);
  f.put_raw("a", 9, bytes_of({77, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}));
  check_refused(f, "metadata key a has elements of unknown type 77");
  f.put_raw("a", 13, {});
  check_refused(f, "metadata key a has unknown type 13");
  f.put_raw("a", 7, bytes_of({2}));
  check_refused(f, "metadata key a has a bool that is neither 0 nor 1");
}

BOOST_AUTO_TEST_CASE(names_are_unique_bounded_and_not_empty) {
  auto f = plain();
  f.entries.push_back(f.entries[0]);
  check_refused(f, "duplicate metadata key a.key");
  f = plain();
  f.at("second").name = "first";
  check_refused(f, "duplicate tensor first");
  f = plain();
  f.at("second").name = "";
  check_refused(f, "tensor 1 has an empty name");
  f = plain();
  f.at("second").name = std::string(65, 'x');
  check_refused(f, "tensor 1 has a name of 65 bytes");
  f = plain();
  f.entries[0].key = "";
  check_refused(f, "metadata key 0 is empty");
  f = plain();
  f.entries[0].key = std::string(65536, 'x');
  check_refused(f, "metadata key 0 is 65536 bytes long");
}

BOOST_AUTO_TEST_CASE(absurd_dimensions_are_refused) {
  auto f = plain();
  f.at("first").shape = {};
  check_refused(f, "tensor first has 0 dimensions, not 1 to 4");
  f.at("first").shape = {1, 1, 1, 1, 16};
  check_refused(f, "tensor first has 5 dimensions, not 1 to 4");
  f.at("first").shape = {16, 0};
  check_refused(f, "tensor first has a dimension of 0");
  f.at("first").shape = {uint64_t{1} << 32, uint64_t{1} << 32};
  check_refused(f, "tensor first has too many values");
  f.at("first").shape = {~uint64_t{0}};
  check_refused(f, "tensor first has too many values");
  f.at("first").shape = {uint64_t{1} << 62};
  check_refused(f, "tensor first extends beyond the end of the file");
  f.at("first").shape = {uint64_t{1} << 20, uint64_t{1} << 20, 4, 4};
  check_refused(f, "tensor first extends beyond the end of the file");
  f.at("first").shape = {33};
  check_refused(f, "tensor first extends beyond the end of the file");
}

BOOST_AUTO_TEST_CASE(absurd_offsets_are_refused) {
  auto f = plain();
  f.at("first").offset = 4;
  check_refused(f, "tensor first is at offset 4, which is not a multiple of "
                   "the alignment 32");
  f.at("first").offset = ~uint64_t{0} - 31;
  check_refused(f, "tensor first lies beyond the end of the file");
  f.at("first").offset = uint64_t{1} << 40;
  check_refused(f, "tensor first lies beyond the end of the file");
}

BOOST_AUTO_TEST_CASE(tensors_may_not_overlap) {
  auto f = plain();
  f.at("second").offset = 32;
  check_refused(f, "tensors first and second overlap");
  f.at("second").offset = 0;
  auto e = file_refusal(f);
  BOOST_TEST(e.message.ends_with(" overlap"));
  // Of unknown size: at the same place is still too near.
  f.at("first").type = 77;
  f.at("second").type = 77;
  e = file_refusal(f);
  BOOST_TEST(e.message.ends_with(" overlap"));
  // In another order than the table's.
  f = plain();
  f.at("first").offset = 64;
  f.at("second").offset = 0;
  BOOST_TEST(!file_refusal(f));
}

BOOST_AUTO_TEST_CASE(the_alignment_is_a_power_of_two) {
  for (auto alignment : {0u, 1u, 4u, 24u, 0xffffffffu}) {
    auto f = plain();
    f.put_u32("general.alignment", alignment);
    check_refused(f, "general.alignment is " + std::to_string(alignment)
                         + ", not a power of two of at least 8");
  }
  auto f = plain();
  f.put_string("general.alignment", "32");
  check_refused(f, "metadata key general.alignment has type string, expected "
                   "u32");
  f.alignment = 4096;
  f.put_u32("general.alignment", 4096);
  BOOST_TEST(!file_refusal(f));
  f.put_u32("general.alignment", 1u << 31);
  check_refused(f, "tensor first lies beyond the end of the file");
}

BOOST_AUTO_TEST_CASE(blocks_must_fill_a_row) {
  auto f = gguf_writer{};
  f.add_zero_tensor("t", {64}, dtype::q8_0);
  f.at("t").shape = {48};
  check_refused(f, "tensor t has rows of 48 values, not a multiple of 32 as "
                   "Q8_0 needs");
}

BOOST_AUTO_TEST_CASE(an_unknown_quantisation_is_left_to_who_needs_it) {
  auto f = plain();
  f.at("first").type = 4242;
  auto bytes = f.bytes();
  auto file = gguf_file::parse(bytes, "x");
  BOOST_REQUIRE(file);
  BOOST_TEST(file->find_tensor("first")->data.empty());
}

BOOST_AUTO_TEST_CASE(metadata_alone_is_a_file) {
  auto f = gguf_writer{};
  f.put_string("k", "v");
  auto bytes = f.bytes();
  bytes.resize(24 + 8 + 1 + 4 + 8 + 1); // no padding
  BOOST_TEST(gguf_file::parse(bytes, "x").ok());
}

BOOST_AUTO_TEST_CASE(hostile_names_are_escaped_and_cut) {
  auto f = plain();
  f.tensors[0].name = "a\n\x1b[31m";
  f.tensors[0].shape = {};
  check_refused(f, "tensor a\\n\\x1b[31m has 0 dimensions, not 1 to 4");
  f = gguf_writer{};
  f.put_raw(std::string(1000, '\n'), 99, {});
  auto e = file_refusal(f);
  BOOST_TEST(one_line_about(e));
  BOOST_TEST(e.message.size() < 300u);
}

BOOST_AUTO_TEST_SUITE_END()
