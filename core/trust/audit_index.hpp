#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/trust/audit_format.hpp"
#include "core/trust/audit_record.hpp"

namespace troupe {

/// A place in a file where a checkpoint, or its header, says what came before.
struct audit_mark {
  uint64_t offset = 0;
  uint64_t end = 0;
  uint64_t records = 0; ///< as it says
};

/// Whole frames, one after the other, from a mark on.
struct audit_run {
  audit_mark start;
  uint64_t end = 0;              ///< of its last frame
  uint64_t records = 0;          ///< after it
  std::vector<audit_mark> marks; ///< its checkpoints, without the start
};

/// Bytes that are no frames.
struct audit_damage {
  uint64_t offset = 0;
  uint64_t end = 0;
  uint64_t record = 0; ///< the next one where they begin
};

/// A record that names the key of the following checkpoints.
struct audit_key_change {
  uint64_t record = 0;
  ed25519_public_key key{};
};

/// Where what is in one file. Checksums are looked at, so that a frame is
/// whole; whether it belongs there is not known yet.
struct audit_index {
  audit_header header;
  std::vector<audit_run> runs; ///< at least one
  std::vector<audit_damage> damages;
  std::vector<audit_key_change> keys;
  audit_kind last_record = audit_kind::none;

  uint64_t size = 0; ///< of the file

  /// After its last checkpoint, or its header.
  const audit_mark& last_mark() const {
    auto& r = runs.back();
    return r.marks.empty() ? r.start : r.marks.back();
  }
  /// What cannot be read to the file's end, unless a checkpoint follows it: as
  /// a write leaves it that was cut short.
  std::optional<audit_damage> torn_tail() const;
};

/// bad_file, unsupported: its header is not that of an audit log. The reason
/// has no name of the file in front.
result<audit_index> index_audit_file(const_bytes file);

} // namespace troupe
