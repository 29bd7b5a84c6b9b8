#include "core/serving/preempt_scheduler.hpp"

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <vector>

#include "core/serving/schedule_runner.hpp"

namespace troupe {

namespace {

// Candidates that may fail to find victims before the search is given up.
constexpr auto max_failures = 8;

using runner = schedule_runner;

class planner {
public:
  planner(const schedule_view& view, const schedule_policy& policy,
          const swap_cost& cost)
      : view_(view), policy_(policy), cost_(cost) {
    auto at = schedule_context{view, policy, cost};
    all_.reserve(view.entries.size());
    for (auto& e : view.entries)
      all_.emplace_back(e, at);
    std::sort(all_.begin(), all_.end(),
              [](auto& a, auto& b) { return a.key() < b.key(); });
    auto active = size_t{0};
    room_ = view.free_blocks;
    rows_ = view.max_rows;
    for (auto& r : all_) {
      r.place = static_cast<uint32_t>(&r - all_.data());
      auto moving = r.entry->phase == schedule_phase::moving;
      if (moving && r.entry->leaving) {
        room_ += r.entry->blocks;
      } else if (moving || r.entry->phase == schedule_phase::running) {
        ++active;
        soon_ += r.soon;
        later_ += r.later;
        --rows_;
        if (r.entry->prefilling)
          backlog_ += r.entry->tokens_to_compute;
        if (!moving)
          running_.push_back(&r);
      }
    }
    idle_ = active == 0;
    // `running_` is in order here: its first is never to be a victim for want
    // of blocks.
    first_ = running_.empty() ? nullptr : running_.front();
    by_end_ = running_;
    std::sort(by_end_.begin(), by_end_.end(), [](auto* a, auto* b) {
      return std::tie(a->left_ns, a->place) < std::tie(b->left_ns, b->place);
    });
    // Best victims first.
    std::sort(running_.begin(), running_.end(), [](auto* a, auto* b) {
      return a->victim_key() < b->victim_key();
    });
  }

  schedule_plan make() {
    plan_.number = view_.number;
    make_room_for_growth();
    bring_in();
    return std::move(plan_);
  }

private:
  // Blocks that may be given to somebody who comes in.
  int64_t spare() const { return room_ - later_; }

  void preempt(runner& r) {
    r.victim = true;
    room_ += r.entry->blocks;
    soon_ -= r.soon;
    later_ -= r.later;
    ++rows_;
    plan_.preempt.push_back({r.entry->seq, r.way});
  }

  // Whether it has been here long enough, and was not put out too often.
  bool settled(const runner& r) const {
    auto& e = *r.entry;
    auto ran =
        static_cast<double>(view_.now_ns) - static_cast<double>(e.resumed_ns);
    return e.preemptions < policy_.max_preemptions
           && ran >= cost_.decode_ns(policy_.min_run);
  }

  // Whoever runs must find its blocks for some steps to come.
  void make_room_for_growth() {
    for (auto choosy : {true, false})
      for (auto* r : running_) {
        if (soon_ <= room_)
          return;
        if (r == first_ || r->victim || (choosy && (r->due || !settled(*r))))
          continue;
        preempt(*r);
      }
  }

  void bring_in() {
    auto failures = 0;
    // Claimed by those who stand before and wait for somebody to end.
    auto claimed = int64_t{0};
    for (auto& c : all_) {
      auto& e = *c.entry;
      if (e.phase != schedule_phase::waiting
          && e.phase != schedule_phase::swapped)
        continue;
      auto tokens =
          e.phase == schedule_phase::waiting ? e.tokens_to_compute : 0;
      if (tokens > 0 && !c.due && backlog_ >= policy_.prefill_backlog)
        continue;
      auto need = e.blocks_to_start + c.later;
      // Nobody to wait for: then what it takes to start will do.
      if (idle_ && plan_.order.empty())
        need = e.blocks_to_start;
      if (fits(need, rows_, spare())
          || (failures < max_failures && displace(c, need, claimed))) {
        plan_.order.push_back(e.seq);
        room_ -= e.blocks_to_start;
        soon_ += c.soon;
        later_ += c.later;
        backlog_ += tokens;
        --rows_;
        continue;
      }
      // A due one is not overtaken; past the last search, only those who find
      // a free row come in.
      if (c.due || (++failures >= max_failures && rows_ <= 0))
        return;
      claimed += need;
    }
  }

  static bool fits(int64_t need, int64_t rows, int64_t spare) {
    return rows > 0 && need <= spare;
  }

  // Finds victims whose places `c` takes, if that is worth it.
  bool displace(const runner& c, int64_t need, int64_t claimed) {
    auto rows = rows_;
    auto room = spare();
    victims_.clear();
    for (auto* v : running_) {
      if (v->victim || v->place < c.place || v->entry->blocks == 0)
        continue;
      if (!c.due && !settled(*v))
        continue;
      victims_.push_back(v);
      ++rows;
      room += v->entry->blocks + v->later;
      if (fits(need, rows, room))
        break;
    }
    if (!fits(need, rows, room))
      return false;
    // The last ones may do without the first.
    std::erase_if(victims_, [&](auto* v) {
      auto frees = v->entry->blocks + v->later;
      if (!fits(need, rows - 1, room - frees))
        return false;
      --rows;
      room -= frees;
      return true;
    });
    if (!c.due && !gains(c, need + claimed))
      return false;
    for (auto* v : victims_)
      preempt(*v);
    return true;
  }

  // Whether the sum of completion times falls by enough if the victims wait for
  // `c`, which otherwise waits until `need` blocks come free by themselves.
  bool gains(const runner& c, int64_t need) const {
    auto loss = 0.;
    auto cost = 0.;
    for (auto* v : victims_) {
      if (v->entry->priority > c.entry->priority)
        continue; // a class above does not ask
      loss += c.left_ns;
      // Computing again holds up all who run, copying only the victim.
      auto others = v->way == preempt_way::recompute ? running_.size() : 1;
      cost += v->back_ns * static_cast<double>(others);
    }
    if (loss == 0)
      return true;
    return wait_ns(need) - loss > policy_.min_gain * cost;
  }

  double wait_ns(int64_t need) const {
    auto room = spare();
    auto rows = rows_;
    auto last = 0.;
    for (auto* r : by_end_) {
      if (r->victim)
        continue;
      room += r->entry->blocks + r->later;
      ++rows;
      last = r->left_ns;
      if (fits(need, rows, room))
        break;
    }
    return last;
  }

  const schedule_view& view_;
  const schedule_policy& policy_;
  const swap_cost& cost_;
  std::vector<runner> all_;       ///< in order
  std::vector<runner*> running_;  ///< best victims first
  std::vector<runner*> by_end_;   ///< running, first to end first
  std::vector<runner*> victims_;  ///< for one candidate
  const runner* first_ = nullptr; ///< of those that run
  bool idle_ = false;             ///< nobody holds or will hold blocks
  int64_t room_ = 0;              ///< blocks free or coming free
  int64_t rows_ = 0;              ///< the same of rows
  int64_t soon_ = 0;              ///< blocks wanted within `horizon`
  uint64_t backlog_ = 0;          ///< tokens to prefill of those that run
  int64_t later_ = 0;             ///< blocks wanted within `admit_horizon`
  schedule_plan plan_;
};

} // namespace

schedule_plan plan_schedule(const schedule_view& view,
                            const schedule_policy& policy,
                            const swap_cost& cost) {
  return planner{view, policy, cost}.make();
}

} // namespace troupe
