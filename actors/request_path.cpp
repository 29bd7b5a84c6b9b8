#include "actors/request_path.hpp"

#include <algorithm>
#include <utility>

#include "core/base/random.hpp"

namespace troupe {

void request_path::begin(const generate_request& r, time_point now) {
  auto id = trace_id{r.trace_high, r.trace_low};
  // The many inputs of a request to embed would push all others out of the log.
  if (id == trace_id{} && !r.embed) {
    // Requests of other processes, and of this one's other lives, have others.
    auto seed = static_cast<uint64_t>(now.time_since_epoch().count());
    id = {random_bits(seed, r.request, 0), random_bits(seed, r.request, 1) | 1};
  }
  trace_.emplace(r.request, id, r.trace_parent, now);
  trace_->begin(stage::admit, now);
}

void request_path::admitted(time_point now) {
  if (trace_)
    trace_->end(stage::admit, now);
}

void request_path::asks_cache(time_point now) {
  if (trace_)
    trace_->begin(stage::cache, now);
}

void request_path::cache_answered(time_point now) {
  if (trace_)
    trace_->end(stage::cache, now);
}

// Where it was has failed, if it was anywhere.
void request_path::asks_for_place(time_point now) {
  if (!trace_)
    return;
  for (auto s : {stage::queue, stage::prefill, stage::handoff, stage::decode})
    trace_->end(s, now);
  // It asks again and again until there is a node.
  if (!std::exchange(placing_, true))
    trace_->begin(stage::place, now);
  prompt_done_ = handed_over_ = false;
}

void request_path::placed(bool split, time_point now) {
  if (!trace_)
    return;
  placing_ = false;
  trace_->end(stage::place, now);
  trace_->begin(stage::queue, now);
  placed_ = now;
  split_ = split;
}

void request_path::got(const sequence_output& o, time_point now) {
  auto computed = !o.tokens.empty() || o.reason != finish_reason::none;
  if (!trace_ || !computed || placed_ == time_point{})
    return;
  // The rest of the answer, if there is one.
  auto go_on = [&](stage s) {
    if (!o.tokens.empty())
      trace_->begin(s, now);
  };
  if (!std::exchange(prompt_done_, true)) {
    auto waited = std::clamp(duration{o.queue_ns}, duration{0}, now - placed_);
    trace_->end(stage::queue, placed_ + waited);
    trace_->begin(stage::prefill, placed_ + waited);
    trace_->end(stage::prefill, now);
    go_on(split_ ? stage::handoff : stage::decode);
  } else if (split_ && !std::exchange(handed_over_, true)) {
    trace_->end(stage::handoff, now);
    go_on(stage::decode);
  }
}

std::optional<request_profile> request_path::take(time_point now) {
  if (!trace_)
    return std::nullopt;
  trace_->finish(now);
  auto ns = [](time_point t) { return t.time_since_epoch().count(); };
  auto p = request_profile{};
  p.request = trace_->request();
  p.trace_high = trace_->trace().high;
  p.trace_low = trace_->trace().low;
  p.parent = trace_->parent();
  p.begin_ns = ns(trace_->begin());
  p.end_ns = ns(trace_->end());
  for (auto& s : trace_->spans())
    p.stages.push_back({s.what, ns(s.begin), ns(s.end)});
  trace_.reset();
  return p;
}

} // namespace troupe
