#include "runtime/http/trace_json.hpp"

#include <algorithm>

#include "core/trace/look/text.hpp"
#include "core/trace/look/trace_diagram.hpp"
#include "core/trace/look/trace_path.hpp"
#include "core/trace/look/trace_requests.hpp"
#include "core/trace/look/trace_why.hpp"
#include "core/trace/recent_trace.hpp"

namespace troupe::http {

namespace {

using nlohmann::json;

constexpr auto most_requests = size_t{200};
// Of a picture that is looked at in a page.
constexpr auto most_steps = size_t{500};

json ms_between(int64_t from, int64_t to) {
  auto d = int64_t{0};
  if (from == trace_never || to == trace_never
      || __builtin_sub_overflow(to, from, &d))
    return nullptr;
  return static_cast<double>(d) * 1e-6;
}

// Numbers of requests as texts: JavaScript would round them.
json to_json(const traced_request& r) {
  auto j = json{{"request", std::to_string(r.request)},
                {"unix_ms", r.begin_ns / 1'000'000},
                {"state", r.end_ns != trace_never ? "ended" : "under way"},
                {"token_messages", r.token_messages},
                {"messages", r.messages},
                {"whole", r.has_begin}};
  // Without its beginning these times would be too short.
  auto from = r.has_begin ? r.begin_ns : trace_never;
  j["ttft_ms"] = ms_between(from, r.first_token_ns);
  j["ms"] = ms_between(from, r.end_ns != trace_never ? r.end_ns : r.last_ns);
  return j;
}

// What was not read, for a person.
std::string note_of(const recent_trace& t, const trace_model& m,
                    uint64_t most) {
  auto note = std::string{};
  if (t.left_out > 0)
    note = "the trace is larger than the " + trace_words::bytes(most)
           + " that are read here: its older " + trace_words::bytes(t.left_out)
           + " are left out; troupe trace reads all";
  auto dropped = uint64_t{0};
  for (auto& p : m.processes)
    dropped += p.dropped;
  if (dropped > 0)
    note += (note.empty() ? "" : "; ") + std::to_string(dropped)
            + " records were lost while it was recorded";
  return note;
}

json path_json(const trace_model& m, uint64_t request, uint32_t target) {
  return json::parse(to_json(critical_path(m, request, target), m), nullptr,
                     false);
}

} // namespace

json trace_requests_json(const std::optional<std::string>& file,
                         uint64_t most) {
  if (!file)
    return {{"recording", false}, {"requests", json::array()}};
  auto t = read_recent_trace(*file, most);
  auto m = read_trace(t.inputs());
  auto all = json::array();
  for (auto& r : recent_requests(m, most_requests))
    all.push_back(to_json(r));
  return {{"recording", true},
          {"file", *file},
          {"bytes", t.bytes},
          {"left_out", t.left_out},
          {"note", note_of(t, m, most)},
          {"requests", std::move(all)}};
}

result<json> trace_request_json(const std::optional<std::string>& file,
                                uint64_t request, uint64_t most) {
  if (!file)
    return fail(errc::unknown_sequence, "nothing is recorded here: start with "
                                        "--trace FILE");
  auto t = read_recent_trace(*file, most);
  auto m = read_trace(t.inputs());
  auto all = recent_requests(m, m.messages.size());
  auto is_it = [request](auto& r) { return r.request == request; };
  auto i = std::find_if(all.begin(), all.end(), is_it);
  if (i == all.end())
    return fail(errc::unknown_sequence,
                "no message of request " + std::to_string(request)
                    + " is in the newest " + trace_words::bytes(t.bytes)
                    + " of the trace");
  auto o = diagram_options{};
  o.most_steps = most_steps;
  auto j = to_json(*i);
  j["note"] = note_of(t, m, most);
  j["why"] = why_stuck(m, request).sentence;
  j["first_token"] = path_json(m, request, first_token_of(m, request));
  j["end"] = path_json(m, request, end_of(m, request));
  j["diagram"] = to_svg(diagram_of(m, request, o));
  return j;
}

} // namespace troupe::http
