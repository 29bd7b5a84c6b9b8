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

// What makes texts of errors is large, and each request comes by: it stays out
// of the functions that check.

[[gnu::cold, gnu::noinline]] std::string outside(std::string_view name, float x,
                                                 float least, float most) {
  return std::string{name} + " is " + text_of(x) + ", not from "
         + text_of(least) + " to " + text_of(most);
}

[[gnu::cold, gnu::noinline]] std::string too_many(uint32_t logprobs) {
  return "logprobs is " + std::to_string(logprobs) + ", not from 0 to "
         + std::to_string(sampling_params::max_logprobs);
}

// False for NaN.
bool is_from(float x, float least, float most) {
  return x >= least && x <= most;
}

// Empty if the bias of that token is one.
[[gnu::noinline]] std::string fault_of_bias(token_id id, float bias,
                                            uint32_t vocab) {
  auto known = id >= 0 && static_cast<uint32_t>(id) < vocab;
  if (known
      && (bias == -std::numeric_limits<float>::infinity()
          || is_from(bias, -100.f, 100.f)))
    return {};
  auto name = "logit_bias of token " + std::to_string(id);
  if (!known)
    return name + ": the token is not from 0 to " + std::to_string(vocab - 1);
  return outside(name, bias, -100.f, 100.f) + ", nor -inf";
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
    if (!is_from(b.value, b.least, b.most))
      return outside(b.name, b.value, b.least, b.most);
  for (auto& [id, bias] : p.logit_bias)
    if (auto fault = fault_of_bias(id, bias, vocab); !fault.empty())
      return fault;
  if (p.want_logprob && p.logprobs > sampling_params::max_logprobs)
    return too_many(p.logprobs);
  return {};
}

} // namespace

result<void> validate(const sampling_params& p, uint32_t vocab) {
  if (auto fault = first_fault(p, vocab); !fault.empty())
    return fail(errc::invalid_argument, fault);
  return {};
}

} // namespace troupe
