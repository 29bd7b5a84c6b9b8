#pragma once

#include "actors/protocol/messages.hpp"
#include "core/base/random.hpp"
#include "tests/support/core/tiny_model.hpp"

namespace troupe::testing {

/// For the tiny model: a prompt of so many tokens that vary with `seed`, and as
/// many as are asked for in answer.
inline generate_request request_of(uint64_t seed, uint32_t prompt,
                                   uint32_t tokens) {
  auto r = generate_request{};
  for (uint32_t i = 0; i < prompt; ++i)
    r.prompt.push_back(static_cast<token_id>(
        3 + random_bits(seed, i) % (tiny_vocab_size - 3)));
  r.sampling.seed = seed;
  r.max_tokens = tokens;
  r.ignore_end = true;
  return r;
}

} // namespace troupe::testing
