#include "actors/registry.hpp"

#include <caf/all.hpp>

#include <algorithm>

#include "actors/owed_reply.hpp"
#include "actors/watched.hpp"

namespace troupe {

namespace {

// A status query to all nodes, until the last has answered or died.
struct survey {
  explicit survey(owed_reply<cluster_status> r) : reply(std::move(r)) {}
  ~survey() {
    std::sort(answer.nodes.begin(), answer.nodes.end(),
              [](auto& a, auto& b) { return a.node < b.node; });
    reply.deliver(std::move(answer));
  }
  owed_reply<cluster_status> reply;
  cluster_status answer;
};

} // namespace

void registry_state::join(entry e) {
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
  router_.join(++last_, e.node, e.role);
  members_.emplace(last_, std::move(e));
}

void registry_state::add(const add_prefill& m) {
  join({m.node, node_role::prefill, m.handle, {}});
}

void registry_state::add(const add_decode& m) {
  join({m.node, node_role::decode, {}, m.handle});
}

void registry_state::add(const add_mixed& m) {
  join({m.node, node_role::mixed, {}, m.handle});
}

result<placement> registry_state::place(const place_request& m) {
  auto route = router_.place(m.request, m.size, m.avoid);
  if (!route)
    return fail(errc::no_node, "there is no node that generates");
  auto& d = members_.at(route->decode);
  if (route->prefill == route->decode)
    return placement{d.node, d.decode, d.node, {}};
  auto& p = members_.at(route->prefill);
  return placement{p.node, p.prefill, d.node, d.decode};
}

void registry_state::release(const release_placement& m) {
  router_.release(m.request);
}

// A node that may be given sequences.
const registry_state::entry* registry_state::generating(node_id node) const {
  for (auto& [m, e] : members_)
    if (e.node == node && e.decode && !e.leaving)
      return &e;
  return nullptr;
}

void registry_state::move(const placement_moved& m) {
  for (auto& [member, e] : members_)
    if (e.node == m.node && e.decode && !e.leaving)
      return router_.move(m.request, member);
}

result<std::pair<decode_actor, migrate_sequence>>
registry_state::find(const migrate_request& m) const {
  auto route = router_.find(m.request);
  auto from = route ? members_.find(route->decode) : members_.end();
  if (from == members_.end())
    return fail(errc::unknown_sequence,
                "request " + std::to_string(m.request) + " is not under way");
  auto* to = generating(m.node);
  if (to == nullptr)
    return fail(errc::no_node, "there is no node " + std::to_string(m.node)
                                   + " that generates");
  if (to == &from->second)
    return fail(errc::invalid_argument, "it runs there already");
  return std::pair{from->second.decode,
                   migrate_sequence{m.request, to->decode}};
}

result<std::pair<drainable_actor, drain_node>>
registry_state::retire(const drain_request& m) {
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
    if (e.decode && !e.leaving)
      what.peers.push_back(e.decode);
  return std::pair{drainable_actor{i->second.decode}, std::move(what)};
}

void registry_state::on(const node_load& load, const caf::actor_addr& node) {
  for (auto& [member, e] : members_)
    if (e.is(node))
      router_.told(member, load);
}

void registry_state::down(const caf::actor_addr& peer) {
  outstanding.down(peer);
  std::erase_if(members_, [&](auto& x) {
    auto gone = x.second.is(peer);
    if (gone)
      router_.leave(x.first);
    return gone;
  });
}

std::vector<registry_state::member> registry_state::members() const {
  auto all = std::vector<member>{};
  for (auto& [m, e] : members_)
    all.push_back(e.decode ? member{e.node, e.decode}
                           : member{e.node, e.prefill});
  return all;
}

registry_actor::behavior_type
registry(registry_actor::stateful_pointer<registry_state> self,
         std::chrono::milliseconds patience) {
  auto nodes = std::make_shared<watched>();
  self->set_down_handler([=](const caf::down_msg& m) {
    nodes->down(m.source);
    self->state.down(m.source);
  });
  auto join = [=](auto& m) {
    nodes->add(self, m.handle);
    self->state.add(m);
    if (m.handle)
      self->send(m.handle, watch_load{load_sink{self}});
  };
  return {
      [=](const add_prefill& m) { join(m); },
      [=](const add_decode& m) { join(m); },
      [=](const add_mixed& m) { join(m); },
      [=](const place_request& m) -> caf::result<placement> {
        auto p = self->state.place(m);
        if (!p)
          return to_caf(p.failure());
        return *p;
      },
      [=](const release_placement& m) { self->state.release(m); },
      [=](const placement_moved& m) { self->state.move(m); },
      [=](const migrate_request& m) -> caf::result<migrated> {
        auto what = self->state.find(m);
        if (!what)
          return to_caf(what.failure());
        return self->delegate(what->first, std::move(what->second));
      },
      [=](const drain_request& m) -> caf::result<drained> {
        auto what = self->state.retire(m);
        if (!what)
          return to_caf(what.failure());
        return self->delegate(what->first, std::move(what->second));
      },
      [=](const status_query& q) -> caf::result<cluster_status> {
        auto promise = self->make_response_promise<cluster_status>();
        auto all =
            std::make_shared<survey>(owed_reply<cluster_status>{promise});
        for (auto& m : self->state.members()) {
          auto silent = [all, node = m.node] {
            all->answer.silent.push_back(node);
          };
          // Asked apart from the request's own timeout, so that the death of a
          // node is noticed when it happens.
          auto ticket = self->state.outstanding.expect(
              m.handle, [silent](const error&) { silent(); });
          self->request(m.handle, patience, q)
              .then(
                  [=](node_status s) {
                    if (self->state.outstanding.settle(m.handle, ticket)) {
                      s.node = m.node;
                      all->answer.nodes.push_back(std::move(s));
                    }
                  },
                  [=](const caf::error&) {
                    if (self->state.outstanding.settle(m.handle, ticket))
                      silent();
                  });
        }
        return promise;
      },
      [=](const node_load& m) {
        self->state.on(
            m, caf::actor_cast<caf::actor_addr>(self->current_sender()));
      },
  };
}

} // namespace troupe
