#include "core/sampling/params.hpp"

#include <cmath>
#include <functional>

#include <boost/test/unit_test.hpp>

using namespace troupe;

namespace {

std::string fault(const std::function<void(sampling_params&)>& change) {
  auto p = sampling_params{};
  change(p);
  auto checked = validate(p, 100);
  if (checked)
    return "";
  BOOST_TEST(to_string(checked.failure().code) == "invalid_argument");
  return checked.failure().message;
}

} // namespace

BOOST_AUTO_TEST_SUITE(sampling_parameters)

BOOST_AUTO_TEST_CASE(defaults_and_bounds_are_fine) {
  BOOST_TEST(fault([](auto&) {}) == "");
  BOOST_TEST(fault([](auto& p) {
               p.temperature = 0.f;
               p.top_k = 1u << 31;
               p.top_p = 0.f;
               p.min_p = 1.f;
               p.repetition_penalty = 0.01f;
               p.presence_penalty = -100.f;
               p.frequency_penalty = 100.f;
               p.logit_bias = {{0, 100.f}, {99, -INFINITY}};
               p.logprobs = 20;
               p.want_logprob = true;
             })
             == "");
  BOOST_TEST(fault([](auto& p) { p.temperature = 100.f; }) == "");
}

BOOST_AUTO_TEST_CASE(each_fault_names_parameter_value_and_range) {
  struct field {
    const char* name;
    float sampling_params::*value;
    const char* range;
    float below, above;
  };
  for (auto& f : {
           field{"temperature", &sampling_params::temperature,
                 "not from 0 to 100", -0.5f, 100.5f},
           field{"top_p", &sampling_params::top_p, "not from 0 to 1", -0.5f,
                 1.5f},
           field{"min_p", &sampling_params::min_p, "not from 0 to 1", -0.5f,
                 1.5f},
           field{"repetition_penalty", &sampling_params::repetition_penalty,
                 "not from 0.01 to 100", 0.f, 101.f},
           field{"presence_penalty", &sampling_params::presence_penalty,
                 "not from -100 to 100", -101.f, 101.f},
           field{"frequency_penalty", &sampling_params::frequency_penalty,
                 "not from -100 to 100", -101.f, 101.f},
       }) {
    auto says = [&](float x, const std::string& text) {
      BOOST_TEST(fault([&](auto& p) { p.*f.value = x; })
                 == std::string{f.name} + " is " + text + ", " + f.range);
    };
    auto text = [](float x) {
      char out[32];
      std::snprintf(out, sizeof(out), "%g", double{x});
      return std::string{out};
    };
    says(f.below, text(f.below));
    says(f.above, text(f.above));
    says(NAN, "nan");
    says(INFINITY, "inf");
    says(-INFINITY, "-inf");
  }
}

BOOST_AUTO_TEST_CASE(biases_are_of_tokens_and_bounded) {
  auto bias = [](token_id id, float x) {
    return fault([&](auto& p) { p.logit_bias = {{1, 1.f}, {id, x}}; });
  };
  BOOST_TEST(bias(100, 0.f)
             == "logit_bias of token 100: the token is not from 0 to 99");
  BOOST_TEST(bias(-1, 0.f)
             == "logit_bias of token -1: the token is not from 0 to 99");
  BOOST_TEST(bias(7, 101.f)
             == "logit_bias of token 7 is 101, not from -100 to 100, nor -inf");
  BOOST_TEST(bias(7, INFINITY)
             == "logit_bias of token 7 is inf, not from -100 to 100, nor -inf");
  BOOST_TEST(bias(7, NAN)
             == "logit_bias of token 7 is nan, not from -100 to 100, nor -inf");
}

BOOST_AUTO_TEST_CASE(alternatives_are_few_where_they_are_wanted) {
  BOOST_TEST(fault([](auto& p) { p.logprobs = 21; }) == "");
  BOOST_TEST(fault([](auto& p) {
               p.logprobs = 21;
               p.want_logprob = true;
             })
             == "logprobs is 21, not from 0 to 20");
}

BOOST_AUTO_TEST_SUITE_END()
