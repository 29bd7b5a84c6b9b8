#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "core/base/ids.hpp"
#include "core/base/time.hpp"

namespace troupe {

/// What a request goes through, in that order where it comes to it.
enum class stage : uint8_t {
  admit,   ///< limits of its tenant
  cache,   ///< an answer that is there already
  place,   ///< a node for it
  queue,   ///< at the node, until its first step
  prefill, ///< to the first token
  handoff, ///< its KV goes to another node
  decode,  ///< to the last token
  settle,  ///< the books
};

constexpr auto stages = size_t{8};

std::string_view to_string(stage s);

/// Names of a trace from outside, as W3C's traceparent has them.
struct trace_id {
  uint64_t high = 0;
  uint64_t low = 0;
  bool operator==(const trace_id&) const = default;
};

/// One stage of one request. Stages recur where a request is placed again.
struct stage_span {
  stage what = stage::admit;
  time_point begin = {};
  time_point end = {}; ///< never before `begin`
};

/// The spans of a request, while it runs and after.
class request_trace {
public:
  /// A request makes no more spans than that; the rest is counted.
  static constexpr auto most_spans = size_t{64};

  /// `parent`: the caller's span, 0 if it has none.
  request_trace(request_id request, trace_id trace, uint64_t parent,
                time_point now)
      : request_(request), trace_(trace), parent_(parent), begin_(now),
        end_(now) {
    spans_.reserve(stages);
  }

  /// The stage begins; one of the same kind that is open ends.
  void begin(stage s, time_point now);
  /// It ends; no effect if it is not open.
  void end(stage s, time_point now);
  /// The request is over, and with it what is open.
  void finish(time_point now);

  request_id request() const { return request_; }
  trace_id trace() const { return trace_; }
  uint64_t parent() const { return parent_; }
  time_point begin() const { return begin_; }
  time_point end() const { return end_; }
  const std::vector<stage_span>& spans() const { return spans_; }
  uint32_t dropped() const { return dropped_; }
  /// All times in that stage, those that ended.
  duration spent(stage s) const;

private:
  request_id request_;
  trace_id trace_;
  uint64_t parent_;
  time_point begin_;
  time_point end_;
  std::vector<stage_span> spans_; ///< as they ended
  std::array<time_point, stages> open_since_{};
  uint32_t open_ = 0; ///< a bit for each stage
  uint32_t dropped_ = 0;
};

/// The last requests, until they are exported.
class trace_log {
public:
  explicit trace_log(size_t most) : most_(most) {}

  /// The oldest one goes if there is no room, and is counted.
  void add(request_trace t);
  std::vector<request_trace> take();
  uint64_t dropped() const { return dropped_; }

private:
  size_t most_;
  std::deque<request_trace> all_;
  uint64_t dropped_ = 0;
};

} // namespace troupe
