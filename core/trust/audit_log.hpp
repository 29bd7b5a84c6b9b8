#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/base/time.hpp"
#include "core/trust/audit_files.hpp"
#include "core/trust/audit_format.hpp"
#include "core/trust/audit_record.hpp"

namespace troupe {

struct audit_log_options {
  /// A checkpoint follows so many records, or when one has waited so long.
  uint64_t checkpoint_records = 4096;
  duration checkpoint_interval = std::chrono::seconds{1};
  /// A file that has so many bytes is followed by another one.
  uint64_t segment_bytes = uint64_t{256} << 20;
  /// What may be appended and not committed.
  size_t most_pending_bytes = size_t{64} << 20;
  /// Which log a new one is: random.
  audit_log_id id{};
};

/// What the log was when it was opened.
struct audit_recovery {
  bool is_new = false;
  uint64_t records = 0;    ///< whole ones
  uint64_t unsealed = 0;   ///< of them, after the last checkpoint
  uint64_t torn_bytes = 0; ///< cut off, where a write was cut short
};

/// Writes an audit log: records gather in a batch, which `commit` makes
/// durable. What is refused by the disk is lost, and the log says so once there
/// is room. One thread at a time.
class audit_log {
public:
  /// Goes on with the log in that folder, or begins one. What a write left that
  /// was cut short is cut off. Records "log_opened", which is durable then.
  /// Errors: io_error; bad_file, if it was changed, or is of another format;
  /// invalid_argument, if another key signs it.
  static result<audit_log> open(std::unique_ptr<audit_folder> folder,
                                signing_key key, audit_log_options options,
                                audit_time now);

  /// Adds a record to the batch; its number, if the commit succeeds.
  /// invalid_argument: it is too large. overloaded: the batch is.
  result<uint64_t> append(const audit_record& r);

  /// Makes the batch durable, and with it a checkpoint where one is due. After
  /// io_error nothing of the batch is in the log, it is counted in `lost`, and
  /// the next commit tries again to record how many were. Without a batch:
  /// does what is due.
  result<void> commit(audit_time now);

  /// The same, and a checkpoint even if none is due.
  result<void> seal(audit_time now);

  /// Whether a commit without a batch has anything to do.
  bool due(audit_time now) const;

  /// Lets `next` sign from here on. Errors: as `commit`; then the former key
  /// goes on.
  result<void> change_key(signing_key next, audit_time now);

  /// Records that it ends in good order. Nothing is to be appended after it.
  result<void> close(audit_time now);

  const audit_log_id& id() const { return id_; }
  const audit_recovery& recovered() const { return recovered_; }
  /// Records that are durable, and those before a checkpoint.
  uint64_t durable() const { return durable_.chain.records(); }
  uint64_t sealed() const { return sealed_; }
  uint64_t pending() const { return live_.chain.records() - durable(); }
  /// Records that were refused by the disk and are not told of in the log yet.
  uint64_t lost() const { return lost_; }
  /// Why the last commit failed.
  const std::optional<error>& failing() const { return failing_; }
  /// The last one that is durable; none before the first.
  const std::optional<audit_checkpoint>& checkpoint() const {
    return checkpoint_;
  }

private:
  struct place {
    audit_chain chain;
    uint64_t bytes = 0; ///< of the current file
  };

  audit_log(std::unique_ptr<audit_folder> folder, signing_key key,
            audit_log_options options)
      : folder_(std::move(folder)), key_(std::move(key)), options_(options) {}

  // audit_recovery.cpp
  result<void> recover(audit_time now);
  result<void> resume(const_bytes file, audit_time now);
  result<void> begin_segment(uint32_t segment, audit_time now);

  result<uint64_t> put(const audit_record& r);
  result<void> put_checkpoint(audit_time now);
  result<void> put_gap(audit_time now);
  result<void> write(audit_time now, bool seal);
  result<void> flush();
  void drop_batch(const error& why);
  void rotate(audit_time now);
  bool checkpoint_due(audit_time now) const;

  std::unique_ptr<audit_folder> folder_;
  std::unique_ptr<audit_file> file_;
  std::unique_ptr<audit_file> begun_; ///< the next one, if it came to nothing
  signing_key key_;
  audit_log_options options_;
  audit_log_id id_{};
  audit_recovery recovered_;
  uint32_t segment_ = 0;

  raw_bytes batch_;
  place durable_;
  place live_;                 ///< with the batch
  uint64_t batch_gap_ = 0;     ///< losses that the batch tells of
  uint64_t batch_records_ = 0; ///< of the callers
  std::optional<audit_checkpoint> batch_checkpoint_;

  uint64_t sealed_ = 0;
  int64_t unsealed_since_ = 0; ///< mono_ns of a commit
  std::optional<audit_checkpoint> checkpoint_;
  uint64_t lost_ = 0;
  bool untidy_ = false;  ///< the file's end is not known
  bool rotated_ = false; ///< the next batch has to tell of it
  std::optional<error> failing_;
};

} // namespace troupe
