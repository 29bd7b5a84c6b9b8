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
  /// What it says, and all that the same in other words depends on beside it.
  std::string text;
  std::string scope;
  static constexpr size_t most_text = 4096; ///< bytes; what is longer has none
  auto fields() {
    return std::tie(tenant, version, parameters, prompt, text, scope);
  }
};

struct cache_reply {
  /// none: compute it. miss: compute it, and tell by `cache_fill`; who ends
  /// without that has failed.
  cache_use use = cache_use::none;
  uint64_t flight = 0; ///< of a miss
  uint32_t turn = 0;
  kept_answer answer; ///< of a hit, exact or semantic
  auto fields() { return std::tie(use, flight, turn, answer); }
};

struct cache_fill {
  uint64_t flight = 0;
  uint32_t turn = 0;
  kept_answer answer;
  auto fields() { return std::tie(flight, turn, answer); }
};

/// The vector that the cache has asked for; empty: there is none.
struct text_vector {
  uint64_t number = 0;
  std::vector<float> values;
  auto fields() { return std::tie(number, values); }
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
  /// Of the semantic tier: answers given, and requests computed to learn
  /// whether its answer would have been the same; it was.
  uint64_t semantic_hits = 0;
  uint64_t explored = 0;
  uint64_t confirmed = 0;
  uint64_t semantic_entries = 0;
  uint64_t semantic_bytes = 0;
  auto fields() {
    return std::tie(entries, bytes, hits, misses, waited, expired, evicted,
                    semantic_hits, explored, confirmed, semantic_entries,
                    semantic_bytes);
  }
};

} // namespace troupe
