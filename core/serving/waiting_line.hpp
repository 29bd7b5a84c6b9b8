#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "core/base/ids.hpp"

namespace troupe {

/// Who waits for memory on a node, in the order in which they come in. Nobody
/// overtakes, but for a plan that says who comes in first; where plans are
/// made, only those it names, the first `planned()`, are meant to come in.
class waiting_line {
public:
  /// Behind all others. REQUIRES: it does not wait already.
  void push(seq_id seq) { line_.push_back(seq); }

  /// One more of those in front may come in without a plan.
  /// REQUIRES: planned() < size().
  void let_in() { ++planned_; }

  /// No effect if it does not wait.
  void erase(seq_id seq);

  /// `order` comes in first, first first; whoever of it no longer waits is left
  /// out. All others keep their order behind it.
  void plan(const std::vector<seq_id>& order);

  void clear();

  bool empty() const { return line_.empty(); }
  size_t size() const { return line_.size(); }
  size_t planned() const { return planned_; }
  /// REQUIRES: !empty().
  seq_id front() const { return line_.front(); }
  auto begin() const { return line_.begin(); }
  auto end() const { return line_.end(); }

private:
  std::deque<seq_id> line_;
  size_t planned_ = 0;
};

} // namespace troupe
