#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/trust/audit_events.hpp"
#include "core/trust/audit_log.hpp"
#include "core/trust/audit_verify.hpp"

namespace troupe::testing {

/// A disk in memory, which can be full, fail, or lose power.
struct audit_disk {
  struct file {
    std::vector<std::byte> bytes;
    size_t durable = 0;
  };
  std::map<uint32_t, file> files;
  std::optional<size_t> room; ///< bytes that it takes; none: any number
  bool sync_fails = false;
  bool cut_fails = false;
  bool create_fails = false;
  uint64_t seed = 0; ///< other than 0: each call fails one time in four
  uint64_t calls = 0;
  size_t syncs = 0;

  /// What is not durable is lost but for `kept` bytes of each file.
  void lose_power(size_t kept = 0);
  uint64_t size() const;

  /// Whether the call that is made fails.
  bool breaks();
};

std::unique_ptr<audit_folder>
open_disk(const std::shared_ptr<audit_disk>& disk);

/// The same in each test.
signing_key test_key(uint8_t seed = 1);

/// Of so many nanoseconds; on the wall it is 2024.
audit_time audit_at(int64_t mono_ns);

/// One of many, 200 bytes or so.
audit_record some_record(uint64_t n);

struct audit_world {
  std::shared_ptr<audit_disk> disk = std::make_shared<audit_disk>();
  audit_log_options options;
  int64_t now = 0;

  audit_world();

  audit_time time() { return audit_at(now); }
  audit_log open(uint8_t key = 1);
  /// Appends so many records, in commits of so many.
  void write(audit_log& log, size_t records, size_t in_each = 1);

  std::vector<audit_source> sources() const;
  audit_report verify(const audit_verify_options& o = {}) const;
  /// All that whole frames say.
  std::vector<audit_record> records() const;
};

} // namespace troupe::testing
