#include "tests/support/core/cluster_world.hpp"

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/base/random.hpp"
#include "core/cluster/member.hpp"
#include "core/cluster/membership.hpp"

namespace troupe::testing {

namespace {

using namespace std::chrono_literals;

constexpr auto timeout = duration{2s};

cluster_profile profile() {
  return {"0123", {2, 1, 8, 8, kv_dtype::f16}, "x86_64"};
}

struct node {
  std::string name;
  std::optional<member> self; ///< none: crashed
  bool hangs = false;
  bool cut_in = false;
  bool cut_out = false;
  uint64_t first_incarnation = 0;
  membership_epoch epoch = 0;
  time_point answered{}; ///< within that epoch
  time_point next_tick{};
};

struct packet {
  size_t node;
  bool to_registry;
  uint64_t incarnation; ///< of the node that sent it
  member_message up;
  registry_message down;
};

class cluster_world {
public:
  cluster_world(uint64_t seed, cluster_bug bug) : seed_(seed), bug_(bug) {
    start_registry();
    nodes_.resize(3 + draw(3));
    for (size_t i = 0; i < nodes_.size(); ++i) {
      nodes_[i].name = "n" + std::to_string(i);
      boot(i);
    }
  }

  cluster_outcome run() {
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
    // What is still under way from then is a fault as well.
    while (now_ < last_fault_ && ok())
      advance(20ms);
    auto from = now_;
    while (now_ - from < cluster_settles_within && ok()) {
      advance(10ms);
      if (!settled())
        out_.settled = now_ - from;
    }
    for (auto i = 0; i < 400 && ok(); ++i) { // and they stay it
      if (!settled())
        broken("the live nodes are not the members");
      advance(10ms);
    }
    return out_;
  }

private:
  uint64_t draw(uint64_t below) { return random_bits(seed_, ++draws_) % below; }
  bool one_in(uint64_t n) { return draw(n) == 0; }
  bool ok() const { return out_.violation.empty(); }
  void broken(std::string what) {
    if (ok())
      out_.violation = std::move(what) + "; seed " + std::to_string(seed_);
  }

  // -- who there is -----------------------------------------------------------

  void start_registry() {
    if (registry_)
      for (auto& [id, r] : registry_->members())
        spent_.insert(r.epoch);
    auto o = membership_options{};
    o.cluster = profile();
    if (bug_ != cluster_bug::forgets_lives) {
      o.life = ++registry_life_;
      o.first_node = 1000 * o.life;
    }
    registry_.emplace(o);
  }

  void boot(size_t i) {
    auto& n = nodes_[i];
    auto r = join_request{};
    r.name = n.name;
    r.role = member_role::decode;
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
    auto box = member_outbox{};
    n.self->start(now_, box);
    send(i, std::move(box));
  }

  // -- faults -----------------------------------------------------------------

