#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "actors/protocol/messages.hpp"
#include "core/base/time.hpp"
#include "core/serving/response_cache_semantic.hpp"

namespace troupe {

/// What a response cache does for requests in other words: which of them ask
/// for a vector, what is near it, and what their answers teach.
class semantic_tier {
public:
  /// `seed`: of the draws of which requests are computed to learn from.
  semantic_tier(const semantic_options& opts, uint64_t seed)
      : cache_(opts), seed_(seed) {}

  /// A request that is being answered.
  struct turn {
    response_scope scope;
    std::string text;
    std::vector<float> vector; ///< empty: there is none yet
    bool explores = false;     ///< then the entry and its answer are set
    uint64_t entry = 0;
    double similarity = 0;
    cached_response near;
  };

  /// Nothing: the request is not one of those.
  static std::optional<turn> begin(const cache_lookup& q);

  /// The answer of a request that says the same; nothing: it has to be
  /// computed, and `learn` is to hear of it. REQUIRES: t.vector is not empty.
  cached_response look_up(turn& t, time_point now);

  /// The computed answer.
  void learn(turn t, cached_response answer, time_point now);

  void sweep(time_point now) { cache_.sweep(now); }
  void forget(version_id v) { cache_.forget_version(v); }
  void describe(cache_status& to) const;

private:
  semantic_cache cache_;
  uint64_t seed_;
  uint64_t draws_ = 0;
  uint64_t hits_ = 0;
  uint64_t explored_ = 0;
  uint64_t confirmed_ = 0;
};

} // namespace troupe
