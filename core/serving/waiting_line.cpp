#include "core/serving/waiting_line.hpp"

#include <algorithm>

namespace troupe {

void waiting_line::erase(seq_id seq) {
  if (!line_.empty() && line_.front() == seq) { // as most
    planned_ -= planned_ > 0 ? 1 : 0;
    return line_.pop_front();
  }
  auto i = std::find(line_.begin(), line_.end(), seq);
  if (i == line_.end())
    return;
  if (static_cast<size_t>(i - line_.begin()) < planned_)
    --planned_;
  line_.erase(i);
}

void waiting_line::plan(const std::vector<seq_id>& order) {
  auto first = std::deque<seq_id>{};
  for (auto seq : order)
    if (auto i = std::find(line_.begin(), line_.end(), seq); i != line_.end()) {
      first.push_back(seq);
      line_.erase(i);
    }
  planned_ = first.size();
  line_.insert(line_.begin(), first.begin(), first.end());
}

void waiting_line::clear() {
  line_.clear();
  planned_ = 0;
}

} // namespace troupe
