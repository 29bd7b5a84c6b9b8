#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/trust/audit_chain.hpp"
#include "core/trust/audit_record.hpp"
#include "core/trust/ed25519.hpp"
#include "core/trust/sha256.hpp"

namespace troupe::audit {

// -- what texts become --------------------------------------------------------

/// A text as the log may tell it: the digest tells it again to whoever has both
/// the text and the log's salt.
struct content {
  sha256_digest digest{};
  std::optional<std::string> clear; ///< only if that was asked for
};

/// Prompts and outputs as digests of HMAC-SHA-256 under a salt that is secret
/// and the log's own: without it nobody can try likely texts. Of any thread.
class redactor {
public:
  /// `keep`: texts are told in clear as well, up to 256 KiB of each.
  explicit redactor(const_bytes salt, bool keep = false)
      : hmac_(salt), keep_(keep) {}

  content prompt(std::span<const token_id> ids, std::string_view text) const;
  content output(std::span<const token_id> ids, std::string_view text) const;

  static constexpr auto longest_clear = size_t{256} << 10;

private:
  content of(std::string_view label, std::span<const token_id> ids,
             std::string_view text) const;

  hmac_sha256 hmac_;
  bool keep_;
};

// -- decisions about requests -------------------------------------------------

/// Whom a record is about, and when.
struct subject {
  audit_time time;
  request_id request = 0;
  std::string organisation;
  std::string key;
};

/// A model as a version of it is served.
struct model_ref {
  std::string name;
  version_id version = 0;
  std::string digest; ///< empty: it is told elsewhere
};

audit_record admitted(const subject& s, std::string_view model,
                      uint64_t prompt_tokens, const content& prompt);
/// `reason`: a short stable name, such as an errc's; `detail`: a sentence.
audit_record refused(const subject& s, std::string_view reason,
                     std::string_view detail);
/// `use`: "hit", "semantic".
audit_record cache_answer(const subject& s, std::string_view use,
                          version_id version);
/// Which one a request got.
audit_record model_version(const subject& s, const model_ref& m);
/// `attempt`: from 1. `prefill` is `node` where one node does both.
audit_record placed(const subject& s, node_id prefill, node_id node,
                    uint64_t attempt);
/// `how`: "swap", "recompute".
audit_record preempted(const subject& s, node_id node, std::string_view how);
audit_record migrated(const subject& s, node_id from, node_id to);
/// `reason`: of the node that was given up.
audit_record failed_over(const subject& s, node_id from, uint64_t emitted,
                         std::string_view reason);
/// `score` in [0, 1]; `rule`: what it was compared with.
audit_record safety_verdict(const subject& s, std::string_view verdict,
                            double score, std::string_view rule);
audit_record finished(const subject& s, std::string_view reason,
                      uint64_t tokens, const content& output);

// -- what operators do --------------------------------------------------------

/// `who` did `action`, such as "drain", to `detail`.
audit_record admin_event(audit_time now, std::string_view who,
                         std::string_view action, std::string_view detail);
/// `action`: "load", "promote", "roll_back", …
audit_record version_event(audit_time now, std::string_view who,
                           std::string_view action, const model_ref& m,
                           std::string_view why = {});

// -- the log itself -----------------------------------------------------------

audit_record opened(audit_time now, uint32_t segment, uint64_t torn_bytes);
audit_record rotated(audit_time now, uint32_t segment);
audit_record gap(audit_time now, uint64_t lost);
audit_record key_changed(audit_time now, const ed25519_public_key& next);
audit_record closed(audit_time now);

} // namespace troupe::audit
