#include <array>

#include "core/trust/audit_record.hpp"

namespace troupe {

namespace {

// In the order of their numbers.
constexpr auto kinds = std::array<std::string_view, 18>{
    "none",          "admitted",       "refused",     "cache_answer",
    "model_version", "placed",         "preempted",   "migrated",
    "failed_over",   "safety_verdict", "finished",    "admin_event",
    "version_event", "log_opened",     "log_rotated", "log_gap",
    "key_rotated",   "log_closed"};
static_assert(kinds.size() == size_t(audit_kind::log_closed) + 1);

constexpr auto ids = std::array<std::string_view, 25>{
    "none",          "model",         "model_digest",  "version",
    "prompt_digest", "prompt_text",   "prompt_tokens", "output_digest",
    "output_text",   "output_tokens", "reason",        "node",
    "from_node",     "prefill_node",  "attempt",       "verdict",
    "score",         "rule",          "actor",         "action",
    "detail",        "count",         "segment",       "torn_bytes",
    "new_key"};
static_assert(ids.size() == size_t(audit_field_id::new_key) + 1);

template <size_t N>
std::string_view name_of(const std::array<std::string_view, N>& names,
                         size_t i) {
  return i < N ? names[i] : std::string_view{};
}

} // namespace

std::string_view to_string(audit_kind k) {
  return name_of(kinds, static_cast<size_t>(k));
}

std::string_view to_string(audit_field_id id) {
  return name_of(ids, static_cast<size_t>(id));
}

} // namespace troupe
