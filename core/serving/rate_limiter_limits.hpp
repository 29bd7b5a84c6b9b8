#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/base/time.hpp"

namespace troupe {

/// `amount` in every `per`, and at most `burst` at once. A bucket of no amount
/// never fills again.
struct rate_limit {
  uint64_t amount = 0;
  duration per = std::chrono::seconds{1};
  uint64_t burst = 0;
  bool operator==(const rate_limit&) const = default;
};

/// Of one organisation, key or model. What has no value is not limited.
struct tenant_limits {
  std::optional<rate_limit> requests;
  std::optional<rate_limit> input_tokens;
  std::optional<rate_limit> output_tokens;
  /// Requests under way at a time.
  std::optional<uint32_t> concurrency;
};

/// What is limited.
enum class limited : uint8_t {
  requests,
  input_tokens,
  output_tokens,
  concurrency,
};

/// Whose limit it is.
enum class limit_level : uint8_t { organisation, key, model };

/// "input_tokens"
std::string_view to_string(limited what);
/// "organisation"
std::string_view to_string(limit_level level);

/// What becomes of organisations that the table does not name.
enum class unknown_tenants : uint8_t {
  refuse,
  /// All of them have one set of buckets.
  share,
  /// Each has its own, up to a number; those beyond it share one.
  each,
};

/// All limits there are. A key or model without an entry has the limits above
/// it and no others.
struct limits_table {
  struct key {
    tenant_limits limits;
    std::map<std::string, tenant_limits, std::less<>> models;
  };
  struct organisation {
    tenant_limits limits;
    std::map<std::string, key, std::less<>> keys;
  };
  std::map<std::string, organisation, std::less<>> organisations;

  unknown_tenants unknown = unknown_tenants::refuse;
  tenant_limits unknown_limits;
  /// With `each`: so many are remembered.
  uint32_t most_unknown = 10'000;
};

/// Whether the limiter can count by these: periods above 0, amounts and bursts
/// up to `largest_amount`. invalid_argument names the entry that is wrong.
result<void> check(const limits_table& table);

constexpr auto largest_amount = uint64_t{1} << 62;

/// Who asks. The model is the one that the request names.
struct tenant {
  std::string organisation;
  std::string key;
  std::string model;
};

/// The state of one kind of limit, that of the level with the least left.
struct limit_status {
  uint64_t burst = 0;
  /// What could be reserved now.
  uint64_t left = 0;
  /// Until it would be full if nobody used it; the greatest duration if never.
  duration full_in = {};
};

/// By `limited`, concurrency last; nothing where there is no limit.
using limits_status = std::array<std::optional<limit_status>, 4>;

/// What an organisation has, as an operator sees it.
struct organisation_status {
  std::string name;
  bool known = false;
  uint32_t under_way = 0; ///< requests
  limits_status limits;
};

} // namespace troupe
