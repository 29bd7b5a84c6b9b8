#include "core/trace/look/trace_stats.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <tuple>

#include "core/trace/look/text.hpp"

namespace troupe {

namespace {

using namespace trace_words;

std::string_view kind_of(const trace_model& m, uint32_t actor) {
  if (actor == trace_none)
    return "nobody";
  auto name = m.actors[actor].name;
  return name.empty() ? std::string_view{"actor"} : name;
}

// REQUIRES: at least one value.
int64_t nearest_rank(std::vector<int64_t>& xs, double q) {
  auto n = static_cast<double>(xs.size());
  auto rank = static_cast<size_t>(std::max(1.0, std::ceil(q * n)));
  auto at = xs.begin() + static_cast<long>(rank - 1);
  std::nth_element(xs.begin(), at, xs.end());
  return *at;
}

trace_quantiles quantiles_of(std::vector<int64_t> xs) {
  if (xs.empty())
    return {};
  return {nearest_rank(xs, 0.5), nearest_rank(xs, 0.99),
          *std::max_element(xs.begin(), xs.end())};
}

struct samples {
  trace_flow flow;
  std::vector<int64_t> queueing;
  std::vector<int64_t> handling;
};

using flow_key =
    std::tuple<std::string_view, std::string_view, std::string_view>;

void add(samples& s, const trace_model& m, const trace_message& x) {
  ++s.flow.count;
  s.flow.bytes += x.bytes;
  s.flow.unhandled += m.is_waiting(x);
  if (!x.is(trace_is_handled))
    return;
  ++s.flow.handled;
  s.queueing.push_back(x.queueing_ns());
  s.handling.push_back(x.handling_ns());
}

// From leaving to the end; timers are late on purpose.
int64_t whole_ns(const trace_message& x) {
  auto wire = x.is(trace_is_timer) ? 0 : x.wire_ns();
  return trace_clock::add(wire,
                          trace_clock::add(x.queueing_ns(), x.handling_ns()));
}

// Those with the greatest values, in order.
template <class T, class F>
void keep_most(std::vector<T>& xs, size_t most, F value) {
  auto n = std::min(most, xs.size());
  std::partial_sort(xs.begin(), xs.begin() + static_cast<long>(n), xs.end(),
                    [&](auto& a, auto& b) { return value(a) > value(b); });
  xs.resize(n);
}

std::vector<trace_flow> flows_of(std::map<flow_key, samples>& by_key) {
  auto flows = std::vector<trace_flow>{};
  for (auto& [key, s] : by_key) {
    auto& f = s.flow;
    f.from = std::get<0>(key);
    f.to = std::get<1>(key);
    f.type = std::get<2>(key);
    f.queueing = quantiles_of(std::move(s.queueing));
    f.handling = quantiles_of(std::move(s.handling));
    flows.push_back(std::move(f));
  }
  std::stable_sort(flows.begin(), flows.end(),
                   [](auto& a, auto& b) { return a.count > b.count; });
  return flows;
}

} // namespace

trace_stats stats_of(const trace_model& m, uint64_t request, size_t most) {
  auto s = trace_stats{};
  auto by_key = std::map<flow_key, samples>{};
  auto busy = std::vector<trace_busy_actor>(m.actors.size());
  auto first = trace_never;
  auto last = trace_never;
  for (uint32_t i = 0; i < m.messages.size(); ++i) {
    auto& x = m.messages[i];
    if (request != 0 && x.request != request)
      continue;
    if (first == trace_never)
      first = x.left_ns;
    last = std::max(last, x.last_ns());
    if (x.is(trace_is_handled)) {
      auto& b = busy[x.receiver];
      ++b.handled;
      b.busy_ns = trace_clock::add(b.busy_ns, x.handling_ns());
    }
    if (x.is_pseudo())
      continue;
    add(by_key[{kind_of(m, x.sender), kind_of(m, x.receiver), m.type_name(x)}],
        m, x);
    if (x.is(trace_is_handled))
      s.slowest.push_back(i);
  }
  if (first != trace_never)
    __builtin_sub_overflow(last, first, &s.span_ns);
  s.flows = flows_of(by_key);
  keep_most(s.slowest, most, [&](uint32_t i) {
    return std::pair{whole_ns(m.messages[i]), -int64_t{i}};
  });
  for (uint32_t i = 0; i < busy.size(); ++i) {
    busy[i].actor = i;
    if (busy[i].handled > 0)
      s.busiest.push_back(busy[i]);
  }
  keep_most(s.busiest, most, [](auto& b) {
    return std::pair{b.busy_ns, -int64_t{b.actor}};
  });
  return s;
}

// -- as text ------------------------------------------------------------------

namespace {

std::string three_times(const trace_flow& f, const trace_quantiles& q) {
  if (f.handled == 0)
    return right("-", 9) + right("-", 9) + right("-", 9);
  return right(duration(q.p50), 9) + right(duration(q.p99), 9)
         + right(duration(q.max), 9);
}

std::string flow_line(const trace_flow& f) {
  auto way = printable(f.from) + " → " + printable(f.to);
  return left(way, 34) + " " + left(printable(f.type), 20)
         + right(std::to_string(f.count), 9) + right(bytes(f.bytes), 11) + " "
         + three_times(f, f.queueing) + " " + three_times(f, f.handling)
         + (f.unhandled > 0
                ? "  " + std::to_string(f.unhandled) + " not handled"
                : "")
         + "\n";
}

std::string slow_line(const trace_model& m, uint32_t i) {
  auto& x = m.messages[i];
  auto way = printable(m.actor_name(x.sender)) + " → "
             + printable(m.actor_name(x.receiver));
  return right(std::to_string(i), 9) + "  " + left(way, 34) + " "
         + left(printable(m.type_name(x)), 20) + right(duration(whole_ns(x)), 9)
         + right(duration(x.is(trace_is_timer) ? 0 : x.wire_ns()), 9)
         + right(duration(x.queueing_ns()), 9)
         + right(duration(x.handling_ns()), 9) + "\n";
}

std::string share_of(int64_t part, int64_t whole) {
  char text[16];
  auto x = whole > 0
               ? 100.0 * static_cast<double>(part) / static_cast<double>(whole)
               : 0.0;
  std::snprintf(text, sizeof text, "%.1f %%", x);
  return text;
}

} // namespace

std::string to_text(const trace_stats& s, const trace_model& m) {
  auto text = left("who to whom", 34) + " " + left("what", 20)
              + right("count", 9) + right("bytes", 11) + " "
              + right("queued p50", 10) + right("p99", 8) + right("max", 9)
              + " " + right("handled p50", 11) + right("p99", 7)
              + right("max", 9) + "\n";
  for (auto& f : s.flows)
    text += flow_line(f);
  text += "\n  message  " + left("slowest", 34) + " " + left("", 20)
          + right("whole", 9) + right("way", 9) + right("queued", 9)
          + right("handled", 9) + "\n";
  for (auto i : s.slowest)
    text += slow_line(m, i);
  text += "\n" + left("busiest", 34) + right("handled", 9) + right("busy", 11)
          + right("of the time", 14) + "\n";
  for (auto& b : s.busiest)
    text += left(printable(m.actor_name(b.actor)), 34)
            + right(std::to_string(b.handled), 9)
            + right(duration(b.busy_ns), 11)
            + right(share_of(b.busy_ns, s.span_ns), 14) + "\n";
  return text;
}

// -- as JSON ------------------------------------------------------------------

namespace {

std::string json_of(const trace_quantiles& q) {
  return "{\"p50_ns\":" + std::to_string(q.p50) + ",\"p99_ns\":"
         + std::to_string(q.p99) + ",\"max_ns\":" + std::to_string(q.max) + "}";
}

std::string json_of(const trace_flow& f) {
  return "{\"from\":" + json(f.from) + ",\"to\":" + json(f.to)
         + ",\"type\":" + json(f.type) + ",\"count\":" + std::to_string(f.count)
         + ",\"bytes\":" + std::to_string(f.bytes)
         + ",\"handled\":" + std::to_string(f.handled) + ",\"unhandled\":"
         + std::to_string(f.unhandled) + ",\"queueing\":" + json_of(f.queueing)
         + ",\"handling\":" + json_of(f.handling) + "}";
}

template <class Range, class F>
std::string list(const Range& xs, F f) {
  auto s = std::string{"["};
  for (auto& x : xs)
    s += (s.size() > 1 ? "," : "") + f(x);
  return s + "]";
}

} // namespace

std::string to_json(const trace_stats& s, const trace_model& m) {
  return "{\"span_ns\":" + std::to_string(s.span_ns) + ",\"flows\":"
         + list(s.flows, [](auto& f) { return json_of(f); }) + ",\"slowest\":"
         + list(s.slowest, [](uint32_t i) { return std::to_string(i); })
         + ",\"busiest\":"
         + list(s.busiest,
                [&m](auto& b) {
                  return "{\"actor\":" + json(m.actor_name(b.actor))
                         + ",\"handled\":" + std::to_string(b.handled)
                         + ",\"busy_ns\":" + std::to_string(b.busy_ns) + "}";
                })
         + "}";
}

} // namespace troupe
