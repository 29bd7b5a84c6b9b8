#include <string>

#include "core/trace/look/trace_export.hpp"

// OTLP's JSON: 64-bit integers are strings, enumerations numbers, ids hex.

namespace troupe {

namespace {

using namespace trace_words;

std::string hex(uint64_t x) {
  auto s = std::string(16, '0');
  for (auto i = size_t{16}; i-- > 0; x >>= 4)
    s[i] = "0123456789abcdef"[x & 15];
  return s;
}

std::string text(std::string_view key, std::string_view value) {
  return "{\"key\":" + json(key) + ",\"value\":{\"stringValue\":" + json(value)
         + "}}";
}

std::string integer(std::string_view key, int64_t value) {
  return "{\"key\":" + json(key) + ",\"value\":{\"intValue\":\""
         + std::to_string(value) + "\"}}";
}

class exporter {
public:
  exporter(const trace_model& m, const trace_sink& sink) : m_(m), sink_(sink) {}

  bool run() {
    if (!sink_("{\"resourceSpans\":["))
      return false;
    for (uint32_t p = 0; p < m_.processes.size(); ++p)
      if (!process(p))
        return false;
    return sink_("]}\n");
  }

private:
  bool process(uint32_t p) {
    auto& about = m_.processes[p];
    auto head = std::string{p > 0 ? "," : ""}
                + "{\"resource\":{\"attributes\":["
                + text("service.name", "troupe") + ","
                + text("service.instance.id", hex(about.id));
    for (auto& [key, value] : about.about)
      head += "," + text("troupe." + std::string{key}, value);
    head += "]},\"scopeSpans\":[{\"scope\":{\"name\":\"troupe\"},\"spans\":[";
    if (!sink_(head))
      return false;
    auto first = true;
    for (auto i : m_.handlings[p]) {
      if (!sink_((first ? "" : ",") + span(i)))
        return false;
      first = false;
    }
    return sink_("]}]}");
  }

  // Never zero, and the same for all files of a trace, whichever are given
  // besides: the process and the request say which.
  std::string trace_of(uint32_t i) const {
    auto& x = m_.messages[i];
    // What belongs to no request is a trace of its process.
    return x.request != 0 ? hex(0x74726f757065) + hex(x.request)
                          : hex(m_.processes[x.process].id | 1) + hex(0);
  }
  static std::string span_id(uint32_t i) { return hex(uint64_t{i} + 1); }

  std::string span(uint32_t i) const {
    auto& x = m_.messages[i];
    auto trace = trace_of(i);
    auto parent =
        x.cause != trace_none && m_.messages[x.cause].is(trace_is_handled);
    auto is_same = parent && trace_of(x.cause) == trace;
    auto s = "{\"traceId\":\"" + trace + "\",\"spanId\":\"" + span_id(i)
             + "\",\"parentSpanId\":\"" + (is_same ? span_id(x.cause) : "")
             + "\",\"name\":"
             + json(m_.type_name(x))
             // 5: of a consumer, which handles a message.
             + ",\"kind\":5,\"startTimeUnixNano\":\""
             + std::to_string(x.begun_ns) + "\",\"endTimeUnixNano\":\""
             + std::to_string(x.ended_ns) + "\",\"attributes\":["
             + text("actor", m_.actor_name(x.receiver)) + ","
             + text("sender", m_.actor_name(x.sender)) + ","
             + integer("request.id", static_cast<int64_t>(x.request)) + ","
             + integer("queued.ns", x.queueing_ns()) + ","
             + integer("wire.ns", x.wire_ns()) + "," + integer("bytes", x.bytes)
             + "]";
    if (parent && !is_same)
      s += ",\"links\":[{\"traceId\":\"" + trace_of(x.cause)
           + "\",\"spanId\":\"" + span_id(x.cause) + "\"}]";
    return s + "}";
  }

  const trace_model& m_;
  const trace_sink& sink_;
};

} // namespace

bool export_otlp(const trace_model& m, const trace_sink& sink) {
  return exporter{m, sink}.run();
}

} // namespace troupe
