#include "core/parallel/shared_ranks.hpp"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace troupe {

namespace {

/// A rank that is late is looked for before it is waited for, since most come
/// within microseconds of each other; most of the looks let other threads run,
/// for the rank may want this very core.
constexpr auto busy_looks = 50;
constexpr auto looks = 150;

void relax(int look) {
#ifdef __x86_64__
  if (look < busy_looks)
    return __builtin_ia32_pause();
#endif
  std::this_thread::yield();
}

} // namespace

// Each operation is two meetings. At the first all operations are there; from
// then on each rank reads the others' buffers, and only after the second may
// one go: so the second is waited for even if a rank is lost meanwhile, and it
// always comes, since what lies between them waits for nobody.
struct shared_ranks::state {
  explicit state(uint32_t ranks) : posted(ranks) {}

  uint32_t ranks() const { return static_cast<uint32_t>(posted.size()); }

  void lose(uint32_t rank, const error& why) {
    auto lock = std::lock_guard{mutex};
    if (failed)
      return;
    failure = fail(errc::abandoned, "rank " + std::to_string(rank) + " of "
                                        + std::to_string(ranks())
                                        + " was lost: " + why.message);
    failed = true;
    changed.notify_all();
  }

  /// Returns whether all ranks met; otherwise one of them was lost.
  bool meet(bool may_fail) {
    auto lock = std::unique_lock{mutex};
    if (may_fail && failed)
      return false;
    auto now = meetings.load();
    if (++arrived == ranks()) {
      arrived = 0;
      meetings = now + 1;
      changed.notify_all();
      return true;
    }
    auto is_over = [&] { return meetings != now || (may_fail && failed); };
    lock.unlock();
    for (auto i = 0; i < looks && !is_over(); ++i)
      relax(i);
    lock.lock();
    changed.wait(lock, is_over);
    if (meetings != now)
      return true;
    --arrived;
    return false;
  }

  std::mutex mutex;
  std::condition_variable changed;
  uint32_t arrived = 0; ///< under the mutex
  error failure;        ///< under the mutex until failed, then constant
  std::atomic<bool> failed = false;
  std::atomic<uint64_t> meetings = 0;
  /// [ranks]: written before the first meeting, read until the second.
  std::vector<const collective_operation*> posted;
};

class shared_ranks::member : public collective {
public:
  member(uint32_t rank, std::shared_ptr<state> s)
      : collective(rank, s->ranks()), s_(std::move(s)) {}

  ~member() override { leave(fail(errc::abandoned, "it ended")); }

  void leave(const error& why) override { s_->lose(rank(), why); }

protected:
  result<void> run(const collective_operation& op) override {
    s_->posted[rank()] = &op;
    if (!s_->meet(true))
      return s_->failure;
    auto fits = agree();
    if (fits)
      take(op);
    s_->meet(false);
    if (fits && op.kind == collective_kind::all_reduce)
      std::copy_n(sum_.begin(), op.out.size(), op.out.begin());
    return fits;
  }

private:
  const collective_operation& of(uint32_t rank) const {
    return *s_->posted[rank];
  }

  /// All ranks come to the same answer.
  result<void> agree() const {
    auto& first = of(0);
    for (auto r = uint32_t{0}; r < ranks(); ++r) {
      auto& op = of(r);
      auto same = op.kind == first.kind && op.number == first.number;
      if (same && op.kind == collective_kind::all_reduce)
        same = op.out.size() == first.out.size();
      if (same && op.kind == collective_kind::all_gather)
        same = std::equal(op.from.begin(), op.from.end(), first.from.begin());
      if (same && op.kind == collective_kind::all_to_all)
        for (auto other = uint32_t{0}; other < r; ++other)
          same = same && of(other).to[r] == op.from[other]
                 && op.to[other] == of(other).from[r];
      if (!same)
        return fail(
            errc::invalid_argument,
            "rank " + std::to_string(r) + " of " + std::to_string(ranks())
                + " came with other sizes to operation "
                + std::to_string(first.number) + " than those before it");
    }
    return {};
  }

  void take(const collective_operation& op) {
    if (op.kind == collective_kind::all_reduce)
      return add();
    auto* out = op.out.data();
    for (auto r = uint32_t{0}; r < ranks(); ++r) {
      auto* from = of(r).mine.data();
      if (op.kind == collective_kind::all_to_all)
        for (auto before = uint32_t{0}; before < rank(); ++before)
          from += of(r).to[before];
      out = std::copy_n(from, op.from[r], out);
    }
  }

  void add() {
    auto& first = of(0).mine;
    sum_.assign(first.begin(), first.end());
    for (auto r = uint32_t{1}; r < ranks(); ++r) {
      auto* from = of(r).mine.data();
      for (auto i = size_t{0}; i < sum_.size(); ++i)
        sum_[i] += from[i];
    }
  }

  std::shared_ptr<state> s_;
  std::vector<float> sum_;
};

shared_ranks::shared_ranks(uint32_t ranks)
    : state_(std::make_shared<state>(ranks)) {
  assert(ranks > 0);
}

std::unique_ptr<collective> shared_ranks::join(uint32_t rank) {
  return std::make_unique<member>(rank, state_);
}

void shared_ranks::lose(uint32_t rank, const error& why) {
  state_->lose(rank, why);
}

} // namespace troupe
