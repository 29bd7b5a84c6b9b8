#include "actors/node_agent.hpp"

#include <caf/all.hpp>

#include <algorithm>

#include "actors/error.hpp"

namespace troupe {

namespace {

using kind = agent_news::kind;

class performer {
public:
  performer(node_agent_actor::stateful_pointer<node_agent_state> self,
            node_agent_options opts)
      : self_(self), opts_(std::move(opts)), member_(opts_.self, opts_.member),
        redial_(opts_.first_redial) {}

  time_point now() const { return time_point{self_->clock().now()}; }

  // -- the registry -----------------------------------------------------------

  void dial() {
    if (registry_ || leaving_ || std::exchange(dialing_, true))
      return;
    self_
        ->request(opts_.connector, caf::infinite, dial_registry{opts_.registry})
        .then(
            [this](const registry_found& m) {
              dialing_ = false;
              found(m.registry);
            },
            [this](const caf::error& e) {
              dialing_ = false;
              tell(kind::unreachable, from_caf(e).message);
              dial_later();
            });
  }

  template <class Message>
  void on(const Message& m) {
    auto out = member_output{};
    member_.on(m, now(), out);
    act(std::move(out));
  }

  void on(const node_peers& m) { peers_ = m; }

  void on(const node_emptied& m) {
    if (m.epoch != member_.epoch())
      return;
    auto out = member_output{};
    member_.drained(now(), out);
    act(std::move(out));
  }

  void tick(const deadline_tick& t) {
    if (t.number != timer_)
      return;
    armed_.reset();
    auto out = member_output{};
    member_.tick(now(), out);
    act(std::move(out));
  }

  // -- the node ---------------------------------------------------------------

  // At once: the node waits between two reports.
  void load(const node_load& m) {
    auto out = member_output{};
    member_.load(m, now(), out);
    act(std::move(out));
  }

  void leave() {
    leaving_ = true;
    auto out = member_output{};
    member_.drain(now(), out);
    act(std::move(out));
    if (member_.now_in() == member::state::left && !registry_)
      end(kind::left, {});
  }

  void down(const caf::actor_addr& peer) {
    if (registry_ == peer) {
      registry_ = nullptr;
      fence("the registry is gone");
      if (!leaving_)
        dial_later();
      else if (!node_)
        end(kind::left, "the registry is gone");
    } else if (node_ == peer) {
      node_ = nullptr;
      // Of itself, maybe: then this stay is over.
      fence("the node died");
      auto out = member_output{};
      member_.dropped(now(), out);
      act(std::move(out));
      if (leaving_ && !registry_)
        end(kind::left, "the registry is gone");
    }
  }

  void end() {
    ended_ = true;
    if (node_)
      self_->send_exit(node_, caf::exit_reason::user_shutdown);
    // Timers that are still to come keep this, and what it has would keep
    // threads from ending.
    node_ = nullptr;
    registry_ = registry_actor{};
    opts_.connector = connector_actor{};
  }

private:
  void found(const registry_actor& registry) {
    if (!registry)
      return dial_later();
    registry_ = registry;
    redial_ = opts_.first_redial;
    self_->monitor(registry_);
    auto out = member_output{};
    if (member_.now_in() == member::state::left)
      member_.start(now(), out);
    else
      member_.tick(now(), out);
    act(std::move(out));
  }

  void dial_later() {
    self_->delayed_send(self_, redial_, deadline_tick{0});
    redial_ = std::min(redial_ * 2, opts_.max_redial);
  }

  void fence(const std::string& reason) {
    if (member_.epoch() == 0)
      return;
    auto out = member_output{};
    member_.on(epoch_over{member_.epoch(), reason}, now(), out);
    act(std::move(out));
  }

  void act(member_output out) {
    for (auto& m : out.send)
      send(m);
    for (auto& e : out.events)
      act(e);
    arm();
  }

  // What cannot be sent is sent again once the registry is found.
  void send(member_message& m) {
    if (!registry_)
      return;
    if (auto* join = std::get_if<join_request>(&m))
      self_->send(registry_, join_node{std::move(*join), opts_.address,
                                       node_agent_actor{self_}});
    else if (auto* beat = std::get_if<heartbeat>(&m))
      self_->send(registry_, std::move(*beat));
    else
      self_->send(registry_, std::get<troupe::leave>(m));
  }

