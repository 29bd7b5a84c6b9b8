#pragma once

#include <memory>
#include <vector>

#include "actors/protocol/interfaces.hpp"
#include "core/base/time.hpp"
#include "core/text/tokenizer.hpp"
#include "core/trust/audit_events.hpp"

namespace troupe {

/// Where the decisions of a process are recorded, and how texts are told there.
struct audit_sink {
  auditor_actor log;
  audit::redactor redact;
  /// Prompts and answers are recorded in clear as well.
  bool keep_texts = false;
  /// Added to an actor's time it is Unix time.
  duration unix_offset = {};
};

/// What an actor's time is to the audit log.
inline audit_time audit_time_of(time_point at, duration unix_offset) {
  auto mono = at.time_since_epoch();
  return {(mono + unix_offset).count(), mono.count()};
}

/// What the audit log is told of one request.
class audit_trail {
public:
  /// Nothing is recorded before, nor if `to` is null. `text` may be null: then
  /// texts are empty.
  void begin(std::shared_ptr<const audit_sink> to, const generate_request& r,
             std::shared_ptr<const tokenizer> text);

  void admitted(const generate_request& r, time_point now);
  /// Nothing is recorded after it.
  void refused(const error& why, time_point now);
  void on_version(version_id v, time_point now);
  void cache_answered(cache_use use, version_id v, time_point now);
  void placed(const placement& where, uint32_t attempt, time_point now);
  void preempted(node_id node, put_away how, time_point now);
  void migrated(node_id from, node_id to, time_point now);
  /// The node was given up after so many tokens of the answer.
  void failed_over(node_id from, size_t emitted, const error& why,
                   time_point now);
  void finished(finish_reason reason, const error& why,
                std::span<const token_id> answer, time_point now);

  /// What is recorded since the last call.
  std::vector<audit_record> take() { return std::exchange(records_, {}); }

private:
  audit::subject at(time_point now) const;
  std::string text_of(std::span<const token_id> ids) const;

  std::shared_ptr<const audit_sink> to_;
  std::shared_ptr<const tokenizer> text_;
  audit::subject subject_;
  std::string model_;
  std::vector<audit_record> records_;
};

} // namespace troupe
