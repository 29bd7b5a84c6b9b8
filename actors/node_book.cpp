#include "actors/node_book.hpp"

#include <algorithm>

#include "core/kv/layout.hpp"

namespace troupe {

void node_book::join(entry e) {
  if (!e.prefill && !e.decode)
    return;
  std::erase_if(members_, [&](auto& x) {
    auto& former = x.second;
    auto same =
        former.node == e.node && former.role == e.role && !former.leaving;
    if (same)
      router_.leave(x.first);
    return same;
  });
  router_.join(++last_, e.node, e.role, e.version);
  members_.emplace(last_, std::move(e));
}

void node_book::add(node_id node, node_role role, std::string name,
                    version_id version, const node_ready& m) {
  auto guard = std::lock_guard{mutex_};
  if (role == node_role::prefill)
    join({node, role, m.prefill, {}, std::move(name), version});
  else
    join({node, role, {}, m.decode, std::move(name), version});
}

void node_book::suspend(node_id node, bool yes) {
  auto guard = std::lock_guard{mutex_};
  for (auto& [member, e] : members_)
    if (e.node == node && !e.leaving) {
      e.suspended = yes;
      if (yes)
        router_.leave(member);
      else
        router_.join(member, e.node, e.role, e.version);
    }
}

status_actor node_book::remove(node_id node) {
  auto guard = std::lock_guard{mutex_};
  for (auto i = members_.begin(); i != members_.end(); ++i)
    if (i->second.node == node) {
      auto handle = i->second.handle();
      router_.leave(i->first);
      members_.erase(i);
      return handle;
    }
  return {};
}

bool node_book::others_generate(node_id node) const {
  auto guard = std::lock_guard{mutex_};
  auto self = std::find_if(members_.begin(), members_.end(),
                           [&](auto& x) { return x.second.node == node; });
  return std::any_of(members_.begin(), members_.end(), [&](auto& x) {
    auto& e = x.second;
    return e.node != node && e.decode && !e.leaving && !e.suspended
           && (self == members_.end() || e.version == self->second.version);
  });
}

void node_book::add(const add_prefill& m) {
  auto guard = std::lock_guard{mutex_};
  join({m.node, node_role::prefill, m.handle, {}, {}, m.version});
}

void node_book::add(const add_decode& m) {
  auto guard = std::lock_guard{mutex_};
  join({m.node, node_role::decode, {}, m.handle, {}, m.version});
}

void node_book::add(const add_mixed& m) {
  auto guard = std::lock_guard{mutex_};
  join({m.node, node_role::mixed, {}, m.handle, {}, m.version});
}

result<placement> node_book::place(const place_request& m) {
  auto guard = std::lock_guard{mutex_};
  auto route = router_.place(m.request, m.size, m.avoid, m.version,
                             {m.prefix, kv_block_tokens}, m.prompt_only);
  if (!route)
    return fail(errc::no_node, m.prompt_only
                                   ? "there is no node that computes prompts"
                                   : "there is no node that generates");
  auto& d = members_.at(route->decode);
  if (route->prefill == route->decode) {
    auto all = d.decode ? job_actor{d.decode} : job_actor{d.prefill};
    return placement{d.node, std::move(all), d.node, {}};
  }
  auto& p = members_.at(route->prefill);
  return placement{p.node, p.prefill, d.node, d.decode};
}

void node_book::release(const release_placement& m) {
  auto guard = std::lock_guard{mutex_};
  router_.release(m.request);
}

// A node that may be given sequences.
const node_book::entry* node_book::generating(node_id node) const {
  for (auto& [m, e] : members_)
    if (e.node == node && e.decode && !e.leaving)
      return &e;
  return {};
}

void node_book::move(const placement_moved& m) {
  auto guard = std::lock_guard{mutex_};
  for (auto& [member, e] : members_)
    if (e.node == m.node && e.decode && !e.leaving)
      return router_.move(m.request, member);
}

result<std::pair<decode_actor, migrate_sequence>>
node_book::find(const migrate_request& m) const {
  auto guard = std::lock_guard{mutex_};
  auto route = router_.find(m.request);
  auto from = route ? members_.find(route->decode) : members_.end();
  // What a prefill node has alone does not generate.
  if (from == members_.end() || !from->second.decode)
    return fail(errc::unknown_sequence,
                "request " + std::to_string(m.request) + " is not under way");
  auto* to = generating(m.node);
  if (to == nullptr)
    return fail(errc::no_node, "there is no node " + std::to_string(m.node)
                                   + " that generates");
  if (to == &from->second)
    return fail(errc::invalid_argument, "it runs there already");
  if (to->version != from->second.version)
    return fail(errc::invalid_argument,
                "node " + std::to_string(m.node)
                    + " serves another version of the model");
  return std::pair{from->second.decode,
                   migrate_sequence{m.request, to->decode}};
}

result<std::pair<drainable_actor, drain_node>>
node_book::retire(const drain_request& m) {
  auto guard = std::lock_guard{mutex_};
  auto i = std::find_if(members_.begin(), members_.end(),
                        [&](auto& x) { return x.second.node == m.node; });
  if (i == members_.end())
    return fail(errc::no_node, "there is no node " + std::to_string(m.node));
  router_.leave(i->first);
  i->second.leaving = true;
  auto what = drain_node{};
  if (i->second.prefill)
    return std::pair{drainable_actor{i->second.prefill}, std::move(what)};
  for (auto& [member, e] : members_)
    if (e.decode && !e.leaving && !e.suspended
        && e.version == i->second.version)
      what.peers.push_back(e.decode);
  return std::pair{drainable_actor{i->second.decode}, std::move(what)};
}

void node_book::on(const node_load& load, node_id node) {
  auto guard = std::lock_guard{mutex_};
  for (auto& [member, e] : members_)
    if (e.node == node)
      router_.told(member, load);
}

void node_book::on(const node_load& load, const caf::actor_addr& node) {
  auto guard = std::lock_guard{mutex_};
  for (auto& [member, e] : members_)
    if (e.is(node))
      router_.told(member, load);
}

std::optional<node_id> node_book::find(const caf::actor_addr& peer) const {
  auto guard = std::lock_guard{mutex_};
  for (auto& [member, e] : members_)
    if (e.is(peer))
      return e.node;
  return {};
}

void node_book::down(const caf::actor_addr& peer) {
  auto guard = std::lock_guard{mutex_};
  std::erase_if(members_, [&](auto& x) {
    auto gone = x.second.is(peer);
    if (gone)
      router_.leave(x.first);
    return gone;
  });
}

size_t node_book::requests() const {
  auto guard = std::lock_guard{mutex_};
  return router_.requests();
}

std::vector<node_book::member> node_book::members() const {
  auto guard = std::lock_guard{mutex_};
  auto all = std::vector<member>{};
  for (auto& [m, e] : members_)
    all.push_back({e.node, e.name, e.version, e.handle()});
  return all;
}

} // namespace troupe
