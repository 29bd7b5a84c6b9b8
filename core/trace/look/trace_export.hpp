#pragma once

#include <cstdint>
#include <string>

#include "core/trace/look/text.hpp"
#include "core/trace/trace_model.hpp"

namespace troupe {

// What other programs load, written as it is made. False: the sink wanted no
// more.

/// Chrome's trace-event format in JSON, which ui.perfetto.dev loads: processes
/// are processes, actors threads, handlings slices, and messages flows between
/// them. Times are microseconds since the trace began.
bool export_perfetto(const trace_model& m, const trace_sink& sink);

/// The body of an OTLP request of /v1/traces in its JSON form: a span for each
/// handling, whose parent is what caused it; a trace for each request. What was
/// caused by a handling of another request has a link to it.
bool export_otlp(const trace_model& m, const trace_sink& sink);

/// One JSON object for each message, a line each, with all that is known of it
/// but its content.
bool export_lines(const trace_model& m, const trace_sink& sink);

/// The line of one message.
std::string json_line(const trace_model& m, uint32_t message);

} // namespace troupe
