#include "actors/remote_nodes.hpp"

#include <caf/all.hpp>

#include <algorithm>

#include "actors/error.hpp"

namespace troupe {

remote_nodes::remote_nodes(pointer self, std::optional<membership_options> opts)
    : self_(self) {
  if (opts)
    members_.emplace(std::move(*opts));
}

time_point remote_nodes::now() const {
  return time_point{self_->clock().now()};
}

// -- what nodes say -----------------------------------------------------------

void remote_nodes::on(const join_node& m) {
  if (!m.agent)
    return;
  if (!members_) {
    auto r = join_reply{};
    r.incarnation = m.request.incarnation;
    r.number = m.request.number;
    r.code = errc::unsupported;
    r.reason = "this process takes no nodes of others";
    return self_->send(m.agent, std::move(r));
  }
  auto out = membership_output{};
  members_->on(m.request, now(), out);
  for (auto& e : out.events)
    if (e.what == membership_event::kind::joined) {
      auto& n = nodes_[e.node];
      n.agent = m.agent;
      n.address = m.address;
      self_->monitor(m.agent);
      auto peers = node_peers{e.epoch, {}};
      // Not those whom it replaces: they may have had its address.
      for (auto& [id, other] : nodes_)
        if (id != e.node && other.address.port != 0 && members_->find(id))
          peers.peers.push_back(other.address);
      self_->send(m.agent, std::move(peers));
    }
  act(std::move(out), m.agent);
}

bool remote_nodes::on(const node_ready& m) {
  auto* r = members_ ? members_->find(m.node) : nullptr;
  auto i = nodes_.find(m.node);
  auto usable =
      r != nullptr && r->epoch == m.epoch && i != nodes_.end()
      && (r->role == node_role::prefill ? bool{m.prefill} : bool{m.decode});
  if (!usable) {
    if (auto agent = caf::actor_cast<node_agent_actor>(self_->current_sender()))
      self_->send(agent, epoch_over{m.epoch, "this stay is over"});
    return false;
  }
  if (std::exchange(i->second.ready, true))
    return false;
  self_->state.book().add(m.node, r->role, r->name, r->version, m);
  self_->state.book().on(r->load, m.node);
  if (r->suspect)
    self_->state.book().suspend(m.node, true);
  if (r->draining)
    empty(m.node);
  return true;
}

void remote_nodes::on(const heartbeat& m) {
  auto agent = caf::actor_cast<node_agent_actor>(self_->current_sender());
  auto out = membership_output{};
  if (members_)
    members_->on(m, now(), out);
  else
    out.answers.emplace_back(epoch_over{m.epoch, "no nodes are taken here"});
  auto* r = members_ ? members_->find(m.node) : nullptr;
  if (r != nullptr && r->epoch == m.epoch && r->number == m.number)
    self_->state.book().on(r->load, m.node);
  act(std::move(out), agent);
}

void remote_nodes::on(const leave& m) {
  auto agent = caf::actor_cast<node_agent_actor>(self_->current_sender());
  auto out = membership_output{};
  if (members_)
    members_->on(m, out);
  act(std::move(out), agent);
}

void remote_nodes::tick(const deadline_tick& m) {
  if (!members_ || m.number != timer_)
    return;
  armed_.reset();
  auto out = membership_output{};
  members_->tick(now(), out);
  act(std::move(out), {});
}

void remote_nodes::on(const admit_version& m) {
  if (members_)
    members_->admit(m.version, m.model, m.layout);
}

void remote_nodes::on(const dismiss_version& m) {
  if (!members_)
    return;
  auto out = membership_output{};
  members_->dismiss(m.version, out);
  act(std::move(out), {});
}

void remote_nodes::down(const caf::actor_addr& peer) {
  std::erase_if(watchers_, [&](auto& w) { return w == peer; });
  if (!members_)
    return;
  auto id = self_->state.book().find(peer);
  for (auto& [node, n] : nodes_)
    if (n.agent == peer)
      id = node;
  if (!id || !nodes_.contains(*id))
    return;
  auto out = membership_output{};
  members_->down(*id, out);
  act(std::move(out), {});
}

// -- what becomes of them -----------------------------------------------------

void remote_nodes::act(membership_output out, const node_agent_actor& sender) {
  auto send = [&](const node_agent_actor& to, registry_message& what) {
    if (to)
      std::visit([&](auto& m) { self_->send(to, std::move(m)); }, what);
  };
  for (auto& m : out.answers)
    send(sender, m);
  for (auto& [to, what] : out.orders)
    if (auto i = nodes_.find(to); i != nodes_.end())
      send(i->second.agent, what);
  for (auto& e : out.events)
    act(e);
  arm();
}

void remote_nodes::act(const membership_event& e) {
  using enum membership_event::kind;
  switch (e.what) {
  case joined:
    return;
  case suspect:
  case recovered:
    return self_->state.book().suspend(e.node, e.what == suspect);
  case draining:
    return empty(e.node);
  case left:
  case silent:
  case died:
  case replaced:
  case dismissed:
    break;
  }
  auto handle = self_->state.book().remove(e.node);
  // Before the sessions ask for another one.
  if (handle)
    for (auto& w : watchers_)
      self_->send(w, node_gone{e.node, handle});
  if (auto n = nodes_.extract(e.node)) {
    self_->demonitor(caf::actor_cast<caf::actor_addr>(n.mapped().agent));
    for (auto& d : n.mapped().drains)
      if (e.what == left)
        d.deliver(drained{e.node, 0, 0});
      else
        d.fail({errc::abandoned, "node " + e.name + " is gone"});
  }
  if (handle)
    self_->state.outstanding.down(caf::actor_cast<caf::actor_addr>(handle));
}

// -- others -------------------------------------------------------------------

void remote_nodes::watch(const node_watcher& to) {
  if (!to)
    return;
  self_->monitor(to);
  watchers_.push_back(to);
}

void remote_nodes::arm() {
  auto next = members_ ? members_->next_deadline() : std::nullopt;
  if (!next || (armed_ && *armed_ <= *next))
    return;
  armed_ = next;
  auto wait = std::max(*next - now(), duration{});
  self_->delayed_send(self_, wait, deadline_tick{++timer_});
}

} // namespace troupe
