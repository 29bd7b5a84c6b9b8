#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/ids.hpp"
#include "core/base/result.hpp"

namespace troupe {

/// What a record of the audit log tells. Append only: the numbers are in files
/// (docs/audit_format.md).
enum class audit_kind : uint16_t {
  none,
  admitted,
  refused,
  cache_answer,
  model_version,
  placed,
  preempted,
  migrated,
  failed_over,
  safety_verdict,
  finished,
  admin_event,
  version_event,
  log_opened,
  log_rotated,
  log_gap,
  key_rotated,
  log_closed,
};

/// A short stable name, such as "admitted"; empty if this build has none.
std::string_view to_string(audit_kind k);

/// What a field of a record is. Append only, as the kinds.
enum class audit_field_id : uint16_t {
  none,
  model,
  model_digest,
  version, ///< of the model
  prompt_digest,
  prompt_text,
  prompt_tokens,
  output_digest,
  output_text,
  output_tokens,
  reason,
  node, ///< that it is on, or goes to
  from_node,
  prefill_node,
  attempt, ///< placements so far
  verdict,
  score, ///< in millionths
  rule,
  actor, ///< whoever acted
  action,
  detail,
  count,
  segment,
  torn_bytes, ///< cut off where a write was cut short
  new_key,
};

/// "prompt_digest"; empty if this build has none.
std::string_view to_string(audit_field_id id);

enum class audit_type : uint8_t { number = 1, text = 2, bytes = 3 };

/// One thing that a record tells.
struct audit_field {
  audit_field_id id = audit_field_id::none;
  audit_type type = audit_type::number;
  uint64_t number = 0; ///< of a number
  std::string bytes;   ///< of the others

  bool operator==(const audit_field&) const = default;
  auto fields() { return std::tie(id, type, number, bytes); }
};

/// One decision, and who it was about.
struct audit_record {
  audit_kind kind = audit_kind::none;
  int64_t wall_ns = 0; ///< since 1970, UTC
  int64_t mono_ns = 0; ///< on the clock of the process
  request_id request = 0;
  std::string organisation; ///< empty: nobody's
  std::string key;          ///< the organisation's name for it
  std::vector<audit_field> details;

  bool operator==(const audit_record&) const = default;
  auto fields() {
    return std::tie(kind, wall_ns, mono_ns, request, organisation, key,
                    details);
  }

  const audit_field* find(audit_field_id id) const;
};

/// What a record may be at most, so that a file cannot ask for more.
namespace audit_limits {
inline constexpr auto record_bytes = size_t{1} << 20;
inline constexpr auto name_bytes = size_t{1024};
inline constexpr auto details = size_t{255};
} // namespace audit_limits

/// A record as its bytes say it: views into them.
class audit_record_view {
public:
  /// Nothing unless `body` is one record and nothing else.
  static std::optional<audit_record_view> parse(const_bytes body);

  uint64_t number() const { return load<uint64_t>(4); }
  audit_kind kind() const { return load<audit_kind>(2); }
  request_id request() const { return load<request_id>(28); }
  /// A copy.
  audit_record record() const;

private:
  explicit audit_record_view(const_bytes body) : body_(body) {}
  template <class T>
  T load(size_t at) const {
    return load_unaligned<T>(body_.data() + at);
  }
  template <class Visit>
  static bool walk(const_bytes body, Visit visit);

  const_bytes body_;
};

/// Appends the record's bytes; one record has one encoding. invalid_argument
/// beyond the limits: then nothing is appended.
result<void> encode(const audit_record& r, uint64_t number, raw_bytes& to);

} // namespace troupe
