#include "core/text/bounded_json.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;

namespace {

void refuse(std::string_view text, errc code, std::string_view message,
            const json_bounds& bounds = {}) {
  auto parsed = parse_object(text, "x.json", bounds);
  BOOST_TEST_CONTEXT(message) {
    BOOST_REQUIRE(!parsed.ok());
    BOOST_TEST((parsed.failure().code == code));
    BOOST_TEST(parsed.failure().message == message);
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(text_bounded_json)

BOOST_AUTO_TEST_CASE(the_last_of_equal_keys_counts) {
  auto parsed = parse_object(R"({"a": 1, "a": [2]})", "x.json");
  BOOST_REQUIRE(parsed.ok());
  BOOST_TEST(member(*parsed, "a") == nlohmann::json({2}));
}

BOOST_AUTO_TEST_CASE(what_is_no_object_is_refused) {
  auto bad = errc::bad_file;
  for (auto text : {"[]", "1", "\"a\"", "null", "true"})
    refuse(text, bad, "x.json: is not a JSON object");
  refuse("", bad, "x.json: is not JSON, at byte 1");
  refuse("{\"a\": 1", bad, "x.json: is not JSON, at byte 8");
  refuse("{\"a\": 1}}", bad, "x.json: is not JSON, at byte 9");
  refuse("{\"a\": 1e999}", bad, "x.json: is not JSON, at byte 11");
  refuse("{\"a\": \"\xFF\"}", bad, "x.json: is not JSON, at byte 8");
}

BOOST_AUTO_TEST_CASE(what_is_beyond_the_bounds_is_refused) {
  auto no = errc::unsupported;
  auto nested = [](size_t n) {
    return "{\"a\":" + std::string(n - 1, '[') + std::string(n - 1, ']') + "}";
  };
  BOOST_TEST(parse_object(nested(64), "x.json").ok());
  refuse(nested(65), no, "x.json: is nested more than 64 deep");
  refuse(std::string(1 << 20, '['), no, "x.json: is nested more than 64 deep");
  refuse("{\"a\": {}}", no, "x.json: is nested more than 1 deep", {.depth = 1});
  // Two objects, two keys and a number.
  auto text = std::string{R"({"a": {"b": 1}})"};
  BOOST_TEST(parse_object(text, "x.json", {.values = 5}).ok());
  refuse(text, no, "x.json: has more than 4 values", {.values = 4});
  BOOST_TEST(parse_object(text, "x.json", {.bytes = 15}).ok());
  refuse(text, no, "x.json: has 15 bytes, more than 14", {.bytes = 14});
}

BOOST_AUTO_TEST_CASE(members_of_the_wrong_type_count_as_absent) {
  auto parsed = parse_object(
      R"({"text": "t", "flag": true, "n": 7, "big": 18446744073709551616,
          "huge": 18446744073709551615, "minus": -1, "half": 0.5})",
      "x.json");
  BOOST_REQUIRE(parsed.ok());
  BOOST_TEST(string_of(*parsed, "text") == "t");
  BOOST_TEST(string_of(*parsed, "flag", "other") == "other");
  BOOST_TEST(string_of(*parsed, "none") == "");
  BOOST_TEST(flag_of(*parsed, "flag", false));
  BOOST_TEST(flag_of(*parsed, "n", true));
  BOOST_TEST(!flag_of(*parsed, "none", false));
  BOOST_TEST(member(member(*parsed, "text"), "text").is_null());
  auto integer = [&](const char* key, int64_t most) {
    return integer_of(member(*parsed, key), most);
  };
  BOOST_TEST(integer("n", 7) == 7);
  BOOST_TEST(integer("n", 6) == -1);
  for (auto key : {"big", "huge", "minus", "half", "text", "none"})
    BOOST_TEST(integer(key, INT64_MAX) == -1);
}

BOOST_AUTO_TEST_SUITE_END()
