#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>

#include "actors/node_ranks.hpp"
#include "core/parallel/sent_ranks.hpp"

namespace troupe {

/// The ranks of a node that are processes of their own: where each is, and the
/// group that is under way. Shared by the hub, which hears of them, and by the
/// node's thread, which sends to them. For any thread.
class outside_ranks : public std::enable_shared_from_this<outside_ranks> {
public:
  /// `weights`: rank 0's. `seed`: of groups' numbers, which should not come
  /// twice on the same ranks.
  outside_ranks(rank_kind kind, std::shared_ptr<const model> weights,
                std::vector<part> heads, uint64_t seed);

  uint32_t ranks() const { return static_cast<uint32_t>(heads_.size()); }
  rank_kind kind() const { return kind_; }

  // -- what the hub hears -----------------------------------------------------

  void seat(uint32_t rank, rank_link_actor link);
  /// The rank is gone: so is the group.
  void unseat(uint32_t rank, const error& why);
  /// To rank 0, or on to another one.
  void receive(rank_part p);
  /// A rank cannot go on with a group; no effect on later ones.
  void on(const rank_lost& m);
  void on(const rank_taken& m);

  // -- what a node wants ------------------------------------------------------

  /// Begins a group with the ranks that have seats, for a new life of the node;
  /// the one before is over. If one has none, the group has lost it already.
  std::shared_ptr<node_ranks> renew();

  /// Bytes of KV on their way to a rank at most; who has more to send waits.
  static constexpr uint64_t max_unread = uint64_t{8} << 20;

private:
  void send(rank_part p);
  void tell(uint64_t group, uint32_t rank, rank_command c);

  rank_kind kind_;
  std::shared_ptr<const model> weights_;
  std::vector<part> heads_; ///< [ranks]
  std::mutex mutex_;
  std::condition_variable changed_;
  // Under the mutex.
  uint64_t group_;
  std::vector<rank_link_actor> links_; ///< [ranks]; null: not there
  std::vector<uint64_t> unread_;       ///< [ranks]
  std::shared_ptr<sent_ranks> current_;
};

} // namespace troupe
