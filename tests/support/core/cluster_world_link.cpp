// What nodes and registry say to each other, and what becomes of it on the way.

#include "tests/support/core/cluster_world_model.hpp"

namespace troupe::testing {

using namespace std::chrono_literals;

void cluster_world::send(size_t i, member_output out) {
  auto& n = nodes_[i];
  for (auto& m : out.send) {
    if (auto* join = std::get_if<join_request>(&m)) {
      if (n.first_incarnation == 0)
        n.first_incarnation = join->incarnation;
      if (bug_ == cluster_bug::keeps_incarnation)
        join->incarnation = n.first_incarnation;
      n.incarnation = join->incarnation;
    } else if (std::holds_alternative<heartbeat>(m) && !n.self->acts(now_)) {
      broken("a node that may not act sends heartbeats");
    }
    put({i, true, n.incarnation, std::move(m), {}});
  }
}

void cluster_world::put(packet p) {
  auto& n = nodes_[p.node];
  if (p.to_registry ? n.cut_out : n.cut_in)
    return;
  if (!calm_ && one_in(8))
    return;
  auto copies = !calm_ && one_in(8) ? 2 : 1;
  for (auto c = 0; c < copies; ++c) {
    auto delay = duration{std::chrono::milliseconds{draw(calm_ ? 50 : 300)}};
    if (!calm_ && one_in(40))
      delay += std::chrono::milliseconds{draw(6000)};
    if (!calm_)
      last_fault_ = std::max(last_fault_, now_ + delay);
    wire_.emplace(now_ + delay, p);
  }
}

void cluster_world::deliver(packet p) {
  if (p.to_registry)
    return to_registry(std::move(p));
  auto& n = nodes_[p.node];
  if (!n.self)
    return;
  if (n.hangs) { // it lies there
    wire_.emplace(now_ + 50ms, std::move(p));
    return;
  }
  if (auto* r = std::get_if<join_reply>(&p.down)) {
    if (bug_ == cluster_bug::long_lease)
      r->timeout_ns *= 3;
    if (bug_ == cluster_bug::keeps_incarnation
        && r->incarnation == n.first_incarnation)
      r->incarnation = p.incarnation;
  }
  with(p.node, [&](member& m, member_output& out) {
    std::visit([&](auto& what) { m.on(what, now_, out); }, p.down);
    for (auto& e : out.events)
      if (e.what == member_event::kind::joined) {
        n.epoch = e.epoch;
        n.answered = now_;
      }
  });
  if (auto* r = std::get_if<join_reply>(&p.down);
      r && r->code == errc::none && r->epoch == n.epoch)
    n.answered = now_;
  if (auto* a = std::get_if<heartbeat_ack>(&p.down); a && a->epoch == n.epoch)
    n.answered = now_;
}

// What a broken registry reads in place of what was sent.
void cluster_world::forge(packet& p) {
  auto* r = [&]() -> const member_record* {
    for (auto& [id, each] : registry_->members())
      if (each.name == nodes_[p.node].name)
        return &each;
    return nullptr;
  }();
  if (r == nullptr)
    return;
  if (auto* join = std::get_if<join_request>(&p.up);
      join && bug_ == cluster_bug::joins_blindly)
    join->replaces = r->epoch;
  if (auto* beat = std::get_if<heartbeat>(&p.up);
      beat && bug_ == cluster_bug::any_epoch) {
    for (auto& [id, each] : registry_->members())
      if (&each == r)
        beat->node = id;
    beat->epoch = r->epoch;
  }
}

void cluster_world::to_registry(packet p) {
  auto* beat = std::get_if<heartbeat>(&p.up);
  auto said = beat ? beat->epoch : 0;
  forge(p);
  auto out = membership_output{};
  std::visit(
      [&](auto& m) {
        if constexpr (std::is_same_v<std::decay_t<decltype(m)>, leave>)
          registry_->on(m, out);
        else
          registry_->on(m, now_, out);
      },
      p.up);
  p.to_registry = false;
  for (auto& answer : out.answers) {
    if (auto* ack = std::get_if<heartbeat_ack>(&answer)) {
      if (spent_.contains(said))
        broken("an epoch that is over was accepted");
      for (auto& [id, r] : registry_->members())
        if (r.epoch == ack->epoch && r.incarnation != p.incarnation)
          broken("a node was taken for another life");
    }
    p.down = std::move(answer);
    if (bug_ != cluster_bug::loses_orders
        || !std::holds_alternative<drain_order>(p.down))
      put(p);
  }
  note(std::move(out));
}

} // namespace troupe::testing
