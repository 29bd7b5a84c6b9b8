#include "core/trace/trace_check.hpp"

#include <algorithm>

namespace troupe {

namespace {

// Each message has one cause at most: walks go from effect to cause, and stop
// where an earlier walk was.
uint64_t count_in_cycles(const trace_model& m) {
  auto walk = std::vector<uint32_t>(m.messages.size()); // 0: not seen
  auto n = uint64_t{0};
  for (uint32_t first = 0; first < walk.size(); ++first) {
    auto i = first;
    while (i != trace_none && walk[i] == 0) {
      walk[i] = first + 1;
      i = m.messages[i].cause;
    }
    if (i == trace_none || walk[i] != first + 1)
      continue;
    auto start = i;
    do {
      ++n;
      i = m.messages[i].cause;
    } while (i != start);
  }
  return n;
}

void count_origin(trace_check& c, const trace_message& m) {
  if (m.cause != trace_none)
    ++c.caused;
  else if (!m.is(trace_lost_departure | trace_lost_cause | trace_lost_arrival))
    ++c.outside;
  c.inferred += m.is(trace_inferred);
  c.lost_departures += m.is(trace_lost_departure);
  c.lost_causes += m.is(trace_lost_cause);
  c.lost_arrivals += m.is(trace_lost_arrival);
}

void count_end(trace_check& c, const trace_model& all, const trace_message& m) {
  if (m.is(trace_is_handled))
    ++c.handled;
  else if (all.is_waiting(m))
    ++c.unhandled;
  else if (m.is(trace_arrived))
    ++c.to_outside;
  else if (m.is(trace_is_timer))
    ++c.pending_timers;
  else
    ++c.undelivered;
}

// By how much it is too early; at most 0 if it is not.
int64_t earliness(const trace_model& all, const trace_message& m,
                  const trace_tolerance& t) {
  auto by = int64_t{0};
  auto compare = [&by](int64_t before, int64_t after, int64_t allowed) {
    if (before == trace_never || after == trace_never)
      return;
    auto d = int64_t{0};
    if (!__builtin_sub_overflow(before, after, &d) && d > allowed)
      by = std::max(by, d);
  };
  compare(m.left_ns, m.arrived_ns, t.within_ns);
  compare(m.arrived_ns, m.begun_ns, t.within_ns);
  if (m.cause == trace_none)
    return by;
  auto& parent = all.messages[m.cause];
  auto sent = m.is_pseudo() ? m.begun_ns : m.left_ns;
  auto allowed = m.is(trace_inferred) ? t.between_ns : t.within_ns;
  compare(parent.begun_ns, sent, allowed);
  // What is sent in a handling is sent before its end.
  if (!m.is_pseudo() && !m.is(trace_inferred))
    compare(sent, parent.ended_ns, allowed);
  return by;
}

} // namespace

trace_check check_trace(const trace_model& m, const trace_tolerance& t) {
  auto c = trace_check{};
  for (auto& p : m.processes)
    c.dropped += p.dropped;
  for (auto& f : m.findings)
    c.findings += f.size();
  for (auto& x : m.messages) {
    if (auto by = earliness(m, x, t); by > 0) {
      ++c.early;
      c.early_ns = std::max(c.early_ns, by);
    }
    if (x.is_pseudo())
      continue;
    ++c.messages;
    count_origin(c, x);
    count_end(c, m, x);
  }
  c.cycles = count_in_cycles(m);
  return c;
}

std::vector<uint32_t> causal_tree(const trace_model& m, uint64_t request) {
  auto is_in = std::vector<bool>(m.messages.size());
  auto tree = std::vector<uint32_t>{};
  for (uint32_t i = 0; i < m.messages.size(); ++i) {
    if (request == 0 || m.messages[i].request != request)
      continue;
    for (auto j = i; j != trace_none && !is_in[j]; j = m.messages[j].cause) {
      is_in[j] = true;
      tree.push_back(j);
    }
  }
  std::sort(tree.begin(), tree.end());
  return tree;
}

std::vector<uint32_t> causes_of(const trace_model& m, uint32_t message) {
  auto path = std::vector<uint32_t>{};
  // Where causes go round, they meet the place that a slower walk has reached.
  auto slow = message;
  for (auto i = message; i != trace_none; i = m.messages[i].cause) {
    if (!path.empty() && i == slow)
      break;
    path.push_back(i);
    if (path.size() % 2 == 0)
      slow = m.messages[slow].cause;
  }
  return path;
}

std::vector<uint64_t> requests_of(const trace_model& m) {
  auto all = std::vector<uint64_t>{};
  for (auto& x : m.messages)
    if (x.request != 0 && (all.empty() || all.back() != x.request))
      all.push_back(x.request);
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

} // namespace troupe
