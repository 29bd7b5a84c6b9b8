#include "runtime/status_json.hpp"

#include <string>

namespace troupe {

nlohmann::ordered_json to_json(const cluster_status& s) {
  using json = nlohmann::ordered_json;
  auto nodes = json::array();
  for (auto& n : s.nodes) {
    nodes.push_back({{"node", n.node},
                     {"name", n.name},
                     {"role", to_string(n.role)},
                     {"version", n.version},
                     {"sequences", n.sequences},
                     {"waiting", n.waiting},
                     {"blocks_in_use", n.blocks_in_use},
                     {"blocks_total", n.blocks_total},
                     {"cached_blocks", n.cached_blocks},
                     {"steps", n.steps},
                     {"largest_batch", n.largest_batch},
                     {"hit_tokens", n.hit_tokens},
                     {"swaps", n.swaps},
                     {"recomputes", n.recomputes}});
    if (n.map.empty())
      continue;
    auto& map = nodes.back()["map"] = json::array();
    for (auto& r : n.map)
      // Numbers of requests use all 64 bits, which not all readers keep.
      map.push_back({r.first, r.blocks, static_cast<int>(r.what),
                     std::to_string(r.request)});
  }
  return {{"requests", s.requests}, {"nodes", nodes}, {"silent", s.silent}};
}

} // namespace troupe
