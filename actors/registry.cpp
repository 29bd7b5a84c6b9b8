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
  entries.push_back({node, handle, {}});
}

// How willingly a node, or a pair of them, is taken: lower is better.
struct preference {
  bool avoided = false;
  bool full = false;
  double ns = 0; ///< predicted
  uint32_t requests = 0;
  auto operator<=>(const preference&) const = default;
};

enum class work { prefill, decode, both };

template <class Entry>
preference rank(const Entry& e, const place_request& m, work what) {
  auto p = preference{};
  p.avoided =
      std::find(m.avoid.begin(), m.avoid.end(), e.node) != m.avoid.end();
  p.full = !e.load.has_room(m.size);
  p.requests = e.load.requests();
  if (what != work::decode)
    p.ns += e.load.prefill_ns(m.size, what == work::both ? p.requests : 0);
  if (what != work::prefill)
    p.ns += e.load.decode_ns(m.size);
  return p;
}

// A pair is as good as the worse of the two, and takes as long as both.
preference together(const preference& a, const preference& b) {
  return {a.avoided || b.avoided, a.full || b.full, a.ns + b.ns,
          std::max(a.requests, b.requests)};
}

template <class Entries>
auto best(Entries& entries, const place_request& m, work what) {
  return std::min_element(entries.begin(), entries.end(),
                          [&](auto& a, auto& b) {
                            return std::pair{rank(a, m, what), a.node}
                                   < std::pair{rank(b, m, what), b.node};
                          });
}

// By handle: a node of the same number may be another life of it.
template <class Entries, class Handle>
void release_one(Entries& entries, const Handle& handle) {
  for (auto& e : entries)
    if (e.handle == caf::actor_cast<caf::actor_addr>(handle))
      e.load.released();
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
  auto book = [&](placement where) {
    placements_[m.request] = {where, m.size};
    return where;
  };
  auto alone = [&](auto& e) {
    e.load.placed(m.size);
    return book({e.node, e.handle, e.node, {}});
  };
  if (mixed_.empty() && !paired)
    return alone(*best(decode_, m, work::both));
  auto x = best(mixed_, m, work::both);
  if (!paired)
    return alone(*x);
  auto p = best(prefill_, m, work::prefill);
  auto d = best(decode_, m, work::decode);
  auto pair = together(rank(*p, m, work::prefill), rank(*d, m, work::decode));
  if (!mixed_.empty() && rank(*x, m, work::both) <= pair)
    return alone(*x);
  p->load.placed(m.size);
  d->load.placed(m.size);
  return book({p->node, p->handle, d->node, d->handle});
}

void registry_state::release(const release_placement& m) {
  auto i = placements_.find(m.request);
  if (i == placements_.end())
    return;
  auto& where = i->second.where;
  release_one(prefill_, where.prefill);
  release_one(decode_, where.decode);
  if (!where.decode) {
    release_one(decode_, where.prefill);
    release_one(mixed_, where.prefill);
  }
  placements_.erase(i);
}

void registry_state::move(const placement_moved& m) {
  auto i = placements_.find(m.request);
  if (i == placements_.end())
    return;
  // Its prompt is computed.
  auto size = request_size{0, i->second.size.answer};
  for (auto* entries : {&decode_, &mixed_})
    for (auto& e : *entries)
      if (e.node == m.node) {
        release({m.request});
        e.load.placed(size);
        placements_[m.request] = {{e.node, e.handle, e.node, {}}, size};
        return;
      }
}

result<std::pair<decode_actor, migrate_sequence>>
registry_state::find(const migrate_request& m) const {
  auto i = placements_.find(m.request);
  if (i == placements_.end())
    return fail(errc::unknown_sequence,
                "request " + std::to_string(m.request) + " is not under way");
  auto& where = i->second.where;
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

void registry_state::on(const node_load& load, const caf::actor_addr& node) {
  auto tell = [&](auto& entries) {
    for (auto& e : entries)
      if (e.handle == node)
        e.load.told(load);
  };
  tell(prefill_);
  tell(decode_);
  tell(mixed_);
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
