// What must hold in a world of nodes and their registry, whatever happens.

#include "tests/support/core/cluster_world_model.hpp"

namespace troupe::testing {

using namespace std::chrono_literals;

void cluster_world::broken(std::string what) {
  if (ok())
    out_.violation = std::move(what) + "; seed " + std::to_string(seed_);
}

void cluster_world::note(membership_output out) {
  for (auto& e : out.events)
    note(e);
  for (auto& [to, what] : out.orders)
    if (bug_ != cluster_bug::loses_orders)
      put({owners_.at(to), false, 0, {}, std::move(what)});
}

void cluster_world::note(const membership_event& e) {
  using kind = membership_event::kind;
  auto& n = nodes_[static_cast<size_t>(e.name.at(1) - '0')];
  auto over = true;
  switch (e.what) {
  case kind::joined:
    ++out_.joined;
    owners_[e.node] = static_cast<size_t>(&n - nodes_.data());
    if (spent_.contains(e.epoch))
      broken("an epoch was given twice");
    over = false;
    break;
  case kind::silent:
    ++out_.silent;
    silent_.insert(e.epoch);
    break;
  case kind::died:
    ++out_.died;
    break;
  case kind::replaced:
    ++out_.replaced;
    // A join of an earlier life, long under way, must not end this one.
    if (n.self && n.self->epoch() == e.epoch && n.self->acts(now_))
      broken("a node that acts was replaced");
    break;
  case kind::left:
    ++out_.left;
    left_.insert(e.epoch);
    break;
  case kind::recovered:
    ++out_.recovered;
    over = false;
    break;
  default:
    over = false;
  }
  if (over)
    spent_.insert(e.epoch);
}

void cluster_world::verify() {
  auto names = std::set<std::string>{};
  for (auto& [id, r] : registry_->members())
    if (!names.insert(r.name).second)
      broken("two live epochs of one name");
  auto ids = std::set<node_id>{};
  for (auto& n : nodes_) {
    if (!n.self || n.hangs || !n.self->acts(now_))
      continue;
    if (!ids.insert(n.self->node()).second)
      broken("two nodes act under one id");
    if (now_ - n.answered > 2s) // the timeout
      broken("a node acts without an answer within the timeout");
    if (silent_.contains(n.self->epoch()))
      broken("a node acts that others were told is silent");
  }
}

bool cluster_world::settled() const {
  auto alive = size_t{0};
  for (auto& n : nodes_) {
    if (!n.self)
      continue;
    ++alive;
    auto* r = registry_->find(n.self->node());
    if (!r || r->epoch != n.self->epoch() || !r->takes_work()
        || !n.self->admits(now_))
      return false;
  }
  return registry_->members().size() == alive;
}

} // namespace troupe::testing
