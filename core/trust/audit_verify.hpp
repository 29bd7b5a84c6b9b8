#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/trust/audit_walker.hpp"

namespace troupe {

/// A file of a log, and how to name it.
struct audit_source {
  std::string name;
  const_bytes bytes;
};

struct audit_verify_options {
  /// That signs from the first source on; without it the one that its header
  /// names, which says nothing about who wrote it.
  std::optional<ed25519_public_key> key;
  /// Only what follows the checkpoint of so many records.
  std::optional<uint64_t> from_checkpoint;
  /// What one thread does at a time.
  uint64_t part_bytes = uint64_t{8} << 20;
};

/// Something that is not as it was written.
struct audit_finding {
  size_t source = 0;
  std::string file;
  uint64_t record = 0; ///< the one it is, or the next one
  uint64_t offset = 0; ///< in the file
  std::string what;
};

/// "audit.log: record 17 at byte 4096: ..."
std::string to_string(const audit_finding& f);

/// What a checkpoint says that was found to be right.
struct audit_sealed {
  size_t source = 0;
  uint64_t offset = 0;
  uint64_t records = 0;
  sha256_digest chain{};
  sha256_digest root{};
  audit_time time;
  ed25519_public_key key{};
};

struct audit_report {
  std::vector<audit_finding> findings; ///< in their order in the log
  std::vector<std::string> files;
  audit_log_id log{};
  uint64_t first = 0;   ///< record that was looked at
  uint64_t records = 0; ///< in the log, up to its last whole one
  uint64_t sealed = 0;  ///< by a checkpoint
  std::vector<audit_sealed> checkpoints;
  /// Where a write was cut short, after the last whole frame of the log. That
  /// is no tampering: but it may be that somebody removed an end.
  std::optional<audit_damage> torn;
  std::string torn_file;
  bool closed = false; ///< its writer ended in good order
};

/// Looks whether a log is what was written. The parts can be checked by several
/// threads, each once, each in a thread of its own.
class audit_verification {
public:
  /// `sources`: a log's files in their order, or the last ones of them, at
  /// least one; their bytes stay as long as this. invalid_argument, if there is
  /// no such checkpoint.
  static result<audit_verification> plan(std::vector<audit_source> sources,
                                         const audit_verify_options& options);

  size_t parts() const { return parts_.size(); }
  uint64_t bytes_of(size_t part) const;
  void check(size_t part);
  /// REQUIRES: all parts were checked.
  audit_report report() const;

private:
  struct part {
    size_t source = 0;
    audit_mark start;
    bool check_start = false;
    uint64_t end = 0;
    std::vector<audit_mark> marks;
    // What came of it.
    std::vector<audit_finding> findings;
    std::vector<audit_sealed> sealed;
  };
  using wrong = std::optional<std::string>;

  explicit audit_verification(std::vector<audit_source> sources)
      : sources_(std::move(sources)) {}

  void find(std::vector<audit_finding>& to, size_t source, uint64_t record,
            uint64_t offset, std::string what) const;
  void leave_out_torn_file();
  void join(size_t source);
  void split(size_t source, uint64_t part_bytes);
  void drop_before(size_t part);
  result<void> begin_at(uint64_t records);
  uint64_t go_on(part& p, audit_walker& w, uint64_t after) const;

  std::vector<audit_source> sources_;
  std::vector<std::optional<audit_index>> indexes_;
  std::unique_ptr<audit_keys> keys_;
  std::vector<audit_finding> findings_;
  std::vector<part> parts_;
  std::optional<audit_source> torn_file_; ///< begun, and not finished
  uint64_t first_ = 0;
};

/// All of it, in this thread.
result<audit_report> verify_audit_log(std::vector<audit_source> sources,
                                      const audit_verify_options& options = {});

} // namespace troupe
