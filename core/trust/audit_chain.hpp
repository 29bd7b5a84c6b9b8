#pragma once

#include "core/trust/merkle.hpp"

namespace troupe {

/// When something is written.
struct audit_time {
  int64_t wall_ns = 0; ///< since 1970, UTC
  int64_t mono_ns = 0; ///< on the clock of the process
};

/// All that an audit log must know of its past to go on: a hash over every byte
/// before, in which each depends on those before it, and the Merkle tree of the
/// records. One hash of a record is both its leaf and the next link:
/// leaf = SHA-256(0x00, value before, record).
class audit_chain {
public:
  audit_chain() = default;
  audit_chain(const sha256_digest& value, const merkle_frontier& tree)
      : value_(value), tree_(tree) {}

  void add_record(const_bytes body);
  void add_checkpoint(const_bytes body);
  void add_header(const_bytes header);

  uint64_t records() const { return tree_.size(); }
  const sha256_digest& value() const { return value_; }
  const merkle_frontier& tree() const { return tree_; }
  /// What the next frame holds of `value`: that it belongs here can be seen
  /// without a checkpoint.
  uint64_t link() const { return load_unaligned<uint64_t>(value_.data()); }

  friend bool operator==(const audit_chain&, const audit_chain&) = default;

private:
  void add(std::byte tag, const_bytes bytes);

  sha256_digest value_{};
  merkle_frontier tree_;
};

} // namespace troupe
