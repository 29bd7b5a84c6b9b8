#include "runtime/version_nodes.hpp"

#include <caf/all.hpp>

#include "actors/decode_node.hpp"
#include "actors/prefill_node.hpp"
#include "runtime/cluster/let_go.hpp"
#include "runtime/thread_room.hpp"

namespace troupe {

result<void> version_nodes::start(version_id version,
                                  std::shared_ptr<const model> weights,
                                  const registry_actor& registry) {
  auto guard = std::lock_guard{mutex_};
  if (groups_.contains(version))
    return {};
  auto g = std::make_unique<group>(node_setup{options_, std::move(weights)});
  if (auto ok = fill(*g, version, registry); !ok) {
    stop(*g);
    return ok;
  }
  groups_.emplace(version, std::move(g));
  return {};
}

result<void> version_nodes::fill(group& g, version_id version,
                                 const registry_actor& registry) {
  auto& all = options_.nodes;
  auto threads = all.store ? 1u : 0u;
  for (auto* plans : {&all.prefill, &all.decode, &all.mixed})
    for (auto& p : *plans)
      threads += ranks_of(options_, p).ranks;
  if (auto ok = room_for_threads(threads); !ok)
    return ok;
  if (auto ok = g.setup.start_store(system_); !ok)
    return ok;
  for (auto* plans : {&all.prefill, &all.decode, &all.mixed})
    if (auto ok = g.setup.prepare_ranks(*plans); !ok)
      return ok;
  auto add = [&]<class Added>(const node_plan& plan, node_role role, auto node,
                              Added) {
    auto id = ++last_;
    auto handle = system_.spawn<caf::detached>(
        node, g.setup.start_node(system_, plan, id, role));
    g.nodes.push_back(caf::actor_cast<caf::actor>(handle));
    caf::anon_send(registry, Added{id, handle, version});
  };
  for (auto& plan : all.prefill)
    add(plan, node_role::prefill, prefill_node, add_prefill{});
  for (auto& plan : all.decode)
    add(plan, node_role::decode, decode_node, add_decode{});
  for (auto& plan : all.mixed)
    add(plan, node_role::mixed, decode_node, add_mixed{});
  return {};
}

void version_nodes::stop(group& g) {
  auto self = caf::scoped_actor{system_, true};
  for (auto& n : g.nodes)
    self->send_exit(n, caf::exit_reason::user_shutdown);
  if (g.setup.store())
    self->send_exit(g.setup.store(), caf::exit_reason::user_shutdown);
  g.setup.forget_store();
  for (auto& n : g.nodes) {
    self->wait_for(n);
    if (known_elsewhere_)
      let_go(n);
  }
  g.nodes.clear();
}

void version_nodes::end(version_id version) {
  auto gone = std::unique_ptr<group>{};
  {
    auto guard = std::lock_guard{mutex_};
    if (auto i = groups_.find(version); i != groups_.end()) {
      gone = std::move(i->second);
      groups_.erase(i);
    }
  }
  if (gone)
    stop(*gone);
}

void version_nodes::end_all() {
  auto guard = std::lock_guard{mutex_};
  for (auto& [version, g] : groups_)
    stop(*g);
  groups_.clear();
}

} // namespace troupe
