#include "core/model/safetensors.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/core/hf_writer.hpp"
#include "tests/support/core/model_refusal.hpp"
#include "tests/support/core/temp_dir.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr auto values = std::to_array({0.f, 1.f, 2.f, 3.f, 4.f, 5.f});

safetensors_writer two_tensors() {
  auto f = safetensors_writer{};
  f.add("a", {2, 3}, dtype::f32, values);
  f.add("b", {4}, dtype::bf16, std::span{values}.first(4));
  return f;
}

// The bytes are copied to a place of just their size, so that sanitizers see
// every read beyond it.
error refusal(const byte_vector& bytes) {
  auto own = byte_vector(bytes);
  auto f = safetensors_file::parse(own, "bad");
  return f ? error{} : f.failure();
}

error refusal_of_header(std::string header, size_t data = 0) {
  auto f = safetensors_writer{};
  f.header = std::move(header);
  f.tensors.push_back({"", "", {}, byte_vector(data)});
  return refusal(f.bytes());
}

void check_bad(const error& e, std::string_view reason) {
  BOOST_TEST(to_string(e.code) == "bad_file");
  BOOST_TEST(e.message == "bad: " + std::string{reason});
}

} // namespace

BOOST_AUTO_TEST_SUITE(safetensors)

BOOST_AUTO_TEST_CASE(what_was_written_is_read) {
  auto dir = temp_dir{};
  auto bytes = two_tensors().bytes();
  write_file(dir.file("x"), bytes);
  auto f = safetensors_file::open(dir.file("x"));
  BOOST_REQUIRE(f);
  BOOST_TEST(f->path() == dir.file("x"));
  BOOST_REQUIRE(f->tensors().size() == 2u);
  auto& a = f->tensors()[0];
  BOOST_TEST(a.name == "a");
  BOOST_TEST(a.type == "F32");
  BOOST_TEST(a.shape == (std::vector<uint64_t>{2, 3}));
  BOOST_TEST(a.shape_name() == "2 x 3");
  BOOST_TEST(a.values() == 6u);
  BOOST_REQUIRE(a.data.size() == sizeof(values));
  BOOST_TEST((std::memcmp(a.data.data(), values.data(), sizeof(values)) == 0));
  BOOST_TEST(a.data.data() == f->bytes().data() + a.offset);
  BOOST_TEST((as_dtype(a) == dtype::f32));
  auto& b = f->tensors()[1];
  BOOST_TEST(b.data.size() == 8u);
  BOOST_TEST(b.data.data() == a.data.data() + a.data.size());
  BOOST_TEST((as_dtype(b) == dtype::bf16));
  BOOST_REQUIRE(f->metadata().size() == 1u);
  BOOST_TEST(f->metadata()[0].second == "pt");
}

BOOST_AUTO_TEST_CASE(what_the_format_allows) {
  BOOST_TEST(!refusal_of_header("{}"));
  BOOST_TEST(!refusal_of_header("{}     "));
  // No values, one without dimensions, and the order of the text is free.
  auto f = safetensors_writer{};
  f.header = R"({"n": {"data_offsets": [4, 8], "dtype": "I32", "shape": []},
    "none": {"dtype": "F32", "shape": [0, 1152921504606846976],
             "data_offsets": [4, 4]},
    "m": {"dtype": "NEW", "shape": [3], "data_offsets": [0, 4]}})";
  f.tensors.push_back({"", "", {}, byte_vector(8)});
  auto bytes = f.bytes();
  auto read = safetensors_file::parse(bytes, "x");
  BOOST_REQUIRE(read);
  BOOST_TEST(read->tensors()[0].name == "m");
  BOOST_TEST(read->tensors()[2].name == "n");
  BOOST_TEST(read->tensors()[2].shape_name() == "1");
  for (auto& t : read->tensors())
    if (t.type != "F32")
      BOOST_TEST(!as_dtype(t).has_value());
}

BOOST_AUTO_TEST_CASE(a_file_cut_anywhere_is_refused) {
  auto bytes = two_tensors().bytes();
  for (auto n = size_t{0}; n < bytes.size(); ++n) {
    auto e = refusal({bytes.begin(), bytes.begin() + n});
    BOOST_TEST(to_string(e.code) == "bad_file");
    BOOST_TEST(one_line_about(e, "bad"));
  }
}

BOOST_AUTO_TEST_CASE(the_size_of_the_header) {
  auto f = two_tensors();
  f.header_size = 100'000'001;
  check_bad(refusal(f.bytes()),
            "not a safetensors file: a header of 100000001 bytes");
  f.header_size = UINT64_MAX;
  check_bad(refusal(f.bytes()),
            "not a safetensors file: a header of 18446744073709551615 bytes");
  f.header_size = f.bytes().size() - 7;
  check_bad(refusal(f.bytes()), "truncated in the header of "
                                    + std::to_string(*f.header_size)
                                    + " bytes");
  check_bad(refusal({}), "not a safetensors file: of 0 bytes");
}

