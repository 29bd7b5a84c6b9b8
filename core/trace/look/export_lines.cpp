#include <string>

#include "core/trace/look/trace_export.hpp"

namespace troupe {

namespace {

using namespace trace_words;

std::string number(int64_t ns) {
  return ns == trace_never ? "null" : std::to_string(ns);
}

std::string actor(const trace_model& m, uint32_t a) {
  if (a == trace_none)
    return "null";
  return "{\"name\":" + json(m.actors[a].name)
         + ",\"number\":" + std::to_string(m.actors[a].number)
         + ",\"node\":" + json(m.nodes[m.actors[a].node]) + "}";
}

std::string flags_of(const trace_message& x) {
  struct named {
    uint16_t flag;
    const char* name;
  };
  constexpr named all[] = {{trace_is_init, "init"},
                           {trace_is_cleanup, "cleanup"},
                           {trace_departed, "departed"},
                           {trace_arrived, "arrived"},
                           {trace_is_handled, "handled"},
                           {trace_is_timer, "timer"},
                           {trace_lost_departure, "lost_departure"},
                           {trace_lost_arrival, "lost_arrival"},
                           {trace_lost_cause, "lost_cause"},
                           {trace_inferred, "inferred"}};
  auto s = std::string{"["};
  for (auto& f : all)
    if (x.is(f.flag))
      s += std::string{s.size() > 1 ? ",\"" : "\""} + f.name + "\"";
  return s + "]";
}

} // namespace

std::string json_line(const trace_model& m, uint32_t i) {
  auto& x = m.messages[i];
  return "{\"message\":" + std::to_string(i) + ",\"type\":"
         + json(m.type_name(x)) + ",\"sender\":" + actor(m, x.sender)
         + ",\"receiver\":" + actor(m, x.receiver) + ",\"process\":"
         + std::to_string(x.process) + ",\"mid\":" + std::to_string(x.mid)
         + ",\"request\":" + std::to_string(x.request)
         + ",\"bytes\":" + std::to_string(x.bytes) + ",\"cause\":"
         + (x.cause == trace_none ? "null" : std::to_string(x.cause))
         + ",\"left_ns\":" + number(x.left_ns) + ",\"arrived_ns\":"
         + number(x.arrived_ns) + ",\"begun_ns\":" + number(x.begun_ns)
         + ",\"ended_ns\":" + number(x.ended_ns) + ",\"delay_ns\":"
         + std::to_string(x.delay_ns) + ",\"flags\":" + flags_of(x) + "}\n";
}

bool export_lines(const trace_model& m, const trace_sink& sink) {
  for (uint32_t i = 0; i < m.messages.size(); ++i)
    if (!sink(json_line(m, i)))
      return false;
  return true;
}

} // namespace troupe
