#include "runtime/http/admin_json.hpp"

#include "actors/activity.hpp"

namespace troupe::http {

namespace {

using nlohmann::json;

json limits_json(const limits_status& all) {
  auto j = json::object();
  for (size_t i = 0; i < all.size(); ++i) {
    auto& l = all[i];
    if (!l)
      continue;
    auto& to = j[std::string{to_string(static_cast<limited>(i))}];
    to = {{"burst", l->burst}, {"left", l->left}};
    if (l->full_in != duration::max())
      to["full_in_ms"] = to_ms(l->full_in);
  }
  return j;
}

} // namespace

json to_json(const versions_status& s) {
  auto versions = json::array();
  for (auto& v : s.versions)
    versions.push_back({{"id", v.version},
                        {"name", v.name},
                        {"path", v.path},
                        {"bytes", v.bytes},
                        {"role", to_string(v.role)},
                        {"state", to_string(v.state)},
                        {"under_way", v.under_way}});
  auto events = json::array();
  for (auto& n : s.notes)
    events.push_back({{"unix_ms", n.unix_ms},
                      {"event", to_string(n.what)},
                      {"version", n.version},
                      {"name", n.name},
                      {"why", n.why}});
  return {{"active", s.active},
          {"canary", s.canary},
          {"share", s.share},
          {"evidence", s.evidence},
          {"versions", std::move(versions)},
          {"events", std::move(events)}};
}

json to_json(const std::vector<organisation_status>& all) {
  auto j = json::array();
  for (auto& o : all)
    j.push_back({{"organisation", o.name},
                 {"known", o.known},
                 {"under_way", o.under_way},
                 {"limits", limits_json(o.limits)}});
  return {{"tenants", std::move(j)}};
}

json to_json(const stage_latencies& all) {
  auto j = json::array();
  auto ms = [](uint64_t ns) { return static_cast<double>(ns) * 1e-6; };
  for (auto& s : all.stages)
    j.push_back({{"stage", to_string(s.what)},
                 {"count", s.count},
                 {"p50_ms", ms(s.p50_ns)},
                 {"p95_ms", ms(s.p95_ns)},
                 {"p99_ms", ms(s.p99_ns)}});
  return j;
}

json actors_json() {
  auto j = json::array();
  for (auto& a : actor_activities())
    j.push_back(
        {{"actor", a.name}, {"alive", a.alive}, {"messages", a.messages}});
  return j;
}

std::string dump(const json& j) {
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace troupe::http
