#include <array>
#include <utility>

#include "core/observe/export.hpp"
#include "core/observe/number.hpp"

// OTLP's JSON: 64-bit integers are strings, enumerations numbers, ids hex.

namespace troupe {

namespace {

constexpr auto cumulative = "\"aggregationTemporality\":2";

std::string quoted(std::string_view text) {
  constexpr auto hex = "0123456789abcdef";
  auto s = std::string{'"'};
  for (auto c : as_utf8(text)) {
    auto b = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      s += '\\';
      s += c;
    } else if (b < 0x20) {
      s += "\\u00";
      s += hex[b >> 4];
      s += hex[b & 15];
    } else {
      s += c;
    }
  }
  return s += '"';
}

template <class Integer>
std::string quoted_integer(Integer x) {
  return '"' + std::to_string(x) + '"';
}

std::string number(double x) {
  if (std::isnan(x))
    return "\"NaN\"";
  if (std::isinf(x))
    return x < 0 ? "\"-Infinity\"" : "\"Infinity\"";
  auto s = std::string{};
  append_number(s, x);
  return s;
}

std::string hex(uint64_t x) {
  auto s = std::string(16, '0');
  for (auto i = 15; i >= 0; --i, x >>= 4)
    s[i] = "0123456789abcdef"[x & 15];
  return s;
}

std::string attribute(std::string_view key, std::string_view value) {
  return "{\"key\":" + quoted(key)
         + ",\"value\":{\"stringValue\":" + quoted(value) + "}}";
}

template <class Range, class F>
std::string list(const Range& of, F f) {
  auto s = std::string{'['};
  for (auto& x : of) {
    if (s.size() > 1)
      s += ',';
    s += f(x);
  }
  return s += ']';
}

// A request of one resource and one scope; `kind` is Metrics or Spans.
std::string request(const otlp_origin& from, std::string_view kind,
                    std::string_view items, const std::string& content) {
  auto resource = attribute("service.name", from.service);
  if (!from.instance.empty())
    resource += ',' + attribute("service.instance.id", from.instance);
  auto k = std::string{kind};
  return "{\"resource" + k + "\":[{\"resource\":{\"attributes\":[" + resource
         + "]},\"scope" + k + "\":[{\"scope\":{\"name\":\"troupe\"},\""
         + std::string{items} + "\":" + content + "}]}]}";
}

// -- metrics ------------------------------------------------------------------

std::string value_of(uint64_t n, const metric_description&) {
  return "\"asInt\":" + quoted_integer(n);
}

std::string value_of(double x, const metric_description&) {
  return "\"asDouble\":" + number(x);
}

std::string value_of(const histogram_counts& h,
                     const metric_description& about) {
  return "\"count\":" + quoted_integer(h.count())
         + ",\"sum\":" + number(static_cast<double>(h.sum()) * about.scale)
         + ",\"bucketCounts\":"
         + list(bucket_counts(h, about), quoted_integer<uint64_t>)
         + ",\"explicitBounds\":" + list(about.bounds, number);
}

std::string point(const metric_snapshot& m, const metric_snapshot::series& s,
                  const otlp_origin& from) {
  auto attributes = std::string{};
  for (size_t i = 0; i < s.label_values.size(); ++i) {
    if (i > 0)
      attributes += ',';
    attributes += attribute(m.about.label_names[i], s.label_values[i]);
  }
  return "{\"attributes\":[" + attributes
         + "],\"startTimeUnixNano\":" + quoted_integer(from.start_unix_ns)
         + ",\"timeUnixNano\":" + quoted_integer(from.now_unix_ns) + ','
         + std::visit([&](auto& v) { return value_of(v, m.about); }, s.value)
         + '}';
}

std::string metric(const metric_snapshot& m, const otlp_origin& from) {
  using enum metric_snapshot::type;
  auto points = "\"dataPoints\":"
                + list(m.all, [&](auto& s) { return point(m, s, from); });
  auto s = "{\"name\":" + quoted(m.about.name)
           + ",\"description\":" + quoted(m.about.help) + ',';
  if (m.kind == counter)
    s += "\"sum\":{" + points + ',' + cumulative + ",\"isMonotonic\":true}}";
  else if (m.kind == gauge)
    s += "\"gauge\":{" + points + "}}";
  else
    s += "\"histogram\":{" + points + ',' + cumulative + "}}";
  return s;
}

// -- traces -------------------------------------------------------------------

// Ids of spans: the request's own first, then those of its stages. Each step is
// a bijection, so that only what is added first could make two the same.
uint64_t span_id(const request_trace& t, size_t k) {
  auto x = t.request() * 0x9e3779b97f4a7c15u + k + 1;
  x = (x ^ (x >> 31)) * 0xbf58476d1ce4e5b9u;
  x ^= x >> 29;
  return x == 0 ? 1 : x;
}

std::string spans_of(const request_trace& t, int64_t offset) {
  auto ids = "{\"traceId\":\"" + hex(t.trace().high) + hex(t.trace().low)
             + "\",\"spanId\":\"";
  auto times = [&](time_point begin, time_point end) {
    auto unix = [&](time_point p) {
      return quoted_integer(p.time_since_epoch().count() + offset);
    };
    return ",\"startTimeUnixNano\":" + unix(begin)
           + ",\"endTimeUnixNano\":" + unix(end);
  };
  auto root = hex(span_id(t, 0));
  auto parent = t.parent() == 0 ? std::string{} : hex(t.parent());
  // Kinds: 2 for a server's span, 1 for those inside of it.
  auto s = ids + root + "\",\"parentSpanId\":\"" + parent
           + "\",\"name\":\"request\",\"kind\":2" + times(t.begin(), t.end())
           + ",\"attributes\":["
           + attribute("request.id", std::to_string(t.request()))
           + "],\"droppedEventsCount\":" + std::to_string(t.dropped()) + '}';
  for (size_t k = 0; k < t.spans().size(); ++k) {
    auto& span = t.spans()[k];
    s += ',' + ids + hex(span_id(t, k + 1)) + "\",\"parentSpanId\":\"" + root
         + "\",\"name\":\"" + std::string{to_string(span.what)}
         + "\",\"kind\":1" + times(span.begin, span.end) + '}';
  }
  return s;
}

} // namespace

std::string to_otlp_json(const metrics_snapshot& all, const otlp_origin& from) {
  return request(from, "Metrics", "metrics",
                 list(all, [&](auto& m) { return metric(m, from); }));
}

std::string to_otlp_json(std::span<const request_trace> traces,
                         const otlp_origin& from, int64_t unix_offset) {
  return request(from, "Spans", "spans", list(traces, [&](auto& t) {
                   return spans_of(t, unix_offset);
                 }));
}

} // namespace troupe
