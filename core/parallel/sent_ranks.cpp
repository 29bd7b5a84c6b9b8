#include "core/parallel/sent_ranks.hpp"

#include <algorithm>
#include <cassert>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>

namespace troupe {

struct sent_ranks::state {
  state(uint64_t g, uint32_t r, uint32_t n, send to)
      : group(g), rank(r), ranks(n), carry(std::move(to)), inbox(g, r, n) {}

  void fail_with(error why) {
    auto lock = std::lock_guard{mutex};
    if (!failure)
      failure = std::move(why);
    changed.notify_all();
  }

  void lose(uint32_t lost, const error& why) {
    fail_with(fail(errc::abandoned, "rank " + std::to_string(lost) + " of "
                                        + std::to_string(ranks)
                                        + " was lost: " + why.message));
  }

  const uint64_t group;
  const uint32_t rank;
  const uint32_t ranks;
  const send carry;
  std::mutex mutex;
  std::condition_variable changed;
  // Under the mutex.
  part_inbox inbox;
  std::optional<error> failure;
};

class sent_ranks::member : public collective {
public:
  explicit member(std::shared_ptr<state> s)
      : collective(s->rank, s->ranks), s_(std::move(s)) {}

  ~member() override { leave(fail(errc::abandoned, "it ended")); }

  void leave(const error& why) override { s_->lose(rank(), why); }

protected:
  result<void> run(const collective_operation& op) override {
    {
      auto lock = std::lock_guard{s_->mutex};
      s_->inbox.next(op.number);
    }
    auto from = op.mine.begin();
    for (auto r = uint32_t{0}; r < ranks(); ++r) {
      auto n = op.to.empty() ? op.mine.size() : op.to[r];
      if (r != rank())
        send_to(r, op, {from, n});
      if (!op.to.empty())
        from += static_cast<ptrdiff_t>(n);
    }
    if (auto ok = wait(op); !ok)
      return ok;
    if (op.kind == collective_kind::all_reduce)
      add(op);
    else
      take(op);
    return {};
  }

private:
  /// What `from` is to bring; of this rank's own what it keeps.
  static size_t expected(const collective_operation& op, uint32_t from) {
    return op.from.empty() ? op.out.size() : op.from[from];
  }

  std::span<const float> own(const collective_operation& op) const {
    if (op.to.empty())
      return op.mine;
    auto before = size_t{0};
    for (auto r = uint32_t{0}; r < rank(); ++r)
      before += op.to[r];
    return op.mine.subspan(before, op.to[rank()]);
  }

  std::span<const float> brought(const collective_operation& op,
                                 uint32_t from) const {
    return from == rank() ? own(op) : parts_[from];
  }

  void send_to(uint32_t to, const collective_operation& op,
               std::span<const float> values) {
    for (auto first = size_t{0}; first < values.size();
         first += rank_part::max_piece) {
      auto some = values.subspan(
          first, std::min(rank_part::max_piece, values.size() - first));
      s_->carry({s_->group,
                 rank(),
                 to,
                 op.number,
                 op.kind,
                 first,
                 values.size(),
                 {some.begin(), some.end()}});
    }
  }

  // Until all is here. The parts stay where they are until the next operation,
  // which this very thread begins.
  result<void> wait(const collective_operation& op) {
    parts_.assign(ranks(), {});
    auto lock = std::unique_lock{s_->mutex};
    for (auto r = uint32_t{0}; r < ranks(); ++r) {
      auto want = expected(op, r);
      if (r == rank() || want == 0)
        continue;
      auto* part = static_cast<const rank_part*>(nullptr);
      s_->changed.wait(lock, [&] {
        part = s_->inbox.find(op.number, r);
        return part != nullptr || s_->failure;
      });
      if (part == nullptr)
        return *s_->failure;
      if (part->kind != op.kind || part->values.size() != want)
        return fail(errc::invalid_argument,
                    "rank " + std::to_string(r) + " of "
                        + std::to_string(ranks())
                        + " came with other sizes to operation "
                        + std::to_string(op.number) + " than rank "
                        + std::to_string(rank()));
      parts_[r] = part->values;
    }
    return {};
  }

  void add(const collective_operation& op) {
    // `mine` may be `out`.
    auto first = brought(op, 0);
    sum_.assign(first.begin(), first.end());
    for (auto r = uint32_t{1}; r < ranks(); ++r) {
      auto values = brought(op, r);
      for (auto i = size_t{0}; i < sum_.size(); ++i)
        sum_[i] += values[i];
    }
    std::copy(sum_.begin(), sum_.end(), op.out.begin());
  }

  void take(const collective_operation& op) {
    auto out = op.out.begin();
    for (auto r = uint32_t{0}; r < ranks(); ++r) {
      auto values = brought(op, r);
      out = std::copy(values.begin(), values.end(), out);
    }
  }

  std::shared_ptr<state> s_;
  std::vector<std::span<const float>> parts_; ///< [ranks]
  std::vector<float> sum_;
};

sent_ranks::sent_ranks(uint64_t group, uint32_t rank, uint32_t ranks, send to)
    : state_(std::make_shared<state>(group, rank, ranks, std::move(to))) {
  assert(rank < ranks);
}

sent_ranks::~sent_ranks() = default;

std::unique_ptr<collective> sent_ranks::join() {
  return std::make_unique<member>(state_);
}

void sent_ranks::receive(rank_part p) {
  auto lock = std::lock_guard{state_->mutex};
  auto whole = state_->inbox.add(std::move(p));
  if (!whole && !state_->failure)
    state_->failure = whole.failure();
  if (!whole || *whole)
    state_->changed.notify_all();
}

void sent_ranks::lose(uint32_t rank, const error& why) {
  state_->lose(rank, why);
}

} // namespace troupe
