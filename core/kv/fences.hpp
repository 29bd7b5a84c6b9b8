#pragma once

#include <algorithm>
#include <deque>
#include <map>

#include "core/base/ids.hpp"

namespace troupe {

/// Which lives of which sequences are over on a node, for messages that come
/// late. Remembers the newest `most` sequences.
class fences {
public:
  explicit fences(size_t most = 4096) : most_(most) {}

  /// This life of the sequence and all before are over. `taken`: the node had
  /// accepted it, so its source may be told so again.
  void add(seq_id seq, epoch_t epoch, bool taken) {
    auto [i, fresh] = marks_.try_emplace(seq, mark{epoch, taken});
    if (!fresh) {
      if (epoch >= i->second.epoch)
        i->second = {epoch,
                     taken || (epoch == i->second.epoch && i->second.taken)};
      return;
    }
    order_.push_back(seq);
    if (order_.size() > most_) {
      marks_.erase(order_.front());
      order_.pop_front();
    }
  }

  bool over(seq_id seq, epoch_t epoch) const {
    auto i = marks_.find(seq);
    return i != marks_.end() && epoch <= i->second.epoch;
  }

  /// This very life was accepted here, and has ended since.
  bool taken(seq_id seq, epoch_t epoch) const {
    auto i = marks_.find(seq);
    return i != marks_.end() && epoch == i->second.epoch && i->second.taken;
  }

private:
  struct mark {
    epoch_t epoch;
    bool taken;
  };
  std::map<seq_id, mark> marks_;
  std::deque<seq_id> order_;
  size_t most_;
};

} // namespace troupe
