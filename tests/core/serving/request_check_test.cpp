#include "core/serving/request_check.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;

namespace {

using ids = std::vector<token_id>;

constexpr auto bounds = request_bounds{100, 4, 2, 3};

void refused(const result<void>& r, errc code, const std::string& what) {
  BOOST_REQUIRE(!r);
  BOOST_TEST((r.failure().code == code), r.failure().message);
  BOOST_TEST(r.failure().message.find(what) != std::string::npos,
             r.failure().message);
}

} // namespace

BOOST_AUTO_TEST_SUITE(request_check)

BOOST_AUTO_TEST_CASE(a_prompt_leaves_room_unless_it_is_embedded) {
  BOOST_TEST(check_prompt(ids{1, 2, 99}, false, bounds).ok());
  BOOST_TEST(check_prompt(ids{1, 2, 3, 4}, true, bounds).ok());
  refused(check_prompt(ids{1, 2, 3, 4}, false, bounds), errc::context_exceeded,
          "holds 4, the answer included");
  refused(check_prompt(ids{1, 2, 3, 4, 5}, true, bounds),
          errc::context_exceeded, "has 5 tokens");
  refused(check_prompt(ids{}, true, bounds), errc::invalid_argument, "empty");
  for (auto bad : {-1, 100})
    refused(check_prompt(ids{1, bad}, false, bounds), errc::invalid_argument,
            "token 1 of the prompt is " + std::to_string(bad));
}

BOOST_AUTO_TEST_CASE(inputs_fit_each_and_together) {
  auto check = [](std::vector<ids> inputs) {
    return check_inputs(inputs, 3, 8, bounds);
  };
  BOOST_TEST(check({{1, 2, 3, 4}, {1}, {2}}).ok());
  refused(check({}), errc::invalid_argument, "1 to 3");
  refused(check({{1}, {1}, {1}, {1}}), errc::invalid_argument, "4 inputs");
  refused(check({{1, 2, 3}, {1, 2, 3}, {1, 2, 3}}), errc::invalid_argument,
          "9 tokens together");
  refused(check({{1}, {}}), errc::invalid_argument, "input 1 is empty");
  refused(check({{1}, {1, 2, 3, 4, 5}}), errc::context_exceeded, "input 1");
  refused(check({{1}, {100}}), errc::invalid_argument, "of input 1 is 100");
}

BOOST_AUTO_TEST_CASE(stops_are_few_and_short) {
  using texts = std::vector<std::string>;
  BOOST_TEST(check_stops(texts{"abc", "d"}, bounds).ok());
  BOOST_TEST(check_stops(texts{}, bounds).ok());
  refused(check_stops(texts{"a", "b", "c"}, bounds), errc::invalid_argument,
          "3 stop strings; at most 2");
  refused(check_stops(texts{"abcd"}, bounds), errc::invalid_argument,
          "4 bytes");
  refused(check_stops(texts{""}, bounds), errc::invalid_argument, "0 bytes");
}

BOOST_AUTO_TEST_SUITE_END()
