#pragma once

#include <memory>

#include "core/parallel/collective.hpp"

namespace troupe {

/// A group of ranks in one process: each reads what the others bring where it
/// lies. A rank is a thread of the caller's.
class shared_ranks {
public:
  explicit shared_ranks(uint32_t ranks);

  /// The part of a rank in the group, at most once for each. Its end is one of
  /// the ways in which a rank is lost.
  std::unique_ptr<collective> join(uint32_t rank);

  /// Rank `rank` is lost: the others do not wait for it, now or later. For any
  /// thread.
  void lose(uint32_t rank, const error& why);

private:
  struct state;
  class member;
  std::shared_ptr<state> state_;
};

} // namespace troupe
