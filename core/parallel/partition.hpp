#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/result.hpp"
#include "core/model/hparams.hpp"

namespace troupe {

/// [first, first + count) of something.
struct part {
  uint32_t first = 0;
  uint32_t count = 0;

  uint32_t end() const { return first + count; }
  friend bool operator==(const part&, const part&) = default;
};

/// What rank `rank` has of `total` things that are split as evenly as whole
/// units allow; lower ranks have the larger parts.
/// REQUIRES: unit divides total.
part part_of(uint32_t total, uint32_t ranks, uint32_t rank, uint32_t unit = 1);

/// Query heads of a rank, and the KV heads that these see.
struct head_part {
  part query;
  part kv;

  friend bool operator==(const head_part&, const head_part&) = default;
};

/// The heads of rank `rank`, such that a rank's queries are the same number for
/// each of its KV heads. Ranks have whole groups of queries where there are
/// enough groups; otherwise a KV head is that of several ranks. A rank's values
/// begin and end on multiples of `block` (those of an encoded block of the
/// matrix that they meet). invalid_argument if there is no such split.
result<head_part> heads_of(const hparams& p, uint32_t ranks, uint32_t rank,
                           uint32_t block = 1);

} // namespace troupe
