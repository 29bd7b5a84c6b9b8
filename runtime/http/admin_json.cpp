#include "runtime/http/admin_json.hpp"

namespace troupe::http {

namespace {

using nlohmann::json;

std::string_view name_of(node_role r) {
  switch (r) {
  case node_role::prefill:
    return "prefill";
  case node_role::decode:
    return "decode";
  case node_role::mixed:
    return "mixed";
  case node_role::store:
    return "store";
  }
  return "?";
}

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

json to_json(const cluster_status& s) {
  auto nodes = json::array();
  for (auto& n : s.nodes)
    nodes.push_back({{"id", n.node},
                     {"name", n.name},
                     {"role", name_of(n.role)},
                     {"version", n.version},
                     {"sequences", n.sequences},
                     {"waiting", n.waiting},
                     {"blocks", n.blocks_total},
                     {"blocks_in_use", n.blocks_in_use},
                     {"blocks_cached", n.cached_blocks},
                     {"steps", n.steps},
                     {"largest_batch", n.largest_batch},
                     {"hit_tokens", n.hit_tokens},
                     {"swaps", n.swaps},
                     {"recomputes", n.recomputes}});
  return {{"nodes", std::move(nodes)},
          {"silent", s.silent},
          {"requests", s.requests}};
}

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

std::string dump(const json& j) {
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace troupe::http
