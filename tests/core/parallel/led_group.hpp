#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/engine/rank_follower.hpp"
#include "core/engine/rank_leader.hpp"
#include "core/parallel/rank_kind.hpp"
#include "core/parallel/sent_ranks.hpp"
#include "core/parallel/shared_ranks.hpp"
#include "core/parallel/tensor_shard.hpp"
#include "tests/core/parallel/group_run.hpp"

namespace troupe::test {

/// Commands on their way to a rank.
class command_queue {
public:
  /// Nothing: the end.
  void push(std::optional<rank_command> c) {
    auto lock = std::lock_guard{mutex_};
    queue_.push_back(std::move(c));
    changed_.notify_one();
  }

  std::optional<rank_command> pop() {
    auto lock = std::unique_lock{mutex_};
    changed_.wait(lock, [&] { return !queue_.empty(); });
    auto c = std::move(queue_.front());
    queue_.pop_front();
    return c;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::optional<rank_command>> queue_;
};

/// An engine as rank 0, and a thread for each other rank, that does what it is
/// told until the group ends.
class led_group {
public:
  /// `sends`: the ranks send each other what they bring, as processes do.
  led_group(std::shared_ptr<const model> m, rank_kind kind, uint32_t n,
            const group_options& o, bool sends = false)
      : ends_(n), queues_(n) {
    auto shared = shared_ranks{n};
    if (sends)
      for (auto r = uint32_t{0}; r < n; ++r)
        sent_.push_back(
            std::make_unique<sent_ranks>(7, r, n, [this](rank_part p) {
              sent_[p.to]->receive(std::move(p));
            }));
    auto join = [&](uint32_t r) {
      return sends ? sent_[r]->join() : shared.join(r);
    };
    auto options = [m, kind, o](collective* ranks) {
      auto e = options_of(o);
      (kind == rank_kind::tensor ? e.tensor_ranks : e.sequence_ranks) = ranks;
      e.whole = kind == rank_kind::tensor ? m.get() : nullptr;
      return e;
    };
    auto weights = [&](uint32_t r) {
      return kind == rank_kind::tensor ? *load_shard(m, n, r) : m;
    };
    for (auto r = uint32_t{1}; r < n; ++r)
      threads_.emplace_back([this, r, w = weights(r), kv = o.kv, mine = join(r),
                             options]() mutable {
        auto follower = rank_follower{w, options(mine.get()), kv};
        while (auto c = queues_[r].pop())
          if (auto ok = follower.on(*c); !ok) {
            ends_[r] = ok.failure();
            mine->leave(ok.failure());
            break;
          }
        blocks_ += follower.blocks();
      });
    mine_ = join(0);
    auto layout = kv_layout_of(m->params, o.kv);
    leader_.emplace(layout, *kv_heads_of(*m, kind, n),
                    [this](uint32_t rank, rank_command c) {
                      queues_[rank].push(std::move(c));
                    });
    auto e = options(mine_.get());
    e.leader = &*leader_;
    engine_.emplace(weights(0), e);
    arena_ = make_block_arena(engine_->layout(o.kv));
    if (arena_->layout() != layout)
      throw std::logic_error{"rank 0 does not keep all KV"};
  }

  ~led_group() { end(); }

  engine& rank_0() { return *engine_; }
  rank_leader& leader() { return *leader_; }
  const std::shared_ptr<block_arena>& arena() { return arena_; }

  /// Ends all ranks. How each ended, if not so; and the blocks they had then.
  const std::vector<error>& end() {
    for (auto& q : queues_)
      q.push({});
    threads_.clear();
    return ends_;
  }
  uint32_t blocks() const { return blocks_; }

  /// Sends rank `r` something else.
  void tell(uint32_t r, rank_command c) { queues_[r].push(std::move(c)); }

private:
  std::vector<error> ends_;           ///< [ranks]
  std::vector<command_queue> queues_; ///< [ranks]
  std::vector<std::unique_ptr<sent_ranks>> sent_;
  std::atomic<uint32_t> blocks_ = 0;
  std::vector<std::jthread> threads_;
  std::unique_ptr<collective> mine_;
  std::optional<rank_leader> leader_;
  std::optional<engine> engine_;
  std::shared_ptr<block_arena> arena_;
};

} // namespace troupe::test
