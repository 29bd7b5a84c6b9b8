#include "core/observe/spans.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace troupe {

std::string_view to_string(stage s) {
  constexpr auto names = std::array<std::string_view, stages>{
      "admit",   "cache",   "place",  "queue",
      "prefill", "handoff", "decode", "settle"};
  auto i = static_cast<size_t>(s);
  return i < names.size() ? names[i] : "?";
}

void request_trace::begin(stage s, time_point now) {
  end(s, now);
  open_ |= 1u << static_cast<unsigned>(s);
  open_since_[static_cast<size_t>(s)] = now;
}

void request_trace::end(stage s, time_point now) {
  auto bit = 1u << static_cast<unsigned>(s);
  if ((open_ & bit) == 0)
    return;
  open_ &= ~bit;
  auto since = open_since_[static_cast<size_t>(s)];
  auto until = std::max(since, now);
  end_ = std::max(end_, until);
  if (spans_.size() < most_spans)
    spans_.push_back({s, since, until});
  else
    ++dropped_;
}

void request_trace::finish(time_point now) {
  for (size_t s = 0; s < stages; ++s)
    end(static_cast<stage>(s), now);
  end_ = std::max(end_, now);
}

duration request_trace::spent(stage s) const {
  auto d = duration{0};
  for (auto& span : spans_)
    if (span.what == s)
      d += span.end - span.begin;
  return d;
}

void trace_log::add(request_trace t) {
  if (most_ == 0 || all_.size() >= most_)
    ++dropped_;
  if (most_ == 0)
    return;
  if (all_.size() >= most_)
    all_.pop_front();
  all_.push_back(std::move(t));
}

std::vector<request_trace> trace_log::take() {
  auto all = std::vector<request_trace>(std::move_iterator{all_.begin()},
                                        std::move_iterator{all_.end()});
  all_.clear();
  return all;
}

} // namespace troupe
