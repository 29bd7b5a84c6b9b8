#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/time.hpp"
#include "core/serving/response_cache.hpp"
#include "core/serving/ticket_slab.hpp"

namespace troupe {

/// A direction in int8: x = scale * values, of length 1. Products of rows are
/// sums of integers, and so the same whatever computes them.
struct embedding_row {
  std::vector<int8_t> values;
  float scale = 0;
};

/// Nothing of a vector that has no direction: empty, zero, or not finite.
embedding_row quantise_direction(std::span<const float> x);

/// What an entry knows about the requests that came near it: how many had the
/// same answer, by similarity. The chance of that is taken not to fall with
/// similarity; nothing else is assumed.
class hit_record {
public:
  void add(double similarity, bool same);

  /// A lower bound of the chance that a request this near has the same answer,
  /// with its own chance of being wrong counted in: the best, over error
  /// levels e, of (1 - e) times the bound that holds but for e (Clopper and
  /// Pearson 1934). 0 where nothing is known.
  double least_chance(double similarity) const;

private:
  static constexpr auto bins = 32; ///< of similarities from 0.5 to 1

  static constexpr auto most_seen = uint16_t{512};

  static size_t bin(double similarity);

  std::array<uint16_t, bins> same_{};
  std::array<uint16_t, bins> other_{};
  uint16_t seen_ = 0; ///< the sum of both
};

struct semantic_options {
  /// Of answers to requests near an entry, so many may be wrong; 0: none are
  /// given.
  double error = 0;
  /// Those that are less similar are not near. At least 0.5.
  double least_similarity = 0.8;
  uint32_t most_entries = 50'000;
  uint32_t most_of_tenant = 12'500;
  /// Bytes of all entries together, and of those of one tenant.
  uint64_t budget = uint64_t{64} << 20;
  uint64_t tenant_budget = uint64_t{16} << 20;
  duration ttl = std::chrono::hours{1};
};

/// Answers to requests that are said in other words. A near hit is given out
/// only as often as the bound on errors allows, as in vCache (Schroeder et al.
/// 2025): otherwise the request is computed, and whether its answer is the same
/// is what the entry learns. So each entry earns its use; one whose neighbours
/// have other answers is never used. Scopes never meet. One thread at a time.
class semantic_cache {
public:
  enum class found : uint8_t {
    nothing, ///< near: compute it, and `store` it
    explore, ///< compute it, and `observe`; `store` it if it is another answer
    hit,
  };
  struct lookup_result {
    found is = found::nothing;
    uint64_t entry = 0;
    double similarity = 0;
    cached_response answer; ///< of a hit or the entry that is explored
  };

  explicit semantic_cache(const semantic_options& options = {});

  /// `random`: uniform in [0, 1).
  lookup_result lookup(const response_scope& scope, std::string_view prompt,
                       std::span<const float> embedding, double random,
                       time_point now);
  /// The answer computed was the same, or not. No effect if the entry is gone.
  void observe(uint64_t entry, double similarity, bool same);
  void store(const response_scope& scope, std::string prompt,
             std::span<const float> embedding, cached_response answer,
             time_point now);
  /// Drops what has expired. To be called every second or so.
  void sweep(time_point now);
  void forget_tenant(std::string_view tenant);
  void forget_version(uint32_t version);

  size_t entries() const { return order_.size(); }
  uint64_t bytes() const { return bytes_; }

  /// What an entry costs beside its vector, its texts and its scope, which is
  /// counted for each.
  static constexpr auto overhead = uint64_t{512};

private:
  /// Entries of one scope; their rows stand in one block, for the scan.
  struct space {
    std::string tenant;
    uint32_t version = 0;
    size_t inputs = 0;         ///< of an embedding
    std::vector<int8_t> rows;  ///< [entries, inputs]
    std::vector<float> scales; ///< [entries]
    std::vector<uint64_t> ids; ///< [entries]
  };
  using space_map = std::map<std::string, space, std::less<>>;
  struct entry {
    space_map::iterator in;
    size_t row = 0;
    std::string prompt;
    cached_response answer;
    time_point expires;
    uint64_t bytes = 0;
    hit_record record;
    std::list<uint64_t>::iterator place;
  };

  struct usage {
    uint32_t entries = 0;
    uint64_t bytes = 0;
  };

  usage used_by(std::string_view tenant) const;
  bool make_room(std::string_view tenant, uint64_t bytes);
  void erase(uint64_t id);
  template <class Which>
  void forget(Which which);

  semantic_options options_;
  space_map spaces_; ///< by the scope's identity
  ticket_slab<entry> entries_;
  std::list<uint64_t> order_; ///< most recently used first
  std::map<std::string, usage, std::less<>> of_tenant_;
  uint64_t bytes_ = 0;
};

} // namespace troupe
