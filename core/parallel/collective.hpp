#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/base/result.hpp"

namespace troupe {

enum class collective_kind : uint8_t { all_reduce, all_gather, all_to_all };

/// What one rank brings to an operation of its group, and where it wants what
/// it gets: one buffer there, one buffer back.
struct collective_operation {
  collective_kind kind = collective_kind::all_reduce;
  /// Of this rank's operations, from 0; equal at all ranks.
  uint64_t number = 0;
  std::span<const float> mine;
  /// [ranks]: of `mine`, what each rank is to get, in their order; of an
  /// all_gather empty, for all get everything.
  std::span<const size_t> to;
  std::span<float> out;
  /// [ranks]: of `out`, what each rank brings, in their order; of an all_reduce
  /// empty, for all bring everything.
  std::span<const size_t> from;
};

/// What one of several ranks does together with the others. All ranks call the
/// same operations in the same order; each returns when this rank has its part.
/// A rank that is lost is an error which names it, here and in all operations
/// afterwards: a group that lost a rank never comes back. For one thread.
class collective {
public:
  /// REQUIRES: rank < ranks.
  collective(uint32_t rank, uint32_t ranks) : rank_(rank), ranks_(ranks) {}
  collective(const collective&) = delete;
  collective& operator=(const collective&) = delete;
  virtual ~collective() = default;

  uint32_t rank() const { return rank_; }
  uint32_t ranks() const { return ranks_; }

  /// Replaces `data` by the sum over all ranks, which is added from rank 0 on,
  /// whoever comes first, and is the same at all of them bit for bit.
  result<void> all_reduce(std::span<float> data);

  /// `all` becomes what rank 0 brings, then rank 1, …
  /// REQUIRES: counts: [ranks], the same at all ranks; counts[rank()] is the
  /// size of `mine`, their sum that of `all`.
  result<void> all_gather(std::span<const float> mine,
                          std::span<const size_t> counts, std::span<float> all);

  /// Of `mine`, rank r gets to[r] values; of `got`, from[r] came from rank r.
  /// REQUIRES: [ranks] each, with the buffers' sizes as sums; what a rank sends
  /// is what the other expects.
  result<void> all_to_all(std::span<const float> mine,
                          std::span<const size_t> to, std::span<float> got,
                          std::span<const size_t> from);

  /// This rank does not go on: the other ranks' operations fail.
  virtual void leave(const error& why) = 0;

  /// The error that ended this group, or null.
  const error* failure() const { return failure_ ? &*failure_ : nullptr; }

  uint64_t operations() const { return operations_; }

  /// Bytes that this rank would have sent so far if the ranks were a ring, each
  /// sending to the next: 2 (n - 1) / n of what is reduced, all of what is
  /// gathered but the next rank's own; and of what goes from rank to rank all
  /// but its own.
  uint64_t bytes_sent() const { return bytes_sent_; }

protected:
  /// Does operation `op`. Errors: abandoned, naming the rank that was lost;
  /// invalid_argument if the ranks bring what does not fit together.
  virtual result<void> run(const collective_operation& op) = 0;

private:
  result<void> next(collective_operation op, size_t sent);

  uint32_t rank_;
  uint32_t ranks_;
  uint64_t operations_ = 0;
  uint64_t bytes_sent_ = 0;
  std::optional<error> failure_;
};

} // namespace troupe
