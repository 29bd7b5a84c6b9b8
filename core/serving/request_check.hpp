#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/base/ids.hpp"
#include "core/base/result.hpp"

namespace troupe {

/// What requests may be, as far as the model and a front door bound it.
struct request_bounds {
  uint32_t vocab = 0;
  uint32_t context = 0;
  size_t stops = 16;        ///< stop strings
  size_t stop_bytes = 1024; ///< of one
};

/// Whether a prompt fits, with at least one token after it unless it is to be
/// embedded. Errors: invalid_argument, context_exceeded.
result<void> check_prompt(std::span<const token_id> ids, bool embed,
                          const request_bounds& b);

/// Whether each of the texts to embed fits, and all together have `most` tokens
/// at most. Errors: the same.
result<void> check_inputs(std::span<const std::vector<token_id>> inputs,
                          size_t most_inputs, size_t most_tokens,
                          const request_bounds& b);

/// Errors: invalid_argument.
result<void> check_stops(std::span<const std::string> stops,
                         const request_bounds& b);

} // namespace troupe
