#include "tests/support/core/cluster_world.hpp"

#include <algorithm>

#include "tests/support/core/cluster_world_model.hpp"

namespace troupe::testing {

using namespace std::chrono_literals;

namespace {

cluster_profile profile() {
  return {"0123", {2, 1, 8, 8, kv_dtype::f16}, "x86_64"};
}

} // namespace

cluster_world::cluster_world(uint64_t seed, cluster_bug bug)
    : seed_(seed), bug_(bug) {
  start_registry();
  nodes_.resize(3 + draw(3));
  for (size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i].name = "n" + std::to_string(i);
    boot(i);
  }
}

cluster_outcome cluster_world::run() {
  auto faults_end = now_ + 20s;
  while (now_ < faults_end && ok()) {
    advance(std::chrono::milliseconds{1 + draw(120)});
    disturb();
  }
  calm_ = true;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    auto& n = nodes_[i];
    n.hangs = n.cut_in = n.cut_out = false;
    if (!n.self && one_in(2)) // or it never comes back
      boot(i);
  }
  // A join of a crashed node that is under way from then counts as its life
  // until it falls silent: nothing tells the two apart. (It must not end
  // another life meanwhile, see cluster_bug::joins_blindly.)
  while (now_ < last_fault_ && ok())
    advance(20ms);
  settle();
  drain_one();
  return out_;
}

// All become members, and stay it.
void cluster_world::settle() {
  auto from = now_;
  while (now_ - from < cluster_settles_within && ok()) {
    advance(10ms);
    if (!settled())
      out_.settled = std::max(out_.settled, now_ - from);
  }
  for (auto i = 0; i < 400 && ok(); ++i) {
    if (!settled())
      broken("the live nodes are not the members");
    advance(10ms);
  }
}

// A node that is drained leaves, and joins again.
void cluster_world::drain_one() {
  if (!ok() || registry_->members().empty())
    return;
  auto r = registry_->members().begin()->second;
  auto out = membership_output{};
  (void)registry_->drain(r.name, out);
  note(std::move(out));
  settle();
  if (!left_.contains(r.epoch))
    broken("a drained node did not leave");
}

// -- who there is -----------------------------------------------------------

void cluster_world::start_registry() {
  if (registry_)
    for (auto& [id, r] : registry_->members())
      spent_.insert(r.epoch);
  auto o = membership_options{};
  o.cluster = profile();
  if (bug_ != cluster_bug::forgets_lives) {
    registry_life_ += 1000;
    o.life = registry_life_;
  }
  registry_.emplace(o);
}

void cluster_world::boot(size_t i) {
  auto& n = nodes_[i];
  auto r = join_request{};
  r.name = n.name;
  r.role = node_role::decode;
  r.model = profile().model;
  r.layout = profile().layout;
  r.isa = profile().isa;
  r.threads = 1;
  r.blocks = 8;
  n.first_incarnation = 0;
  n.epoch = 0;
  n.next_tick = {};
  n.hangs = false;
  n.self.emplace(r, member_options{random_bits(seed_, ++boots_, 7)});
  with(i, [&](member& m, member_output& out) { m.start(now_, out); });
}

// -- faults -----------------------------------------------------------------

void cluster_world::disturb() {
  auto i = draw(nodes_.size());
  auto& n = nodes_[i];
  switch (draw(24)) {
  case 0:
    crash(n);
    break;
  case 1:
  case 2:
    if (!n.self)
      boot(i);
    break;
  case 3:
    n.hangs = true;
    break;
  case 4:
  case 5:
    for (auto& each : nodes_)
      if (each.hangs) {
        each.hangs = false;
        verify(); // it goes on where it was, before it hears anything
      }
    break;
  case 6:
    n.cut_in = true;
    break;
  case 7:
    n.cut_out = true;
    break;
  case 8:
  case 9:
  case 10:
    n.cut_in = n.cut_out = false;
    break;
  case 11:
    if (one_in(3)) {
      start_registry();
      ++out_.restarts;
    }
    break;
  case 12:
    if (n.self && !n.hangs)
      with(i, [&](member& m, member_output& out) { m.drain(now_, out); });
    break;
  case 13: {
    auto out = membership_output{};
    (void)registry_->drain(n.name, out);
    note(std::move(out));
    break;
  }
  case 14: // a connection broke, nothing else
    if (n.self && one_in(2))
      down(n.self->node());
    break;
  default:
    break;
  }
}

void cluster_world::crash(node& n) {
  if (!n.self)
    return;
  auto id = n.self->node();
  n.self.reset();
  if (one_in(2)) // else the connection was half open
    down(id);
}

void cluster_world::down(node_id id) {
  auto out = membership_output{};
  registry_->down(id, out);
  note(std::move(out));
}

// -- time -------------------------------------------------------------------

void cluster_world::advance(duration d) {
  auto end = now_ + d;
  while (ok()) {
    auto next = end;
    if (!wire_.empty())
      next = std::min(next, wire_.begin()->first);
    now_ = std::max(now_, next);
    if (!wire_.empty() && wire_.begin()->first <= now_) {
      auto p = std::move(wire_.begin()->second);
      wire_.erase(wire_.begin());
      deliver(std::move(p));
    }
    turn();
    verify();
    if (now_ >= end && (wire_.empty() || wire_.begin()->first > now_))
      return;
  }
}

// Timers, late as they are.
void cluster_world::turn() {
  if (bug_ != cluster_bug::no_expiry) {
    auto out = membership_output{};
    registry_->tick(now_, out);
    note(std::move(out));
  }
  for (size_t i = 0; i < nodes_.size(); ++i) {
    auto& n = nodes_[i];
    if (!n.self || n.hangs || now_ < n.next_tick)
      continue;
    n.next_tick = now_ + std::chrono::milliseconds{draw(20)};
    turn(i);
  }
}

void cluster_world::turn(size_t i) {
  using state = member::state;
  with(i, [&](member& m, member_output& out) { m.tick(now_, out); });
  with(i, [&](member& m, member_output& out) {
    if (m.now_in() == state::fenced && (calm_ || one_in(4))) {
      ++out_.cut_off;
      m.dropped(now_, out);
    } else if (m.now_in() == state::draining && (calm_ || one_in(30))) {
      m.drained(now_, out);
    } else if (m.now_in() == state::left && (calm_ || one_in(30))) {
      m.start(now_, out);
    }
  });
}

cluster_outcome run_cluster(uint64_t seed, cluster_bug bug) {
  return cluster_world{seed, bug}.run();
}

} // namespace troupe::testing
