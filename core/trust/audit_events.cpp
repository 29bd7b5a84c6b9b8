#include "core/trust/audit_events.hpp"

#include <algorithm>
#include <cmath>

namespace troupe::audit {

namespace {

using enum audit_kind;
using id = audit_field_id;

audit_record make(audit_kind kind, audit_time now) {
  auto r = audit_record{};
  r.kind = kind;
  r.wall_ns = now.wall_ns;
  r.mono_ns = now.mono_ns;
  return r;
}

audit_record make(audit_kind kind, const subject& s) {
  auto r = make(kind, s.time);
  r.request = s.request;
  r.organisation = s.organisation;
  r.key = s.key;
  r.details.reserve(4);
  return r;
}

void add(audit_record& r, id i, uint64_t number) {
  r.details.push_back({i, audit_type::number, number, {}});
}

void add(audit_record& r, id i, std::string_view text) {
  r.details.push_back({i, audit_type::text, 0, std::string{text}});
}

void add_bytes(audit_record& r, id i, std::span<const uint8_t> bytes) {
  r.details.push_back({i, audit_type::bytes, 0, {bytes.begin(), bytes.end()}});
}

void add(audit_record& r, id digest, id text, const content& c) {
  add_bytes(r, digest, c.digest);
  if (c.clear)
    add(r, text, *c.clear);
}

void add(audit_record& r, const model_ref& m) {
  add(r, id::model, m.name);
  add(r, id::version, m.version);
  if (!m.digest.empty())
    add(r, id::model_digest, m.digest);
}

} // namespace

// -- what texts become --------------------------------------------------------

content redactor::of(std::string_view label, std::span<const token_id> ids,
                     std::string_view text) const {
  auto c = content{hmac_.of(label, std::as_bytes(ids)), {}};
  if (keep_)
    c.clear = text.substr(0, longest_clear);
  return c;
}

content redactor::prompt(std::span<const token_id> ids,
                         std::string_view text) const {
  return of("prompt", ids, text);
}

content redactor::output(std::span<const token_id> ids,
                         std::string_view text) const {
  return of("output", ids, text);
}

// -- decisions about requests -------------------------------------------------

audit_record admitted(const subject& s, std::string_view model,
                      uint64_t prompt_tokens, const content& prompt) {
  auto r = make(audit_kind::admitted, s);
  add(r, id::model, model);
  add(r, id::prompt_tokens, prompt_tokens);
  add(r, id::prompt_digest, id::prompt_text, prompt);
  return r;
}

audit_record refused(const subject& s, std::string_view reason,
                     std::string_view detail) {
  auto r = make(audit_kind::refused, s);
  add(r, id::reason, reason);
  add(r, id::detail, detail);
  return r;
}

audit_record cache_answer(const subject& s, std::string_view use,
                          version_id version) {
  auto r = make(audit_kind::cache_answer, s);
  add(r, id::action, use);
  add(r, id::version, version);
  return r;
}

audit_record model_version(const subject& s, const model_ref& m) {
  auto r = make(audit_kind::model_version, s);
  add(r, m);
  return r;
}

audit_record placed(const subject& s, node_id prefill, node_id node,
                    uint64_t attempt) {
  auto r = make(audit_kind::placed, s);
  add(r, id::prefill_node, prefill);
  add(r, id::node, node);
  add(r, id::attempt, attempt);
  return r;
}

audit_record preempted(const subject& s, node_id node, std::string_view how) {
  auto r = make(audit_kind::preempted, s);
  add(r, id::node, node);
  add(r, id::action, how);
  return r;
}

audit_record migrated(const subject& s, node_id from, node_id to) {
  auto r = make(audit_kind::migrated, s);
  add(r, id::from_node, from);
  add(r, id::node, to);
  return r;
}

audit_record failed_over(const subject& s, node_id from, uint64_t emitted,
                         std::string_view reason) {
  auto r = make(audit_kind::failed_over, s);
  add(r, id::from_node, from);
  add(r, id::output_tokens, emitted);
  add(r, id::reason, reason);
  return r;
}

audit_record safety_verdict(const subject& s, std::string_view verdict,
                            double score, std::string_view rule) {
  auto r = make(audit_kind::safety_verdict, s);
  add(r, id::verdict, verdict);
  // What is no number is taken for the worst.
  auto bounded = score >= 0 ? std::min(score, 1.0) : score < 0 ? 0.0 : 1.0;
  add(r, id::score, static_cast<uint64_t>(std::llround(bounded * 1e6)));
  add(r, id::rule, rule);
  return r;
}

audit_record finished(const subject& s, std::string_view reason,
                      uint64_t tokens, const content& output) {
  auto r = make(audit_kind::finished, s);
  add(r, id::reason, reason);
  add(r, id::output_tokens, tokens);
  add(r, id::output_digest, id::output_text, output);
  return r;
}

// -- what operators do --------------------------------------------------------

audit_record admin_event(audit_time now, std::string_view who,
                         std::string_view action, std::string_view detail) {
  auto r = make(audit_kind::admin_event, now);
  add(r, id::actor, who);
  add(r, id::action, action);
  add(r, id::detail, detail);
  return r;
}

audit_record version_event(audit_time now, std::string_view who,
                           std::string_view action, const model_ref& m,
                           std::string_view why) {
  auto r = make(audit_kind::version_event, now);
  add(r, id::actor, who);
  add(r, id::action, action);
  add(r, m);
  if (!why.empty())
    add(r, id::detail, why);
  return r;
}

// -- the log itself -----------------------------------------------------------

audit_record opened(audit_time now, uint32_t segment, uint64_t torn_bytes) {
  auto r = make(log_opened, now);
  add(r, id::segment, segment);
  add(r, id::torn_bytes, torn_bytes);
  return r;
}

audit_record rotated(audit_time now, uint32_t segment) {
  auto r = make(log_rotated, now);
  add(r, id::segment, segment);
  return r;
}

audit_record gap(audit_time now, uint64_t lost) {
  auto r = make(log_gap, now);
  add(r, id::count, lost);
  return r;
}

audit_record key_changed(audit_time now, const ed25519_public_key& next) {
  auto r = make(key_rotated, now);
  add_bytes(r, id::new_key, next);
  return r;
}

audit_record closed(audit_time now) {
  return make(log_closed, now);
}

} // namespace troupe::audit
