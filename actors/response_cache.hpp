#pragma once

#include <caf/actor_addr.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"
#include "actors/semantic_tier.hpp"
#include "core/serving/response_cache.hpp"
#include "core/text/tokenizer.hpp"

namespace troupe {

/// What a session asks the cache for `r`; nothing if no cache is to answer it,
/// since it may have another answer each time, or its client wants none of
/// others'.
std::optional<cache_lookup> cache_question(const generate_request& r,
                                           version_id version,
                                           uint32_t max_tokens);

struct response_cache_service_options {
  response_cache_options exact;
  /// Answers for requests in other words; without it there are none.
  std::optional<semantic_options> semantic;
  std::shared_ptr<const tokenizer> text; ///< for them
  uint64_t seed = 0;                     ///< the same
};

/// Who asked, who computes, and who waits for whom.
class response_cache_state {
public:
  static constexpr const char* name = "response_cache";

  response_cache_state() = default;

  void init(const response_cache_service_options& opts);

  /// A text whose vector is needed.
  struct wish {
    uint64_t number = 0;
    std::string text;
  };
  /// Without a reply, `session` gets it later.
  struct outcome {
    std::optional<cache_reply> reply;
    std::optional<wish> wanted;
  };
  outcome look_up(const cache_lookup& q, const caf::actor_addr& session,
                  time_point now);

  /// An answer for a session that waits.
  using reply = std::pair<caf::actor_addr, cache_reply>;

  /// What was wanted.
  std::vector<reply> on(text_vector v, time_point now);

  std::vector<reply> fill(cache_fill f, const caf::actor_addr& session,
                          time_point now);
  /// A session has ended, with its answer or without.
  std::vector<reply> down(const caf::actor_addr& session, time_point now);
  std::vector<reply> sweep(time_point now);
  void forget(version_id v);

  cache_status status() const;

  /// For so long a session waits for its text's vector.
  static constexpr auto vector_patience = std::chrono::seconds{5};

private:
  struct asker {
    uint64_t caller = 0;
    response_cache::flight_id flight;
    bool leads = false;
    std::optional<semantic_tier::turn> turn;
    std::optional<time_point> wanted; ///< its vector, since then
  };
  using asker_map = std::map<caf::actor_addr, asker>;

  asker_map::iterator lead(const response_cache::successor& s);
  static reply compute(asker_map::iterator a);
  asker release(const caf::actor_addr& session);

  std::optional<response_cache> cache_;
  std::optional<semantic_tier> semantic_;
  asker_map askers_; ///< who leads or waits
  std::map<uint64_t, caf::actor_addr> callers_;
  uint64_t next_caller_ = 1;
};

static_assert(!std::is_aggregate_v<response_cache_state>);

/// Behaviour of the response cache.
response_cache_actor::behavior_type response_cache_service(
    actor_pointer<response_cache_actor, response_cache_state> self,
    response_cache_service_options opts);

} // namespace troupe
