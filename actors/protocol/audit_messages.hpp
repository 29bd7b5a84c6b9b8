#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "core/trust/audit_record.hpp"

namespace troupe {

// What the auditor is told and asked. A runtime has it in its own process;
// actors of a host may be elsewhere.

/// Decisions whose record somebody waits for, in their order.
struct audit_batch {
  std::vector<audit_record> records;
  auto fields() { return std::tie(records); }
};

/// A decision that nobody waits for.
struct audit_note {
  audit_record record;
  auto fields() { return std::tie(record); }
};

/// Waits until all records before this number are durable; 0: those that it was
/// sent before.
struct audit_await {
  uint64_t number = 0;
  auto fields() { return std::tie(number); }
};

/// What was waited for is over.
struct audit_receipt {
  /// Records in the log, all of them durable.
  uint64_t durable = 0;
  /// False if the disk refused them and the auditor goes on without: the log
  /// will say how many.
  bool kept = true;
  auto fields() { return std::tie(durable, kept); }
};

struct audit_query {
  uint8_t detail = 0;
  auto fields() { return std::tie(detail); }
};

/// How the log does.
struct audit_status {
  uint64_t durable = 0; ///< records
  uint64_t sealed = 0;  ///< of them, by a checkpoint
  uint64_t lost = 0;    ///< that the log does not tell of yet
  uint64_t refused = 0; ///< that are no records, or too large
  std::string root;     ///< of the last checkpoint; empty: there is none
  int64_t checkpoint_wall_ns = 0;
  bool refuses = false; ///< requests are to be refused now
  std::string failing;  ///< why the last commit failed; empty: it did not
  auto fields() {
    return std::tie(durable, sealed, lost, refused, root, checkpoint_wall_ns,
                    refuses, failing);
  }
};

/// To itself: what has come by now is one commit.
struct audit_commit {
  uint8_t detail = 0;
  auto fields() { return std::tie(detail); }
};

} // namespace troupe