BOOST_AUTO_TEST_CASE(headers_that_are_something_else) {
  check_bad(refusal_of_header("hello"), "the header is not JSON, at byte 1");
  check_bad(refusal_of_header("{} {}"), "the header is not JSON, at byte 4");
  check_bad(refusal_of_header("{\"\xff\": 1}"),
            "the header is not JSON, at byte 3");
  for (auto text : {"[]", "1", "null", "\"x\"", "-1", "1.5", "true"})
    check_bad(refusal_of_header(text), "the header is not a JSON object");
  check_bad(refusal_of_header(R"({"a": 1})"),
            "header field a is not an object");
  check_bad(refusal_of_header(R"({"a": [1]})"),
            "header field a is not an object");
  check_bad(refusal_of_header(R"({"__metadata__": {"k": 1}})"),
            "metadata k is not a text");
  check_bad(refusal_of_header(R"({"__metadata__": {"k": {}}})"),
            "metadata k is not a text");
  check_bad(refusal_of_header("{\"" + std::string(1025, 'x') + "\": {}}"),
            "a name of 1025 bytes");
  auto deep = std::string(1'000'000, '[');
  check_bad(refusal_of_header(deep), "the header is not a JSON object");
  check_bad(refusal_of_header("{\"a\": {\"shape\": " + deep),
            "tensor a has an unexpected value for shape");
}

BOOST_AUTO_TEST_CASE(tensors_that_are_something_else) {
  auto check = [](std::string_view body, std::string_view reason) {
    check_bad(refusal_of_header("{\"a\": {" + std::string{body} + "}}", 4),
              "tensor a " + std::string{reason});
  };
  check("", "lacks one of dtype, shape and data_offsets");
  check(R"("dtype": "F32", "shape": [1])",
        "lacks one of dtype, shape and data_offsets");
  check(R"("dtype": "F32", "dtype": "F32")", "has two fields dtype");
  check(R"("stride": [1])", "has an unknown field stride");
  check(R"("dtype": 1)", "has an unexpected value for dtype");
  check(R"("dtype": [])", "has an unexpected value for dtype");
  check(R"("shape": "1")", "has an unexpected value for shape");
  check(R"("shape": [-1])", "has an unexpected value for shape");
  check(R"("shape": [1.0])", "has an unexpected value for shape");
  check(R"("shape": [18446744073709551616])",
        "has an unexpected value for shape");
  check(R"("shape": [[1]])", "has an unexpected value for shape");
  check(R"("shape": [1,1,1,1,1,1,1,1,1])", "has an unexpected value for shape");
  check(R"("data_offsets": [0])", "has data_offsets that are not two numbers");
  check(R"("data_offsets": [0, 1, 2])",
        "has an unexpected value for data_offsets");
}

BOOST_AUTO_TEST_CASE(places_of_tensors) {
  auto check = [](std::string_view type, std::string_view shape,
                  std::string_view offsets, std::string_view reason) {
    auto header = "{\"a\": {\"dtype\": \"" + std::string{type}
                  + "\", \"shape\": " + std::string{shape}
                  + ", \"data_offsets\": " + std::string{offsets} + "}}";
    check_bad(refusal_of_header(header, 8), reason);
  };
  check("F32", "[2]", "[8, 0]", "tensor a ends before it begins");
  check("F32", "[2]", "[0, 9]", "tensor a extends beyond the end of the file");
  check("F32", "[2]", "[0, 18446744073709551615]",
        "tensor a extends beyond the end of the file");
  check("F32", "[1]", "[4, 8]",
        "tensor a begins 4 bytes after the one before it ends");
  check("F32", "[1]", "[0, 4]", "the last 4 bytes belong to no tensor");
  check("F32", "[3]", "[0, 8]", "tensor a has 8 bytes, not those of 3 F32");
  check("F16", "[2]", "[0, 8]", "tensor a has 8 bytes, not those of 2 F16");
  check("F32", "[4294967296, 4294967296, 4294967296]", "[0, 8]",
        "tensor a has too many values");
  check("F32", "[4611686018427387906]", "[0, 8]",
        "tensor a has too many values");
  auto overlap = std::string{
      R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
          "b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}})"};
  check_bad(refusal_of_header(overlap, 8), "tensor b overlaps another");
}

BOOST_AUTO_TEST_CASE(names_are_unique) {
  auto f = two_tensors();
  f.tensors[1].name = "a";
  check_bad(refusal(f.bytes()), "duplicate tensor a");
}

BOOST_AUTO_TEST_SUITE_END()
