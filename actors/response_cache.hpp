#pragma once

#include <caf/actor_addr.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"
#include "core/serving/response_cache.hpp"

namespace troupe {

/// What a session asks the cache for `r`; nothing if no cache is to answer it,
/// since it may have another answer each time, or its client wants none of
/// others'.
std::optional<cache_lookup> cache_question(const generate_request& r,
                                           version_id version,
                                           uint32_t max_tokens);

/// Who asked, who computes, and who waits for whom.
class response_cache_state {
public:
  static constexpr const char* name = "response_cache";

  response_cache_state() = default;

  void init(const response_cache_options& opts) { cache_.emplace(opts); }

  /// Nothing: `session` gets its answer later.
  std::optional<cache_reply> look_up(const cache_lookup& q,
                                     const caf::actor_addr& session,
                                     time_point now);

  /// An answer for a session that waits.
  using reply = std::pair<caf::actor_addr, cache_reply>;

  std::vector<reply> fill(cache_fill f, const caf::actor_addr& session,
                          time_point now);
  /// A session has ended, with its answer or without.
  std::vector<reply> down(const caf::actor_addr& session, time_point now);
  std::vector<reply> sweep(time_point now);
  void forget(version_id v) { cache_->forget_version(v); }

  cache_status status() const;

private:
  struct asker {
    uint64_t caller = 0;
    response_cache::flight_id flight;
    bool leads = false;
  };

  reply lead(const response_cache::successor& s);

  std::optional<response_cache> cache_;
  std::map<caf::actor_addr, asker> askers_; ///< who leads or waits
  std::map<uint64_t, caf::actor_addr> callers_;
  uint64_t next_caller_ = 1;
};

static_assert(!std::is_aggregate_v<response_cache_state>);

/// Behaviour of the response cache.
response_cache_actor::behavior_type response_cache_service(
    actor_pointer<response_cache_actor, response_cache_state> self,
    response_cache_options opts);

} // namespace troupe
