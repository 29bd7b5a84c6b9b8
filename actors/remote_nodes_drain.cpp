#include <caf/all.hpp>

#include "actors/error.hpp"
#include "actors/remote_nodes.hpp"

namespace troupe {

bool remote_nodes::knows(const drain_request& m) const {
  return !m.name.empty() || nodes_.contains(m.node);
}

caf::result<drained> remote_nodes::drain(const drain_request& m) {
  auto name = m.name;
  if (auto i = nodes_.find(m.node); name.empty() && i != nodes_.end())
    name = members_->find(m.node)->name;
  auto out = membership_output{};
  auto no_such = fail(errc::no_node, "there is no node " + name);
  if (!members_)
    return to_caf(no_such);
  for (auto& [id, r] : members_->members())
    if (r.name == name && r.role != node_role::prefill
        && !self_->state.book().others_generate(id))
      return to_caf(
          {errc::no_node, "node " + name
                              + " is the only one that generates: nobody could "
                                "take its requests over"});
  auto id = members_->drain(name, out);
  if (!id)
    return to_caf(id.failure());
  auto promise = self_->make_response_promise<drained>();
  nodes_.at(*id).drains.emplace_back(promise);
  act(std::move(out), {});
  return promise;
}

// Has a node give its sequences up, once; a node that is not ready has none.
void remote_nodes::empty(node_id id) {
  auto i = nodes_.find(id);
  auto* r = members_->find(id);
  if (i == nodes_.end() || r == nullptr || i->second.emptying)
    return;
  auto epoch = r->epoch;
  if (!i->second.ready)
    return emptied(id, epoch, drained{id, 0, 0});
  auto what = self_->state.book().retire({id, {}});
  if (!what)
    return;
  i->second.emptying = true;
  auto handle = what->first;
  auto ticket = self_->state.outstanding.expect(
      handle, [=, this](const error& e) { emptied(id, epoch, e); });
  self_->request(handle, caf::infinite, std::move(what->second))
      .then(
          [=, this](const drained& d) {
            if (self_->state.outstanding.settle(handle, ticket))
              emptied(id, epoch, d);
          },
          [=, this](const caf::error& e) {
            if (self_->state.outstanding.settle(handle, ticket))
              emptied(id, epoch, from_caf(e));
          });
}

void remote_nodes::emptied(node_id id, membership_epoch epoch,
                           const result<drained>& how) {
  auto i = nodes_.find(id);
  if (i == nodes_.end())
    return;
  for (auto& d : std::exchange(i->second.drains, {}))
    if (how)
      d.deliver(*how);
    else
      d.fail(how.failure());
  if (how)
    self_->send(i->second.agent, node_emptied{epoch});
}

} // namespace troupe
