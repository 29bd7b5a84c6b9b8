#include "core/model/gguf.hpp"

#include <cmath>
#include <limits>

#include <boost/test/unit_test.hpp>

#include "tests/support/core/gguf_writer.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

struct typed_file {
  typed_file() {
    f.put_u32("u32", 7);
    f.put_i32("i32", -7);
    f.put_u64("u64", uint64_t{1} << 40);
    f.put_u64("most", ~uint64_t{0});
    f.put_f32("f32", 0.1f);
    f.put_f64("f64", 1e300);
    f.put_bool("bool", true);
    f.put_string("string", "a\nb");
    f.put_strings("strings", std::vector<std::string>{"x", "", "yz"});
    f.put_ints("ints", std::vector<int32_t>{1, -2, 3, 4, 5, 6, 7});
    f.put_floats("floats", std::vector<float>{0.5f});
    f.put_strings("none", {});
    bytes = f.bytes();
    auto read = gguf_file::parse(bytes, "f");
    BOOST_REQUIRE(read);
    file.emplace(*std::move(read));
  }

  template <class T>
  std::string failure(const result<T>& r) {
    BOOST_REQUIRE(!r);
    return r.failure().message;
  }

  gguf_writer f;
  byte_vector bytes;
  std::optional<gguf_file> file;
};

} // namespace

BOOST_AUTO_TEST_SUITE(gguf)

BOOST_FIXTURE_TEST_CASE(values_come_back, typed_file) {
  BOOST_TEST(**file->get_u32("u32") == 7u);
  BOOST_TEST(**file->get_int("i32") == -7);
  BOOST_TEST(**file->get_int("u64") == int64_t{1} << 40);
  BOOST_TEST(**file->get_f32("f32") == 0.1f);
  BOOST_TEST(std::isinf(**file->get_f32("f64")));
  BOOST_TEST(**file->get_bool("bool"));
  BOOST_TEST(**file->get_string("string") == "a\nb");
  auto strings = **file->get_strings("strings");
  BOOST_TEST((strings == std::vector<std::string_view>{"x", "", "yz"}));
  BOOST_TEST((**file->get_ints("ints"))[1] == -2);
  BOOST_TEST((**file->get_floats("floats"))[0] == 0.5f);
  BOOST_TEST((**file->get_strings("none")).empty());
}

BOOST_FIXTURE_TEST_CASE(what_is_absent_is_no_error, typed_file) {
  BOOST_TEST(!file->get_u32("x")->has_value());
  BOOST_TEST(!file->get_strings("x")->has_value());
}

BOOST_FIXTURE_TEST_CASE(another_type_is_an_error_that_names_both, typed_file) {
  BOOST_TEST(failure(file->get_u32("f32"))
             == "f: metadata key f32 has type f32, expected u32");
  BOOST_TEST(failure(file->get_int("string"))
             == "f: metadata key string has type string, expected an integer");
  BOOST_TEST(failure(file->get_f32("u32"))
             == "f: metadata key u32 has type u32, expected f32");
  BOOST_TEST(failure(file->get_bool("u32"))
             == "f: metadata key u32 has type u32, expected bool");
  BOOST_TEST(failure(file->get_string("strings"))
             == "f: metadata key strings has type array of string, expected "
                "string");
  BOOST_TEST(failure(file->get_strings("string"))
             == "f: metadata key string has type string, expected array of "
                "string");
  BOOST_TEST(failure(file->get_floats("ints"))
             == "f: metadata key ints has type array of i32, expected array "
                "of f32");
  BOOST_TEST(failure(file->get_ints("floats"))
             == "f: metadata key floats has type array of f32, expected array "
                "of i32");
}

BOOST_FIXTURE_TEST_CASE(numbers_that_do_not_fit, typed_file) {
  BOOST_TEST(failure(file->get_u32("i32"))
             == "f: metadata key i32 is -7, out of the range of u32");
  BOOST_TEST(failure(file->get_u32("u64"))
             == "f: metadata key u64 is 1099511627776, out of the range of "
                "u32");
  BOOST_TEST(failure(file->get_int("most"))
             == "f: metadata key most is 18446744073709551615, out of the "
                "range of i64");
}

BOOST_FIXTURE_TEST_CASE(values_on_one_line, typed_file) {
  BOOST_TEST(file->find("string")->render() == "\"a\\nb\"");
  BOOST_TEST(file->find("bool")->render() == "true");
  BOOST_TEST(file->find("f32")->render() == "0.1");
  BOOST_TEST(file->find("ints")->render() == "[1, -2, 3, 4, 5, 6, ...] (7)");
  BOOST_TEST(file->find("strings")->render() == "[\"x\", \"\", \"yz\"] (3)");
  BOOST_TEST(file->find("none")->render() == "[] (0)");
  BOOST_TEST(file->find("ints")->type_name() == "array of i32");
}

BOOST_AUTO_TEST_SUITE_END()
