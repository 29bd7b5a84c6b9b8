#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "actors/protocol/request_messages.hpp"

namespace troupe {

// Between sessions and the response cache.

/// All that a client gets follows from it and the request.
struct kept_answer {
  std::vector<token_id> tokens;
  std::vector<sampled> details;
  finish_reason reason = finish_reason::none;
  auto fields() { return std::tie(tokens, details, reason); }
};

/// Is there an answer to this? The sender is a session, for which it is the
/// first and the last question.
struct cache_lookup {
  std::string tenant;
  version_id version = 0;
  /// What the answer depends on beside the prompt, each request in one way.
  std::string parameters;
  std::vector<token_id> prompt;
  auto fields() { return std::tie(tenant, version, parameters, prompt); }
};

struct cache_reply {
  /// none: compute it. miss: compute it, and tell by `cache_fill`; who ends
  /// without that has failed.
  cache_use use = cache_use::none;
  uint64_t flight = 0; ///< of a miss
  uint32_t turn = 0;
  kept_answer answer; ///< of a hit
  auto fields() { return std::tie(use, flight, turn, answer); }
};

struct cache_fill {
  uint64_t flight = 0;
  uint32_t turn = 0;
  kept_answer answer;
  auto fields() { return std::tie(flight, turn, answer); }
};

struct cache_query {
  uint8_t detail = 0;
  auto fields() { return std::tie(detail); }
};

struct cache_status {
  uint64_t entries = 0;
  uint64_t bytes = 0;
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t waited = 0; ///< for another's answer
  uint64_t expired = 0;
  uint64_t evicted = 0;
  auto fields() {
    return std::tie(entries, bytes, hits, misses, waited, expired, evicted);
  }
};

} // namespace troupe
