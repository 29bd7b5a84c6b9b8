#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/trust/audit_verify.hpp"

namespace troupe {

/// What a checkpoint says, without the log: whoever keeps it somewhere else can
/// tell later whether the log is still the one that it was.
struct audit_anchor {
  audit_log_id log{};
  uint64_t records = 0;
  audit_time time;
  ed25519_public_key key{};
  sha256_digest chain{};
  sha256_digest root{};
  ed25519_signature signature{};

  static audit_anchor of(const audit_log_id& log, const audit_checkpoint& c);
};

/// One JSON object, without a newline; bytes are hexadecimal.
std::string to_json(const audit_anchor& a);

/// A line each. A last line without its newline was cut short, and is left
/// out. bad_file: "NAME: line 3: reason".
result<std::vector<audit_anchor>> parse_anchors(std::string_view text,
                                                const std::string& name);

/// What contradicts the anchors in a log whose own findings are in `report`.
/// Those of records before the first one that was looked at are left out.
std::vector<audit_finding>
check_anchors(const audit_report& report,
              const std::vector<audit_anchor>& anchors);

} // namespace troupe
