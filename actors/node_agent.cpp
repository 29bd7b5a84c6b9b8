#include "actors/node_agent.hpp"

#include <caf/all.hpp>

#include <algorithm>

#include "actors/error.hpp"

namespace troupe {

namespace {

// The handles and the clock around a `troupe::agent`.
class performer {
public:
  performer(actor_pointer<node_agent_actor, node_agent_state> self,
            node_agent_options opts)
      : self_(self), opts_(std::move(opts)), agent_(opts_.agent) {}

  time_point now() const { return time_point{self_->clock().now()}; }

  /// Lets `happen` tell the agent something, and does what that wants.
  template <class Happen>
  void after(Happen happen) {
    auto out = agent_output{};
    happen(agent_, out);
    act(out);
  }

  template <class Message>
  void on(const Message& m) {
    after([&](auto& a, auto& out) { a.on(m, now(), out); });
  }

  void on(const node_peers& m) { agent_.on(m); }

  void tick(const deadline_tick& t) {
    if (t.number != timer_)
      return;
    armed_.reset();
    after([&](auto& a, auto& out) { a.tick(now(), out); });
  }

  void down(const caf::actor_addr& peer) {
    if (registry_ == peer) {
      registry_ = registry_actor{};
      after([&](auto& a, auto& out) { a.lost_registry(now(), out); });
    } else if (node_ == peer) {
      node_ = nullptr;
      after([&](auto& a, auto& out) { a.node_ended(now(), out); });
    }
  }

  void end() {
    if (node_)
      self_->send_exit(node_, caf::exit_reason::user_shutdown);
    // Timers that are still to come keep this, and what it has would keep
    // threads from ending.
    node_ = nullptr;
    registry_ = registry_actor{};
    opts_.connector = connector_actor{};
  }

private:
  void act(agent_output& out) {
    for (auto& m : out.send)
      send(m);
    if (out.dial_registry)
      dial();
    if (out.dial_peer)
      dial(*out.dial_peer);
    if (out.start)
      start(*out.start);
    if (out.kill_node)
      self_->send_exit(node_, caf::exit_reason::kill);
    if (opts_.news)
      for (auto& n : out.news)
        opts_.news(n);
    if (out.over) {
      end();
      self_->quit();
      return;
    }
    arm();
  }

  void send(member_message& m) {
    if (auto* join = std::get_if<join_request>(&m))
      self_->send(registry_, join_node{std::move(*join), opts_.address,
                                       node_agent_actor{self_}});
    else if (auto* beat = std::get_if<heartbeat>(&m))
      self_->send(registry_, std::move(*beat));
    else
      self_->send(registry_, std::get<leave>(m));
  }

  void dial() {
    auto failed = [this](const std::string& why) {
      after([&](auto& a, auto& out) { a.unreachable(why, now(), out); });
    };
    self_
        ->request(opts_.connector, caf::infinite, dial_registry{opts_.registry})
        .then(
            [=, this](const registry_found& m) {
              if (!m.registry)
                return failed("there is no registry");
              registry_ = m.registry;
              self_->monitor(registry_);
              after([&](auto& a, auto& out) { a.found(now(), out); });
            },
            [=](const caf::error& e) { failed(from_caf(e).message); });
  }

  void dial(const node_address& at) {
    auto name = at.host + ":" + std::to_string(at.port);
    self_->request(opts_.connector, caf::infinite, dial_peer{at})
        .then(
            [this](const peer_reached&) {
              after([](auto& a, auto& out) { a.peer_reached(out); });
            },
            [=, this](const caf::error& e) {
              auto why = name + ": " + from_caf(e).message;
              after([&](auto& a, auto& out) { a.peer_unreachable(why, out); });
            });
  }

  void start(const agent_output::stay& stay) {
    auto handles = opts_.start_node(stay.node);
    auto watch = [this](const auto& node) {
      self_->monitor(node);
      self_->send(node, watch_load{load_sink{self_}});
      node_ = caf::actor_cast<caf::actor>(node);
    };
    if (handles.prefill)
      watch(handles.prefill);
    else
      watch(handles.decode);
    self_->send(registry_, node_ready{stay.node, stay.epoch, handles.prefill,
                                      handles.decode});
  }

  void arm() {
    auto next = agent_.next_deadline();
    if (!next || (armed_ && *armed_ <= *next))
      return;
    armed_ = next;
    auto wait = std::max(*next - now(), duration{});
    self_->delayed_send(self_, wait, deadline_tick{++timer_});
  }

  actor_pointer<node_agent_actor, node_agent_state> self_;
  node_agent_options opts_;
  agent agent_;
  registry_actor registry_;
  caf::actor node_;
  uint64_t timer_ = 0; ///< the one that counts
  std::optional<time_point> armed_;
};

} // namespace

node_agent_actor::behavior_type
node_agent(actor_pointer<node_agent_actor, node_agent_state> self,
           node_agent_options opts) {
  auto p = std::make_shared<performer>(self, std::move(opts));
  self->set_down_handler([p](const caf::down_msg& m) { p->down(m.source); });
  self->set_exit_handler([self, p](const caf::exit_msg& m) {
    p->end();
    self->quit(m.reason);
  });
  p->after([](auto& a, auto& out) { a.start(out); });
  return {
      [p](const join_reply& m) { p->on(m); },
      [p](const name_taken& m) { p->on(m); },
      [p](const heartbeat_ack& m) { p->on(m); },
      [p](const drain_order& m) { p->on(m); },
      [p](const epoch_over& m) { p->on(m); },
      [p](const node_peers& m) { p->on(m); },
      [p](const node_emptied& m) { p->on(m); },
      [p](const leave_cluster&) {
        p->after([&](auto& a, auto& out) { a.leave(p->now(), out); });
      },
      [p](const deadline_tick& t) { p->tick(t); },
      [p](const node_load& m) {
        p->after([&](auto& a, auto& out) { a.load(m, p->now(), out); });
      },
  };
}

} // namespace troupe
