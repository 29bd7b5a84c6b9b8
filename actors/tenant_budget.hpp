#pragma once

#include <memory>
#include <optional>

#include "actors/protocol/messages.hpp"
#include "core/base/error.hpp"
#include "core/base/time.hpp"
#include "core/serving/rate_limiter.hpp"

namespace troupe {

/// What one request holds of its tenant's limits, through all its placements.
/// Without a reservation nothing is limited. Gives back what it holds when it
/// goes.
class tenant_budget {
public:
  struct refusal {
    /// overloaded; invalid_argument if no time will do.
    error why;
    /// 0: not known.
    duration retry_after = {};
  };

  /// Nothing if the request may run. REQUIRES: `limits` is not null.
  std::optional<refusal> reserve(std::shared_ptr<rate_limiter> limits,
                                 tenant who, time_point now,
                                 uint32_t prompt_tokens, uint32_t max_tokens);

  /// Nodes have the prompt.
  void placed() { placed_ = true; }

  /// One more token of the answer may go out, and is spent. False: the budget
  /// ends here.
  bool take_token(time_point now);

  /// Some token was not let out.
  bool exhausted() const { return exhausted_; }

  /// The request is over. What failed is given back, but for tokens that went
  /// out; who cancels pays for a prompt that nodes had as well.
  void end(finish_reason reason, time_point now, uint32_t output_tokens);

private:
  std::shared_ptr<rate_limiter> limits_; ///< outlives what is held of it
  rate_limiter::reservation held_;
  bool placed_ = false;
  bool exhausted_ = false;
};

} // namespace troupe
