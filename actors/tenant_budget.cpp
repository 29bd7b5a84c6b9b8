#include "actors/tenant_budget.hpp"

#include <tuple>
#include <utility>

#include "actors/tracing/tracer.hpp"

namespace troupe {

// What others' requests have to do with: a recording keeps it.
struct tenant_answer {
  bool refused = false;
  errc code = errc::none;
  std::string message;
  int64_t retry_ns = 0;
  auto fields() { return std::tie(refused, code, message, retry_ns); }
};

namespace {

std::string limit_of(const rate_limiter::admission& a) {
  auto what = std::string{to_string(a.what)};
  for (auto& c : what)
    if (c == '_')
      c = ' ';
  return "the limit on " + what + " of the " + std::string{to_string(a.level)};
}

tenant_budget::refusal refusal_of(const rate_limiter::admission& a,
                                  const tenant& who) {
  if (a.unknown_tenant)
    return {{errc::invalid_argument,
             "the organisation \"" + who.organisation + "\" is not known"},
            {}};
  if (a.is == rate_limiter::verdict::never)
    return {{errc::invalid_argument,
             "the request is more than " + limit_of(a) + " will ever allow"},
            {}};
  return {{errc::overloaded, limit_of(a) + " is reached; try again later"},
          a.retry_after};
}

tenant_answer answer_of(tenant_budget::refusal r) {
  return {true, r.why.code, std::move(r.why.message), r.retry_after.count()};
}

} // namespace

std::optional<tenant_budget::refusal>
tenant_budget::reserve(std::shared_ptr<rate_limiter> limits, tenant who,
                       time_point now, uint32_t prompt_tokens,
                       uint32_t max_tokens) {
  limits_ = std::move(limits);
  auto a = tracing::asked<tenant_answer>([&] {
    auto handle = limits_->resolve(std::move(who), now);
    auto a = limits_->reserve(handle, now, prompt_tokens, max_tokens);
    if (a.is != rate_limiter::verdict::admitted)
      return answer_of(refusal_of(a, handle.who()));
    held_ = std::move(a.held);
    return tenant_answer{};
  });
  if (!a.refused)
    return std::nullopt;
  limits_ = nullptr;
  return refusal{{a.code, std::move(a.message)}, duration{a.retry_ns}};
}

bool tenant_budget::take_token(time_point now) {
  if (limits_ && tracing::asked<bool>([&] {
        return held_ && held_.take_output(now) == 0;
      }))
    exhausted_ = true;
  return !exhausted_;
}

void tenant_budget::end(finish_reason reason, time_point now,
                        uint32_t output_tokens) {
  if (reason == finish_reason::stop || reason == finish_reason::length)
    return held_.settle(now, output_tokens);
  if (reason == finish_reason::cancelled && placed_)
    held_.begin(now);
  held_.refund();
}

} // namespace troupe