  void disturb() {
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
        with(i, [&](member& m, member_outbox& box) { m.drain(now_, box); });
      break;
    case 13: {
      auto events = membership_events{};
      if (n.self && n.self->node() != 0 && registry_->find(n.self->node()))
        (void)registry_->drain(n.self->node(), events);
      note(events);
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

  void crash(node& n) {
    if (!n.self)
      return;
    auto id = n.self->node();
    n.self.reset();
    if (one_in(2)) // else the connection was half open
      down(id);
  }

  void down(node_id id) {
    auto events = membership_events{};
    registry_->down(id, events);
    note(events);
  }

  // -- time -------------------------------------------------------------------

  void advance(duration d) {
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
  void turn() {
    auto events = membership_events{};
    if (bug_ != cluster_bug::no_expiry)
      registry_->expire(now_, events);
    note(events);
    for (size_t i = 0; i < nodes_.size(); ++i) {
      auto& n = nodes_[i];
      if (!n.self || n.hangs || now_ < n.next_tick)
        continue;
      n.next_tick = now_ + std::chrono::milliseconds{draw(20)};
      with(i, [&](member& m, member_outbox& box) { m.tick(now_, box); });
      with(i, [&](member& m, member_outbox& box) {
        if (m.now_in() == member::state::fenced && (calm_ || one_in(4))) {
          ++out_.cut_off;
          m.dropped(now_);
        } else if (m.now_in() == member::state::draining
                   && (calm_ || one_in(30))) {
          m.drained(now_, box);
        } else if (m.now_in() == member::state::left && (calm_ || one_in(30))) {
          m.start(now_, box);
        }
      });
    }
  }

  template <class F>
  void with(size_t i, F f) {
    auto box = member_outbox{};
    f(*nodes_[i].self, box);
    send(i, std::move(box));
  }

  // -- the link ---------------------------------------------------------------

  void send(size_t i, member_outbox box) {
    auto& n = nodes_[i];
    for (auto& m : box) {
      if (auto* join = std::get_if<join_request>(&m)) {
        if (n.first_incarnation == 0)
          n.first_incarnation = join->incarnation;
        if (bug_ == cluster_bug::keeps_incarnation)
          join->incarnation = n.first_incarnation;
        incarnation_[i] = join->incarnation;
      } else if (std::holds_alternative<heartbeat>(m) && !n.self->acts(now_)) {
        broken("a node that may not act sends heartbeats");
      }
      put({i, true, incarnation_[i], std::move(m), {}});
    }
  }

  void put(packet p) {
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

  void deliver(packet p) {
    if (p.to_registry)
      return to_registry(std::move(p));
    auto& n = nodes_[p.node];
    if (!n.self)
      return;
    if (n.hangs) { // it lies there
      wire_.emplace(now_ + 50ms, std::move(p));
      return;
    }
    with(p.node, [&](member& m, member_outbox& box) {
      if (auto* r = std::get_if<join_reply>(&p.down)) {
        if (bug_ == cluster_bug::long_lease)
          r->timeout_ns *= 3;
        if (bug_ == cluster_bug::keeps_incarnation
            && r->incarnation == n.first_incarnation)
          r->incarnation = p.incarnation;
        m.on(*r, now_, box);
        if (r->code == errc::none && m.epoch() == r->epoch
            && n.epoch != r->epoch) {
          n.epoch = r->epoch;
          n.answered = now_;
        }
      } else if (auto* a = std::get_if<heartbeat_ack>(&p.down)) {
        m.on(*a, now_);
        if (a->epoch == n.epoch)
          n.answered = now_;
      } else if (auto* o = std::get_if<epoch_over>(&p.down)) {
        m.on(*o, now_);
      }
    });
  }

  void to_registry(packet p) {
    auto events = membership_events{};
    if (auto* beat = std::get_if<heartbeat>(&p.up);
        beat && bug_ == cluster_bug::any_epoch)
      for (auto& [id, r] : registry_->members())
        if (r.name == nodes_[p.node].name) {
          beat->node = id;
          accepted_as_ = std::exchange(beat->epoch, r.epoch);
        }
    auto said = accepted_as_;
    if (auto* beat = std::get_if<heartbeat>(&p.up); beat && said == 0)
      said = beat->epoch;
    accepted_as_ = 0;
    p.down = std::visit(
        [&](auto& m) {
          if constexpr (std::is_same_v<std::decay_t<decltype(m)>, leave>)
            return registry_->on(m, events);
          else
            return registry_->on(m, now_, events);
        },
        p.up);
    note(events);
    if (auto* ack = std::get_if<heartbeat_ack>(&p.down)) {
      if (spent_.contains(said))
        broken("an epoch that is over was accepted");
      for (auto& [id, r] : registry_->members())
        if (r.epoch == ack->epoch && r.incarnation != p.incarnation)
          broken("a node was taken for another life");
    }
    if (std::holds_alternative<std::monostate>(p.down))
      return;
    p.to_registry = false;
    put(std::move(p));
  }

  // -- what must hold ---------------------------------------------------------

  void note(const membership_events& events) {
    using kind = membership_event::kind;
    for (auto& e : events) {
      auto over = true;
      switch (e.what) {
      case kind::joined:
        ++out_.joined;
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
        break;
      case kind::left:
        ++out_.left;
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
  }

  void verify() {
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
      if (now_ - n.answered > timeout)
        broken("a node acts without an answer within the timeout");
      if (silent_.contains(n.self->epoch()))
        broken("a node acts that others were told is silent");
    }
  }

  bool settled() const {
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

  uint64_t seed_;
  cluster_bug bug_;
  uint64_t draws_ = 0;
  uint64_t boots_ = 0;
  uint32_t registry_life_ = 0;
  bool calm_ = false;
  time_point now_ = time_point{} + 100s;
  time_point last_fault_{};
  membership_epoch accepted_as_ = 0;
  std::optional<membership> registry_;
  std::vector<node> nodes_;
  std::map<size_t, uint64_t> incarnation_;
  std::multimap<time_point, packet> wire_;
  std::set<membership_epoch> spent_;
  std::set<membership_epoch> silent_;
  cluster_outcome out_;
};

} // namespace

cluster_outcome run_cluster(uint64_t seed, cluster_bug bug) {
  return cluster_world{seed, bug}.run();
}

} // namespace troupe::testing
