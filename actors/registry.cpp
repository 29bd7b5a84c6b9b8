#include "actors/registry.hpp"

#include <caf/all.hpp>

#include <algorithm>

#include "actors/owed_reply.hpp"
#include "actors/watched.hpp"

namespace troupe {

namespace {

template <class Entries, class Handle>
void join(Entries& entries, node_id node, const Handle& handle) {
  if (!handle)
    return;
  std::erase_if(entries, [&](auto& e) { return e.node == node; });
  entries.push_back({node, handle, 0});
}

// How willingly a node is taken: lower is better.
template <class Entry>
auto rank(const Entry& e, const std::vector<node_id>& avoid) {
  auto avoided = std::find(avoid.begin(), avoid.end(), e.node);
  return std::tuple{avoided != avoid.end(), e.load, e.node};
}

template <class Entries>
auto least_loaded(Entries& entries, const std::vector<node_id>& avoid) {
  return std::min_element(
      entries.begin(), entries.end(),
      [&](auto& a, auto& b) { return rank(a, avoid) < rank(b, avoid); });
}

// A pair is as good as the worse of the two.
template <class Mixed, class Prefill, class Decode>
bool better_alone(const Mixed& m, const Prefill& p, const Decode& d,
                  const std::vector<node_id>& avoid) {
  auto [ma, ml, mi] = rank(m, avoid);
  auto [pa, pl, pi] = rank(p, avoid);
  auto [da, dl, di] = rank(d, avoid);
  return std::pair{ma, ml} <= std::pair{pa || da, std::max(pl, dl)};
}

// By handle: a node of the same number may be another life of it.
template <class Entries, class Handle>
void release_one(Entries& entries, const Handle& handle) {
  for (auto& e : entries)
    if (e.handle == caf::actor_cast<caf::actor_addr>(handle) && e.load > 0)
      --e.load;
}

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

void registry_state::add(const add_prefill& m) {
  join(prefill_, m.node, m.handle);
}

void registry_state::add(const add_decode& m) {
  join(decode_, m.node, m.handle);
}

void registry_state::add(const add_mixed& m) {
  join(mixed_, m.node, m.handle);
}

result<placement> registry_state::place(const place_request& m) {
  release({m.request});
  auto paired = !prefill_.empty() && !decode_.empty();
  if (mixed_.empty() && decode_.empty())
    return fail(errc::no_node, "there is no node that generates");
  auto p = least_loaded(prefill_, m.avoid);
  auto d = least_loaded(decode_, m.avoid);
  auto x = least_loaded(mixed_, m.avoid);
  auto& where = placements_[m.request];
  if (mixed_.empty() && !paired) {
    ++d->load;
    where = {d->node, d->handle, d->node, {}};
  } else if (!paired
             || (!mixed_.empty() && better_alone(*x, *p, *d, m.avoid))) {
    ++x->load;
    where = {x->node, x->handle, x->node, {}};
  } else {
    ++p->load;
    ++d->load;
    where = {p->node, p->handle, d->node, d->handle};
  }
  return where;
}

void registry_state::release(const release_placement& m) {
  auto i = placements_.find(m.request);
  if (i == placements_.end())
    return;
  auto& where = i->second;
  release_one(prefill_, where.prefill);
  release_one(decode_, where.decode);
  if (!where.decode) {
    release_one(decode_, where.prefill);
    release_one(mixed_, where.prefill);
  }
  placements_.erase(i);
}

void registry_state::move(const placement_moved& m) {
  if (!placements_.contains(m.request))
    return;
  for (auto* entries : {&decode_, &mixed_})
    for (auto& e : *entries)
      if (e.node == m.node) {
        release({m.request});
        ++e.load;
        placements_[m.request] = {e.node, e.handle, e.node, {}};
        return;
      }
}

result<std::pair<decode_actor, migrate_sequence>>
registry_state::find(const migrate_request& m) const {
  auto i = placements_.find(m.request);
  if (i == placements_.end())
    return fail(errc::unknown_sequence,
                "request " + std::to_string(m.request) + " is not under way");
  auto& where = i->second;
  for (auto* to : {&decode_, &mixed_})
    for (auto& e : *to)
      if (e.node == m.node) {
        auto from = where.decode ? where.decode
                                 : caf::actor_cast<decode_actor>(where.prefill);
        if (where.decode_id == m.node)
          return fail(errc::invalid_argument, "it runs there already");
        return std::pair{from, migrate_sequence{m.request, e.handle}};
      }
  return fail(errc::no_node,
              "there is no node " + std::to_string(m.node) + " that generates");
}

result<std::pair<decode_actor, drain_node>>
registry_state::retire(const drain_request& m) {
  for (auto* entries : {&decode_, &mixed_, &leaving_}) {
    auto i = std::find_if(entries->begin(), entries->end(),
                          [&](auto& e) { return e.node == m.node; });
    if (i == entries->end())
      continue;
    auto e = *i;
    entries->erase(i);
    leaving_.push_back(e);
    auto what = drain_node{};
    for (auto* others : {&decode_, &mixed_})
      for (auto& other : *others)
        what.peers.push_back(other.handle);
    return std::pair{e.handle, std::move(what)};
  }
  return fail(errc::no_node,
              "there is no node " + std::to_string(m.node) + " that generates");
}

void registry_state::down(const caf::actor_addr& peer) {
  outstanding.down(peer);
  std::erase_if(prefill_, [&](auto& e) { return e.handle == peer; });
  std::erase_if(decode_, [&](auto& e) { return e.handle == peer; });
  std::erase_if(mixed_, [&](auto& e) { return e.handle == peer; });
  std::erase_if(leaving_, [&](auto& e) { return e.handle == peer; });
}

std::vector<registry_state::member> registry_state::members() const {
  auto all = std::vector<member>{};
  for (auto& e : prefill_)
    all.push_back({e.node, e.handle});
  for (auto& e : decode_)
    all.push_back({e.node, e.handle});
  for (auto& e : mixed_)
    all.push_back({e.node, e.handle});
  for (auto& e : leaving_)
    all.push_back({e.node, e.handle});
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
  return {
      [=](const add_prefill& m) {
        nodes->add(self, m.handle);
        self->state.add(m);
      },
      [=](const add_decode& m) {
        nodes->add(self, m.handle);
        self->state.add(m);
      },
      [=](const add_mixed& m) {
        nodes->add(self, m.handle);
        self->state.add(m);
      },
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
  };
}

} // namespace troupe
