#include "runtime/topology.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/core/temp_dir.hpp"
#include "tests/support/process.hpp"

using namespace troupe;

BOOST_AUTO_TEST_SUITE(topology_suite)

BOOST_AUTO_TEST_CASE(a_shape_is_prefill_by_decode) {
  auto t = read_topology("2x3");
  BOOST_REQUIRE(t.ok());
  BOOST_TEST(t->prefill.size() == 2u);
  BOOST_TEST(t->decode.size() == 3u);
}

BOOST_AUTO_TEST_CASE(a_number_is_of_mixed_nodes) {
  auto t = read_topology("3");
  BOOST_REQUIRE(t.ok());
  BOOST_TEST(t->mixed.size() == 3u);
  BOOST_TEST(t->prefill.empty());
  BOOST_TEST(t->decode.empty());
}

BOOST_AUTO_TEST_CASE(a_shape_without_nodes_or_with_too_many_is_refused) {
  for (auto* text : {"0x1", "1x0", "65x1", "1x65", "0", "65"}) {
    auto t = read_topology(text);
    BOOST_REQUIRE_MESSAGE(!t.ok(), text);
    BOOST_TEST(t.failure().message.find(text) != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_shape_is_a_file) {
  for (auto* text : {"2x", "x2", "2x3x4", "2 x 3", "-1x2", "/no/such", "", "-1",
                     "99999999999"}) {
    auto t = read_topology(text);
    BOOST_REQUIRE_MESSAGE(!t.ok(), text);
    BOOST_TEST(to_string(t.failure().code) == "io_error");
  }
}

BOOST_AUTO_TEST_CASE(a_file_gives_numbers_or_lists) {
  auto dir = testing::temp_dir{};
  testing::write_file(
      dir.file("t.json"),
      R"({"prefill":2,"decode":[{"threads":3,"blocks":9,"cache":0},{}]})");
  auto t = read_topology(dir.file("t.json"));
  BOOST_REQUIRE(t.ok());
  BOOST_TEST(t->prefill.size() == 2u);
  BOOST_TEST(t->decode.size() == 2u);
  BOOST_TEST(t->decode[0].threads == 3u);
  BOOST_TEST(t->decode[0].blocks == 9u);
  BOOST_TEST((t->decode[0].cache == 0u));
  BOOST_TEST(t->decode[1].threads == 0u);
  BOOST_TEST(!t->decode[1].cache.has_value());
  BOOST_TEST(t->mixed.empty());
}

BOOST_AUTO_TEST_CASE(a_role_left_out_has_one_node) {
  auto t = parse_topology("{}", "x");
  BOOST_REQUIRE(t.ok());
  BOOST_TEST(t->prefill.size() == 1u);
  BOOST_TEST(t->decode.size() == 1u);
}

BOOST_AUTO_TEST_CASE(mixed_nodes_need_no_others) {
  auto t = parse_topology(R"({"mixed":2})", "x");
  BOOST_REQUIRE(t.ok());
  BOOST_TEST(t->mixed.size() == 2u);
  BOOST_TEST(t->prefill.empty());
  BOOST_TEST(t->decode.empty());
  t = parse_topology(R"({"mixed":2,"decode":3})", "x");
  BOOST_REQUIRE(t.ok());
  BOOST_TEST(t->mixed.size() == 2u);
  BOOST_TEST(t->prefill.size() == 1u);
  BOOST_TEST(t->decode.size() == 3u);
}

BOOST_AUTO_TEST_CASE(a_store_is_in_memory_in_a_file_too_or_nowhere) {
  auto t = parse_topology(R"({"mixed":1})", "x");
  BOOST_REQUIRE(t.ok());
  BOOST_REQUIRE(t->store.has_value());
  BOOST_TEST(t->store->directory.empty());
  t = parse_topology(
      R"({"store":{"blocks":5,"directory":"/var/tmp","file_blocks":70}})", "x");
  BOOST_REQUIRE(t.ok());
  BOOST_TEST(t->store->blocks == 5u);
  BOOST_TEST(t->store->directory == "/var/tmp");
  BOOST_TEST(t->store->file_blocks == 70u);
  t = parse_topology(R"({"store":false})", "x");
  BOOST_REQUIRE(t.ok());
  BOOST_TEST(!t->store.has_value());
}

BOOST_AUTO_TEST_CASE(each_mistake_is_named) {
  struct {
    const char* text;
    const char* named;
  } cases[] = {
      {"{", "not JSON"},
      {"[]", "expected an object"},
      {R"({"decoder":1})", "decoder"},
      {R"({"decode":0})", "from 1 to 64"},
      {R"({"decode":65})", "from 1 to 64"},
      {R"({"decode":-1})", "from 1 to 64"},
      {R"({"decode":1.5})", "from 1 to 64"},
      {R"({"decode":"1"})", "from 1 to 64"},
      {R"({"decode":[]})", "from 1 to 64"},
      {R"({"decode":[1]})", "\"decode\"[0] must be an object"},
      {R"({"decode":[{},{"thread":1}]})", "\"decode\"[1] has an unknown key"},
      {R"({"decode":[{"threads":0}]})", "threads must be a number from 1"},
      {R"({"decode":[{"threads":1e3}]})", "threads must be a number from 1"},
      {R"({"mixed":0})", "from 1 to 64"},
      {R"({"store":true})", "\"store\" must be an object, or false"},
      {R"({"store":{"blocks":0}})", "\"store\".blocks must be a number"},
      {R"({"store":{"directory":7}})", "directory must be a path"},
      {R"({"store":{"directory":"/tmp"}})", "needs \"file_blocks\""},
      {R"({"store":{"file_blocks":7}})", "needs \"file_blocks\""},
      {R"({"store":{"size":7}})", "unknown key \"size\""},
      {R"({"mixed":[{"cache":-1}]})", "cache must be a number from 0"},
      {R"({"decode":[{"blocks":99999999999999999999}]})", "blocks must be"},
  };
  for (auto& c : cases) {
    auto t = parse_topology(c.text, "t.json");
    BOOST_REQUIRE_MESSAGE(!t.ok(), c.text);
    auto& m = t.failure().message;
    BOOST_TEST_INFO(c.text << " -> " << m);
    BOOST_TEST(m.starts_with("t.json: "));
    BOOST_TEST_INFO(c.text << " -> " << m);
    BOOST_TEST(m.find(c.named) != std::string::npos);
  }
}

BOOST_AUTO_TEST_SUITE_END()
