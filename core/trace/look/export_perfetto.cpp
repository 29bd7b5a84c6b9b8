#include <string>

#include "core/trace/look/trace_export.hpp"

namespace troupe {

namespace {

using namespace trace_words;

// Handlings of actors whose process is not known do not exist.
class exporter {
public:
  exporter(const trace_model& m, const trace_sink& sink)
      : m_(m), sink_(sink), begin_(m.begin_ns()) {}

  bool run() {
    if (!sink_("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"))
      return false;
    for (uint32_t i = 0; i < m_.processes.size(); ++i)
      if (!name_process(i))
        return false;
    for (uint32_t i = 0; i < m_.actors.size(); ++i)
      if (m_.actors[i].process != trace_none && !name_thread(i))
        return false;
    for (uint32_t i = 0; i < m_.messages.size(); ++i)
      if (!add(i))
        return false;
    return sink_("\n]}\n");
  }

private:
  bool event(const std::string& fields) {
    return sink_((first_ ? "{" : ",\n{") + fields + "}") && !(first_ = false);
  }

  bool name_process(uint32_t i) {
    auto role = m_.processes[i].says("role");
    return event("\"ph\":\"M\",\"name\":\"process_name\",\"pid\":"
                 + std::to_string(i + 1) + ",\"tid\":0,\"args\":{\"name\":"
                 + json(role.empty() ? "process " + std::to_string(i)
                                     : std::string{role})
                 + "}");
  }

  bool name_thread(uint32_t i) {
    return event("\"ph\":\"M\",\"name\":\"thread_name\"," + where(i)
                 + ",\"args\":{\"name\":" + json(m_.actor_name(i)) + "}");
  }

  std::string where(uint32_t actor) const {
    return "\"pid\":" + std::to_string(m_.actors[actor].process + 1)
           + ",\"tid\":" + std::to_string(actor + 1);
  }

  // Microseconds, exact to the nanosecond.
  std::string at(int64_t ns) const {
    auto d = int64_t{0};
    if (__builtin_sub_overflow(ns, begin_, &d))
      d = 0;
    return micros(d);
  }
  static std::string micros(int64_t ns) {
    auto magnitude = ns < 0 ? uint64_t{0} - static_cast<uint64_t>(ns)
                            : static_cast<uint64_t>(ns);
    auto rest = std::to_string(magnitude % 1000);
    return (ns < 0 ? "-" : "") + std::to_string(magnitude / 1000) + "."
           + std::string(3 - rest.size(), '0') + rest;
  }

  bool add(uint32_t i) {
    auto& x = m_.messages[i];
    if (!x.is(trace_is_handled) || m_.actors[x.receiver].process == trace_none)
      return true;
    auto slice =
        "\"ph\":\"X\",\"cat\":\"handling\",\"name\":" + json(m_.type_name(x))
        + "," + where(x.receiver) + ",\"ts\":" + at(x.begun_ns)
        + ",\"dur\":" + micros(x.handling_ns()) + ",\"args\":{\"message\":"
        + std::to_string(i) + ",\"request\":" + std::to_string(x.request)
        + ",\"from\":" + json(m_.actor_name(x.sender))
        + ",\"bytes\":" + std::to_string(x.bytes)
        + ",\"queued_us\":" + micros(x.queueing_ns()) + "}";
    return event(slice) && add_flow(i);
  }

  // From the slice in which it was sent to that in which it was handled.
  bool add_flow(uint32_t i) {
    auto& x = m_.messages[i];
    if (x.cause == trace_none || x.left_ns == trace_never || x.is_pseudo())
      return true;
    auto& cause = m_.messages[x.cause];
    if (!cause.is(trace_is_handled)
        || m_.actors[cause.receiver].process == trace_none)
      return true;
    auto both = "\"cat\":\"message\",\"name\":" + json(m_.type_name(x))
                + ",\"id\":" + std::to_string(i) + ",";
    return event("\"ph\":\"s\"," + both + where(cause.receiver)
                 + ",\"ts\":" + at(x.left_ns))
           && event("\"ph\":\"f\",\"bp\":\"e\"," + both + where(x.receiver)
                    + ",\"ts\":" + at(x.begun_ns));
  }

  const trace_model& m_;
  const trace_sink& sink_;
  int64_t begin_;
  bool first_ = true;
};

} // namespace

bool export_perfetto(const trace_model& m, const trace_sink& sink) {
  return exporter{m, sink}.run();
}

} // namespace troupe
