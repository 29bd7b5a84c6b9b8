#include "core/trace/look/trace_show.hpp"

#include <string_view>

namespace troupe {

namespace {

using namespace trace_words;

bool is_named(const trace_model& m, uint32_t actor, std::string_view wanted) {
  if (actor == trace_none)
    return false;
  return m.actors[actor].name == wanted || m.actor_name(actor) == wanted;
}

bool is_type(const trace_model& m, const trace_message& x,
             std::string_view wanted) {
  return m.type_name(x) == wanted
         || (x.type != trace_none && !x.is_pseudo()
             && m.types[x.type] == wanted);
}

int64_t since(int64_t origin, int64_t at) {
  auto d = int64_t{0};
  return __builtin_sub_overflow(at, origin, &d) ? 0 : d;
}

int64_t first_ns(const trace_message& x) {
  return x.left_ns != trace_never      ? x.left_ns
         : x.arrived_ns != trace_never ? x.arrived_ns
                                       : x.begun_ns;
}

// Names come from the file.
std::string name_of(const trace_model& m, uint32_t actor) {
  return printable(m.actor_name(actor));
}

std::string way_of(const trace_model& m, const trace_message& x) {
  if (x.is_pseudo() && x.sender == trace_none)
    return name_of(m, x.receiver);
  if (x.sender == x.receiver)
    return name_of(m, x.receiver) + " ↺";
  return name_of(m, x.sender) + " → " + name_of(m, x.receiver);
}

// What became of it.
std::string fate_of(const trace_model& m, const trace_message& x) {
  auto s = std::string{};
  if (x.is(trace_is_timer))
    s += "  after " + duration(static_cast<int64_t>(x.delay_ns));
  else if (x.is(trace_departed) && x.is(trace_arrived))
    s += "  on its way " + duration(x.wire_ns());
  if (x.is(trace_is_handled)) {
    if (x.is(trace_arrived))
      s += "  queued " + duration(x.queueing_ns());
    s += "  handled " + duration(x.handling_ns());
  } else if (m.is_waiting(x)) {
    s += "  not handled";
  } else if (!x.is(trace_arrived)) {
    s += x.is(trace_is_timer) ? "  not due" : "  not arrived";
  }
  return s;
}

} // namespace

bool trace_filter::takes(const trace_model& m, uint32_t message) const {
  auto& x = m.messages[message];
  if (request != 0 && x.request != request)
    return false;
  if (!actor.empty() && !is_named(m, x.sender, actor)
      && !is_named(m, x.receiver, actor))
    return false;
  if (!type.empty() && !is_type(m, x, type))
    return false;
  auto at = since(m.begin_ns(), first_ns(x));
  return (!from_ns || at >= *from_ns) && (!to_ns || at <= *to_ns);
}

std::string show_message(const trace_model& m, uint32_t message,
                         int64_t origin_ns, bool with_number) {
  auto& x = m.messages[message];
  auto s = std::string{};
  if (with_number)
    s += right(std::to_string(message), 7) + " ";
  s += right(exact_ms(since(origin_ns, first_ns(x))), 14) + " ms  ";
  s += left(way_of(m, x), 36) + "  " + left(printable(m.type_name(x)), 20);
  if (x.request != 0)
    s += "  request " + std::to_string(x.request);
  s += fate_of(m, x);
  if (x.bytes > 0)
    s += "  " + bytes(x.bytes);
  return s += '\n';
}

bool show_trace(const trace_model& m, const trace_filter& f,
                const trace_sink& sink) {
  auto origin = m.begin_ns();
  for (uint32_t i = 0; i < m.messages.size(); ++i)
    if (f.takes(m, i) && !sink(show_message(m, i, origin)))
      return false;
  return true;
}

} // namespace troupe
