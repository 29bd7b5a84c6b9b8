#include <optional>

#include "runtime/c_api/handles.hpp"
#include "runtime/status_json.hpp"

using namespace troupe;
using namespace troupe::c_api;

int32_t troupe_status(troupe_runtime* rt, char* json, size_t capacity,
                      size_t* count) {
  if (auto bad = check(rt, nullptr, 0, json, capacity, count))
    return bad;
  return guarded([&] {
    auto under_way = call{*rt};
    auto s = rt->runtime.status();
    if (!s)
      return complain(s.failure());
    hand_out(to_json(*s).dump(), json, capacity, count);
    return int32_t{TROUPE_OK};
  });
}

int32_t troupe_start_trace(troupe_runtime* rt, const char* file,
                           int32_t contents) {
  if (!rt)
    return complain(errc::invalid_argument, "no runtime");
  return guarded([&] {
    auto under_way = call{*rt};
    auto o = std::optional<trace_options>{};
    if (file) {
      o.emplace();
      o->file = file;
      o->payloads = contents != 0;
    }
    auto ok = rt->runtime.start_trace(std::move(o));
    return ok ? int32_t{TROUPE_OK} : complain(ok.failure());
  });
}

int32_t troupe_stop_trace(troupe_runtime* rt, uint64_t* bytes,
                          uint64_t* dropped) {
  if (bytes)
    *bytes = 0;
  if (dropped)
    *dropped = 0;
  if (!rt)
    return complain(errc::invalid_argument, "no runtime");
  return guarded([&] {
    auto under_way = call{*rt};
    auto s = rt->runtime.stop_trace();
    if (!s)
      return complain(s.failure());
    if (bytes)
      *bytes = s->bytes;
    if (dropped)
      *dropped = s->dropped;
    return int32_t{TROUPE_OK};
  });
}
