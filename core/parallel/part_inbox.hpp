#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "core/base/result.hpp"
#include "core/parallel/collective.hpp"

namespace troupe {

/// What a rank sends to another for an operation, or a piece of it.
struct rank_part {
  uint64_t group = 0; ///< of ranks; of another one's nothing is taken
  uint32_t from = 0;
  uint32_t to = 0;
  uint64_t number = 0; ///< of the operation
  collective_kind kind = collective_kind::all_reduce;
  uint64_t first = 0; ///< of `values` in all of the part
  uint64_t total = 0; ///< values of the part
  std::vector<float> values;

  /// Values of a piece at most: those of 2 MiB. All pieces of a part but its
  /// last one have as many.
  static constexpr size_t max_piece = size_t{1} << 19;
  /// Values of a part at most.
  static constexpr uint64_t max_total = uint64_t{1} << 28;
};

/// Puts what other ranks send together, whatever the order in which it comes;
/// pieces that come twice count once.
class part_inbox {
public:
  /// Operations that another rank may be ahead: one that gets nothing goes on.
  static constexpr uint64_t max_ahead = 16;

  part_inbox(uint64_t group, uint32_t rank, uint32_t ranks)
      : group_(group), rank_(rank), ranks_(ranks) {}

  /// Takes a piece. Whether it completes a part; invalid_argument if it cannot
  /// be one of this rank's, or does not fit to the others of its part.
  result<bool> add(rank_part piece);

  /// What `from` sent for operation `number`, once all of it is there: `kind`
  /// and `values`. Null until then. REQUIRES: number >= that of `next`.
  const rank_part* find(uint64_t number, uint32_t from) const;

  /// Operations before `number` are over.
  void next(uint64_t number);

  /// Parts that are here, whole or not.
  size_t size() const { return parts_.size(); }

private:
  struct incoming {
    rank_part part;
    std::vector<bool> pieces; ///< that are here
    size_t missing = 0;
  };

  uint64_t group_;
  uint32_t rank_;
  uint32_t ranks_;
  uint64_t next_ = 0;
  std::map<std::pair<uint64_t, uint32_t>, incoming> parts_; ///< number, from
};

} // namespace troupe
