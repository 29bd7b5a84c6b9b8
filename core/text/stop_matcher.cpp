#include "core/text/stop_matcher.hpp"

#include <algorithm>

namespace troupe {

stop_matcher::stop_matcher(std::vector<std::string> stops) {
  for (auto& stop : stops) {
    if (stop.empty())
      continue;
    auto p = pattern{};
    p.text = std::move(stop);
    p.border.assign(p.text.size(), 0);
    for (auto i = size_t{1}, k = size_t{0}; i < p.text.size(); ++i) {
      while (k > 0 && p.text[i] != p.text[k])
        k = p.border[k - 1];
      if (p.text[i] == p.text[k])
        ++k;
      p.border[i] = static_cast<uint32_t>(k);
    }
    patterns_.push_back(std::move(p));
  }
}

// Goes on with `text`, which begins at `from` in the stream.
void stop_matcher::advance(pattern& p, std::string_view text, uint64_t from) {
  for (auto i = size_t{0}; i < text.size() && !p.found; ++i) {
    while (p.matched > 0 && text[i] != p.text[p.matched])
      p.matched = p.border[p.matched - 1];
    if (text[i] == p.text[p.matched])
      ++p.matched;
    if (p.matched == p.text.size())
      p.found = from + i + 1 - p.text.size();
  }
}

std::string stop_matcher::push(std::string_view text) {
  if (stopped_)
    return {};
  auto from = released_ + held_.size();
  held_ += text;
  auto end = released_ + held_.size();
  auto match = UINT64_MAX; // where the earliest whole one begins
  auto maybe = end;        // where the earliest unfinished one begins
  for (auto& p : patterns_) {
    advance(p, text, from);
    if (p.found)
      match = std::min(match, *p.found);
    else
      maybe = std::min(maybe, end - p.matched);
  }
  if (match <= maybe)
    return cut(match);
  return release(maybe);
}

std::string stop_matcher::finish() {
  if (stopped_)
    return {};
  auto match = UINT64_MAX;
  for (auto& p : patterns_)
    if (p.found)
      match = std::min(match, *p.found);
  if (match != UINT64_MAX)
    return cut(match);
  return release(released_ + held_.size());
}

std::string stop_matcher::release(uint64_t end) {
  auto n = static_cast<size_t>(end - released_);
  auto out = held_.substr(0, n);
  held_.erase(0, n);
  released_ = end;
  return out;
}

std::string stop_matcher::cut(uint64_t at) {
  auto out = release(at);
  held_.clear();
  stopped_ = true;
  return out;
}

} // namespace troupe
