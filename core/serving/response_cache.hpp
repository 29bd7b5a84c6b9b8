#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/time.hpp"
#include "core/serving/ticket_slab.hpp"

namespace troupe {

/// Whose answers may be given to whom: all of it has to be the same. The tenant
/// is the one that was authenticated, never one that a request names.
struct response_scope {
  std::string tenant;
  uint32_t version = 0; ///< of the model
  std::string system_prompt;
  std::string sampling; ///< all parameters, defaults filled in, in one order
};

/// A request as the cache knows it. Two are the same if all bytes are; the
/// digest only finds them, and one that collides costs a hit and nothing else.
struct response_key {
  uint64_t high = 0; ///< XXH3-128 of `identity`
  uint64_t low = 0;
  std::string tenant;
  uint32_t version = 0;
  std::string identity;

  /// `messages`: role and content in turns, or one prompt.
  static response_key of(const response_scope& scope,
                         const std::vector<std::string>& messages);
};

/// Whether an answer says what another run would have said, or `asked`, the
/// client wants one of those that it could have said.
bool cacheable(double temperature, bool asked);

struct response_cache_options {
  bool enabled = false;
  /// All entries together, and those of one tenant.
  uint64_t budget = uint64_t{64} << 20;
  uint64_t tenant_budget = uint64_t{16} << 20;
  /// Larger answers are not kept.
  uint64_t largest = uint64_t{1} << 20;
  duration ttl = std::chrono::hours{1};
  /// Whoever computes an answer for others has so long before another one does.
  duration flight = std::chrono::minutes{2};
  /// Callers that wait for one answer; further ones compute their own.
  uint32_t most_waiting = 1024;
};

struct response_cache_stats {
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t waited = 0; ///< for another's answer
  uint64_t stored = 0;
  uint64_t expired = 0;
  uint64_t evicted = 0;
  uint64_t collisions = 0; ///< of digests
};

/// What the caller put in: an answer as it is given out.
using cached_response = std::shared_ptr<const std::string>;

/// Answers by their whole requests, the least recently used of which give way:
/// first those of the tenant that exceeds its budget. While one caller computes
/// an answer, others with the same request wait for it. One thread at a time.
class response_cache {
public:
  enum class found : uint8_t {
    off,  ///< not enabled: compute it, there is nothing to fill
    hit,  ///< here it is
    lead, ///< compute it, then `fill` or `abandon`
    wait, ///< another caller computes it
  };
  /// An answer that is being computed, and who in turn is to do it.
  struct flight_id {
    uint64_t number = 0;
    uint32_t turn = 0;
  };
  struct lookup_result {
    found is = found::off;
    cached_response answer; ///< of a hit
    flight_id flight;       ///< what is led, or waited for
  };
  /// A caller that waited is to compute the answer itself, as `lead` says.
  struct successor {
    uint64_t caller = 0;
    flight_id flight;
  };

  explicit response_cache(const response_cache_options& options = {});
  response_cache(const response_cache&) = delete;
  response_cache& operator=(const response_cache&) = delete;

  /// `caller` is how the caller is named when it has waited.
  lookup_result lookup(const response_key& key, uint64_t caller,
                       time_point now);

  /// The answer of a flight; returns who waited for it. Nobody, and nothing is
  /// kept, if it is another caller's turn by now.
  std::vector<uint64_t> fill(flight_id flight, cached_response answer,
                             time_point now);
  /// There will be no answer: whoever waits longest is next.
  std::optional<successor> abandon(flight_id flight, time_point now);
  /// Waits no longer.
  void leave(flight_id flight, uint64_t caller);

  /// Drops what has expired, and flights whose leader has had its time; returns
  /// those who lead where others wait. To be called every second or so.
  std::vector<successor> sweep(time_point now);
  /// Drops what a tenant has, or a version has answered, also what is computed
  /// now. Those who wait for it get it all the same.
  void forget_tenant(std::string_view tenant);
  void forget_version(uint32_t version);

  size_t entries() const { return order_.size(); }
  uint64_t bytes() const { return bytes_; }
  uint64_t bytes_of(std::string_view tenant) const;
  const response_cache_stats& stats() const { return stats_; }

  /// What an entry costs beside its texts.
  static constexpr auto overhead = uint64_t{256};

private:
  struct entry;
  using entry_list = std::list<entry>;
  using places = std::list<entry_list::iterator>;
  struct tenant_entries {
    places order; ///< most recently used first
    uint64_t bytes = 0;
  };
  using tenant_map = std::map<std::string, tenant_entries, std::less<>>;
  struct entry {
    response_key key;
    cached_response answer;
    time_point expires;
    uint64_t bytes = 0;
    tenant_map::iterator tenant;
    places::iterator place; ///< in the tenant's
  };
  struct digest {
    uint64_t high = 0;
    uint64_t low = 0;
    bool operator==(const digest&) const = default;
  };
  struct digest_hash {
    size_t operator()(const digest& d) const { return d.low; }
  };
  struct flight {
    response_key key;
    std::vector<uint64_t> waiting;
    time_point until;
    uint32_t turn = 0;
    bool forgotten = false;
  };
  template <class T>
  using by_digest = std::unordered_map<digest, T, digest_hash>;

  static digest of(const response_key& k) { return {k.high, k.low}; }

  entry_list::iterator find(const response_key& key, time_point now);
  lookup_result miss(const response_key& key, uint64_t caller, time_point now);
  flight* in_turn(flight_id id);
  successor next_in_turn(uint64_t number, flight& f, time_point now);
  void end(uint64_t number);
  void store(response_key key, cached_response answer, time_point now);
  void erase(entry_list::iterator e);
  void evict(entry_list::iterator e);
  template <class Which>
  void forget(Which which);

  response_cache_options options_;
  entry_list order_; ///< most recently used first
  by_digest<entry_list::iterator> by_digest_;
  tenant_map tenants_;
  uint64_t bytes_ = 0;
  ticket_slab<flight> flights_;
  by_digest<uint64_t> joined_; ///< the flights that others may wait for
  response_cache_stats stats_;
};

} // namespace troupe
