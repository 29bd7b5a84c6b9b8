#include "core/serving/token_stream.hpp"

namespace troupe {

uint32_t token_stream::accept(uint32_t index,
                              const std::vector<token_id>& tokens) {
  auto before = ready_.size();
  for (auto token : tokens) {
    if (index == ready_.size())
      ready_.push_back(token);
    else if (index > ready_.size())
      early_.emplace(index, token);
    ++index;
  }
  for (auto i = early_.begin(); i != early_.end() && i->first <= ready_.size();
       i = early_.erase(i))
    if (i->first == ready_.size())
      ready_.push_back(i->second);
  return static_cast<uint32_t>(ready_.size() - before);
}

} // namespace troupe