  void act(const member_event& e) {
    switch (e.what) {
    case member_event::kind::joined:
      return reach_peers(e.node, e.epoch, 0);
    case member_event::kind::draining:
      return tell(kind::draining, {});
    case member_event::kind::fenced:
      tell(kind::fenced, "no answer from the registry in time, or it gave the "
                         "node up");
      return drop();
    case member_event::kind::left:
      return end(kind::left, {});
    case member_event::kind::refused:
      return end(kind::refused, member_.failure().message);
    }
  }

  // One after the other, then it is ready.
  void reach_peers(node_id node, membership_epoch epoch, size_t next) {
    if (member_.epoch() != epoch)
      return;
    if (peers_.epoch != epoch || next >= peers_.peers.size())
      return start(node, epoch);
    auto& at = peers_.peers[next];
    auto name = at.host + ":" + std::to_string(at.port);
    self_->request(opts_.connector, caf::infinite, dial_peer{at})
        .then([=, this](
                  const peer_reached&) { reach_peers(node, epoch, next + 1); },
              [=, this](const caf::error& e) {
                tell(kind::peer_unreachable, name + ": " + from_caf(e).message);
                reach_peers(node, epoch, next + 1);
              });
  }

  void start(node_id node, membership_epoch epoch) {
    auto handles = opts_.start_node(node);
    if (handles.prefill)
      watch(handles.prefill);
    else
      watch(handles.decode);
    self_->send(registry_,
                node_ready{node, epoch, handles.prefill, handles.decode});
    tell(kind::ready, {});
  }

  template <class Handle>
  void watch(const Handle& node) {
    self_->monitor(node);
    self_->send(node, watch_load{load_sink{self_}});
    node_ = caf::actor_cast<caf::actor>(node);
  }

  // All that the node has goes with it; once it is gone a new stay may begin.
  void drop() {
    if (node_)
      return self_->send_exit(node_, caf::exit_reason::kill);
    auto out = member_output{};
    member_.dropped(now(), out);
    act(std::move(out));
  }

  void end(kind how, std::string reason) {
    if (ended_)
      return;
    end();
    tell(how, std::move(reason));
    self_->quit();
  }

  void tell(kind what, std::string reason) {
    if (opts_.news)
      opts_.news({what, member_.node(), std::move(reason)});
  }

  void arm() {
    auto next = member_.next_deadline();
    if (!next || !registry_ || (armed_ && *armed_ <= *next))
      return;
    armed_ = next;
    auto wait = std::max(*next - now(), duration{});
    self_->delayed_send(self_, wait, deadline_tick{++timer_});
  }

  node_agent_actor::stateful_pointer<node_agent_state> self_;
  node_agent_options opts_;
  member member_;
  std::chrono::milliseconds redial_;
  registry_actor registry_;
  caf::actor node_;
  node_peers peers_;
  bool dialing_ = false;
  bool leaving_ = false;
  bool ended_ = false;
  uint64_t timer_ = 0; ///< the one that counts; 0 is a redial
  std::optional<time_point> armed_;
};

} // namespace

node_agent_actor::behavior_type
node_agent(node_agent_actor::stateful_pointer<node_agent_state> self,
           node_agent_options opts) {
  auto p = std::make_shared<performer>(self, std::move(opts));
  self->set_down_handler([p](const caf::down_msg& m) { p->down(m.source); });
  self->set_exit_handler([self, p](const caf::exit_msg& m) {
    p->end();
    self->quit(m.reason);
  });
  p->dial();
  return {
      [p](const join_reply& m) { p->on(m); },
      [p](const name_taken& m) { p->on(m); },
      [p](const heartbeat_ack& m) { p->on(m); },
      [p](const drain_order& m) { p->on(m); },
      [p](const epoch_over& m) { p->on(m); },
      [p](const node_peers& m) { p->on(m); },
      [p](const node_emptied& m) { p->on(m); },
      [p](const leave_cluster&) { p->leave(); },
      [p](const deadline_tick& t) {
        if (t.number == 0)
          p->dial();
        else
          p->tick(t);
      },
      [p](const node_load& m) { p->load(m); },
  };
}

} // namespace troupe
