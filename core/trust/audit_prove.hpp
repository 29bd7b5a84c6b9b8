#pragma once

#include <vector>

#include "core/trust/audit_anchor.hpp"
#include "core/trust/merkle_proof.hpp"

namespace troupe {

/// The tree of a log whose chain was followed from its first file on.
struct audit_tree {
  audit_log_id log{};
  merkle_tree tree;
  std::vector<audit_anchor> checkpoints; ///< in their order
};

/// Reads the log, and looks at all hashes and signatures. `sources` as
/// `verify_audit_log`. Errors: bad_file, with the first finding.
result<audit_tree>
read_audit_tree(std::vector<audit_source> sources,
                const std::optional<ed25519_public_key>& key = {});

/// Shows that a record is in the log that a checkpoint seals.
struct inclusion_proof {
  uint64_t record = 0;
  sha256_digest leaf{};
  merkle_path path;
  audit_anchor checkpoint;
};

/// Against the newest checkpoint. Errors: invalid_argument, if that does not
/// seal the record, or the record is in an earlier file than was read.
result<inclusion_proof> prove_inclusion(const audit_tree& t, uint64_t record);

/// Shows that the log of `size` records begins with that of `old_size`.
struct consistency_proof {
  uint64_t old_size = 0;
  uint64_t size = 0;
  sha256_digest old_root{};
  sha256_digest root{};
  merkle_path path;
};

/// Errors: invalid_argument, unless 0 < old_size <= size and both are sealed,
/// or what it needs is in an earlier file than was read.
result<consistency_proof> prove_consistency(const audit_tree& t,
                                            uint64_t old_size, uint64_t size);

} // namespace troupe
