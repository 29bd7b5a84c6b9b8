#pragma once

#include <functional>
#include <memory>

#include "core/parallel/part_inbox.hpp"

namespace troupe {

/// One rank of a group whose ranks send each other what they bring: of several
/// processes. Who owns this carries the parts, and notices that ranks are lost;
/// what is lost on the way is waited for until then.
class sent_ranks {
public:
  /// Takes a part to its rank. Called by the rank's thread; must not block.
  using send = std::function<void(rank_part)>;

  /// `group` is unique among all groups that parts could be of.
  sent_ranks(uint64_t group, uint32_t rank, uint32_t ranks, send to);
  ~sent_ranks();

  /// This rank's part in the group, at most once.
  std::unique_ptr<collective> join();

  /// Another rank sent something. For any thread. What cannot be right ends the
  /// group.
  void receive(rank_part p);

  /// Rank `rank` is lost: nobody waits for it, now or later. For any thread.
  void lose(uint32_t rank, const error& why);

private:
  struct state;
  class member;
  std::shared_ptr<state> state_;
};

} // namespace troupe
