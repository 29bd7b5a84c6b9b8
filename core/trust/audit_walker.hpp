#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/trust/audit_index.hpp"

namespace troupe {

/// Which key signs what: the one of a log's beginning, and those that records
/// named after it. Of any thread.
class audit_keys {
public:
  /// `changes` ascend.
  audit_keys(const ed25519_public_key& first,
             const std::vector<audit_key_change>& changes);

  /// A record that names a new key is sealed with the former one, by the
  /// checkpoint that follows it.
  const signature_checker& of_checkpoint(uint64_t records) const;
  const signature_checker& of_header(uint64_t records) const;
  const ed25519_public_key& last() const { return keys_.back().second.key(); }

private:
  /// From how many records on.
  std::vector<std::pair<uint64_t, signature_checker>> keys_;
};

/// Follows the chain of one file, frame by frame.
class audit_walker {
public:
  audit_walker(const_bytes file, const audit_log_id& log,
               const audit_keys& keys)
      : file_(file), log_(log), keys_(keys) {}

  /// Takes what the mark says for the past. `checked`: if it is signed; what is
  /// wrong otherwise. REQUIRES: a mark of this file.
  std::optional<std::string> start(const audit_mark& mark, bool checked);

  /// The frame at `offset`, or what is wrong with it. REQUIRES: one is there.
  std::optional<std::string> step(uint64_t offset);

  /// Where the frame ends that was last looked at.
  uint64_t end() const { return end_; }
  const audit_chain& chain() const { return chain_; }
  /// The checkpoint that `start` or `step` was last at.
  const std::optional<audit_checkpoint>& checkpoint() const { return last_; }

private:
  std::optional<std::string> on_record(const audit_frame& f);
  std::optional<std::string> on_checkpoint(const audit_frame& f);
  std::optional<std::string> check_signed(const audit_checkpoint& c) const;

  const_bytes file_;
  audit_log_id log_;
  const audit_keys& keys_;
  audit_chain chain_;
  std::optional<audit_checkpoint> last_;
  uint64_t end_ = 0;
  uint64_t since_ = 0;     ///< records at the last mark
  bool key_named_ = false; ///< by the record before
};

} // namespace troupe
