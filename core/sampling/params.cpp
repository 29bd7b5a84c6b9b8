#include "core/sampling/params.hpp"

#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>

namespace troupe {

namespace {

std::string text_of(float x) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof(text), x).ptr};
}

// Empty if `x` is a number of the range.
std::string outside(std::string_view name, float x, float least, float most) {
  if (x >= least && x <= most) // false for NaN
    return {};
  return std::string{name} + " is " + text_of(x) + ", not from "
         + text_of(least) + " to " + text_of(most);
}

std::string first_fault(const sampling_params& p, uint32_t vocab) {
  struct bound {
    const char* name;
    float value, least, most;
  };
  for (auto& b : {
           bound{"temperature", p.temperature, 0.f, 100.f},
           bound{"top_p", p.top_p, 0.f, 1.f},
           bound{"min_p", p.min_p, 0.f, 1.f},
           bound{"repetition_penalty", p.repetition_penalty, 0.01f, 100.f},
           bound{"presence_penalty", p.presence_penalty, -100.f, 100.f},
           bound{"frequency_penalty", p.frequency_penalty, -100.f, 100.f},
       })
    if (auto fault = outside(b.name, b.value, b.least, b.most); !fault.empty())
      return fault;
  for (auto& [id, bias] : p.logit_bias) {
    auto name = "logit_bias of token " + std::to_string(id);
    if (id < 0 || static_cast<uint32_t>(id) >= vocab)
      return name + ": the token is not from 0 to " + std::to_string(vocab - 1);
    if (bias == -std::numeric_limits<float>::infinity())
      continue;
    if (auto fault = outside(name, bias, -100.f, 100.f); !fault.empty())
      return fault + ", nor -inf";
  }
  if (p.want_logprob && p.logprobs > sampling_params::max_logprobs)
    return "logprobs is " + std::to_string(p.logprobs) + ", not from 0 to "
           + std::to_string(sampling_params::max_logprobs);
  return {};
}

} // namespace

result<void> validate(const sampling_params& p, uint32_t vocab) {
  if (auto fault = first_fault(p, vocab); !fault.empty())
    return fail(errc::invalid_argument, fault);
  return {};
}

} // namespace troupe
