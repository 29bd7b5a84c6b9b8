#include "actors/audit_trail.hpp"

namespace troupe {

namespace {

std::string_view name_of(finish_reason r) {
  switch (r) {
  case finish_reason::none:
    break;
  case finish_reason::stop:
    return "stop";
  case finish_reason::length:
    return "length";
  case finish_reason::cancelled:
    return "cancelled";
  case finish_reason::error:
    return "error";
  }
  return "none";
}

} // namespace

void audit_trail::begin(std::shared_ptr<const audit_sink> to,
                        const generate_request& r,
                        std::shared_ptr<const tokenizer> text) {
  to_ = std::move(to);
  if (!to_)
    return;
  text_ = std::move(text);
  subject_ = {{}, r.request, r.organisation, r.key};
  model_ = r.model;
}

audit::subject audit_trail::at(time_point now) const {
  auto s = subject_;
  s.time = audit_time_of(now, to_->unix_offset);
  return s;
}

std::string audit_trail::text_of(std::span<const token_id> ids) const {
  return to_->keep_texts && text_ ? text_->decode(ids) : std::string{};
}

void audit_trail::admitted(const generate_request& r, time_point now) {
  if (!to_)
    return;
  auto said = to_->redact.prompt(r.prompt, text_of(r.prompt));
  records_.push_back(audit::admitted(at(now), r.model, r.prompt.size(), said));
}

void audit_trail::refused(const error& why, time_point now) {
  if (!to_)
    return;
  records_.push_back(audit::refused(at(now), to_string(why.code), why.message));
  to_.reset(); // that is all of it
}

void audit_trail::on_version(version_id v, time_point now) {
  if (to_)
    records_.push_back(audit::model_version(at(now), {model_, v, {}}));
}

void audit_trail::cache_answered(cache_use use, version_id v, time_point now) {
  if (to_)
    records_.push_back(audit::cache_answer(
        at(now), use == cache_use::hit ? "hit" : "semantic", v));
}

void audit_trail::placed(const placement& where, uint32_t attempt,
                         time_point now) {
  if (!to_)
    return;
  auto node = where.decode ? where.decode_id : where.prefill_id;
  records_.push_back(audit::placed(at(now), where.prefill_id, node, attempt));
}

void audit_trail::preempted(node_id node, put_away how, time_point now) {
  if (to_)
    records_.push_back(audit::preempted(
        at(now), node, how == put_away::swapped ? "swap" : "recompute"));
}

void audit_trail::migrated(node_id from, node_id to, time_point now) {
  if (to_)
    records_.push_back(audit::migrated(at(now), from, to));
}

void audit_trail::failed_over(node_id from, size_t emitted, const error& why,
                              time_point now) {
  if (to_)
    records_.push_back(
        audit::failed_over(at(now), from, emitted, to_string(why.code)));
}

void audit_trail::finished(finish_reason reason, const error& why,
                           std::span<const token_id> answer, time_point now) {
  if (!to_)
    return;
  auto how = why.code == errc::none ? name_of(reason) : to_string(why.code);
  auto said = to_->redact.output(answer, text_of(answer));
  records_.push_back(audit::finished(at(now), how, answer.size(), said));
}

} // namespace troupe
