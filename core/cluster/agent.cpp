#include "core/cluster/agent.hpp"

#include <algorithm>
#include <utility>

namespace troupe {

std::string_view to_string(agent_news::kind k) {
  using enum agent_news::kind;
  switch (k) {
  case unreachable:
    return "unreachable";
  case ready:
    return "ready";
  case peer_unreachable:
    return "peer unreachable";
  case fenced:
    return "fenced";
  case draining:
    return "draining";
  case left:
    return "left";
  case refused:
    return "refused";
  }
  return "";
}

using kind = agent_news::kind;

agent::agent(agent_options options)
    : options_(std::move(options)), member_(options_.self, options_.member),
      redial_(options_.first_redial) {}

// -- connections --------------------------------------------------------------

void agent::start(agent_output& out) {
  if (connected_ || leaving_ || over_ || std::exchange(dialing_, true))
    return;
  redial_at_.reset();
  out.dial_registry = true;
}

void agent::found(time_point now, agent_output& out) {
  dialing_ = false;
  if (over_)
    return;
  connected_ = true;
  redial_ = options_.first_redial;
  auto o = member_output{};
  if (member_.now_in() == member::state::left)
    member_.start(now, o);
  else
    member_.tick(now, o);
  act(std::move(o), now, out);
}

void agent::unreachable(std::string why, time_point now, agent_output& out) {
  dialing_ = false;
  if (over_)
    return;
  tell(kind::unreachable, std::move(why), out);
  redial_later(now);
}

void agent::redial_later(time_point now) {
  redial_at_ = now + redial_;
  redial_ = std::min(redial_ * 2, options_.max_redial);
}

void agent::lost_registry(time_point now, agent_output& out) {
  if (!std::exchange(connected_, false))
    return;
  fence(now, out);
  if (!leaving_)
    redial_later(now);
  else if (!running_)
    end(kind::left, "the registry is gone", out);
}

// One after the other, then the node may start: what is sent to a peer that is
// not connected would go by way of the registry's process.
void agent::reach_next_peer(agent_output& out) {
  if (!joining_ || joining_->epoch != member_.epoch()) {
    joining_.reset();
    return;
  }
  if (peers_.epoch == joining_->epoch && next_peer_ < peers_.peers.size()) {
    out.dial_peer = peers_.peers[next_peer_++];
    return;
  }
  running_ = true;
  out.start = std::exchange(joining_, std::nullopt);
  tell(kind::ready, {}, out);
}

void agent::peer_reached(agent_output& out) {
  reach_next_peer(out);
}

void agent::peer_unreachable(const std::string& why, agent_output& out) {
  tell(kind::peer_unreachable, why, out);
  reach_next_peer(out);
}

// -- the stay -----------------------------------------------------------------

void agent::act(member_output o, time_point now, agent_output& out) {
  // What cannot be sent is sent again once the registry is found.
  if (connected_)
    std::move(o.send.begin(), o.send.end(), std::back_inserter(out.send));
  for (auto& e : o.events)
    act(e, now, out);
}

void agent::act(const member_event& e, time_point now, agent_output& out) {
  switch (e.what) {
  case member_event::kind::joined:
    // Of a former stay a peer may still be dialed: its end goes on with this.
    next_peer_ = 0;
    if (std::exchange(joining_, agent_output::stay{e.node, e.epoch}))
      return;
    return reach_next_peer(out);
  case member_event::kind::draining:
    return tell(kind::draining, {}, out);
  case member_event::kind::fenced:
    tell(kind::fenced,
         "no answer from the registry in time, or it gave the node up", out);
    return drop(now, out);
  case member_event::kind::left:
    return end(kind::left, {}, out);
  case member_event::kind::refused:
    return end(kind::refused, member_.failure().message, out);
  }
}

// All that the node has goes with it; once it is gone a new stay may begin.
void agent::drop(time_point now, agent_output& out) {
  if (running_) {
    out.kill_node = true;
    return;
  }
  auto o = member_output{};
  member_.dropped(now, o);
  act(std::move(o), now, out);
}

void agent::node_ended(time_point now, agent_output& out) {
  if (!std::exchange(running_, false))
    return;
  // By itself, maybe: then this stay is over.
  fence(now, out);
  drop(now, out);
  if (leaving_ && !connected_)
    end(kind::left, "the registry is gone", out);
}

void agent::fence(time_point now, agent_output& out) {
  if (member_.epoch() == 0)
    return;
  on(epoch_over{member_.epoch(), {}}, now, out);
}

void agent::on(const node_emptied& m, time_point now, agent_output& out) {
  if (m.epoch != member_.epoch())
    return;
  auto o = member_output{};
  member_.drained(now, o);
  act(std::move(o), now, out);
}

void agent::load(const node_load& load, time_point now, agent_output& out) {
  auto o = member_output{};
  member_.load(load, now, o);
  act(std::move(o), now, out);
}

void agent::leave(time_point now, agent_output& out) {
  leaving_ = true;
  redial_at_.reset();
  auto o = member_output{};
  member_.drain(now, o);
  act(std::move(o), now, out);
  // It never was a member, or is none any more.
  if (member_.now_in() == member::state::left)
    end(kind::left, {}, out);
}

void agent::end(kind how, std::string why, agent_output& out) {
  if (std::exchange(over_, true))
    return;
  tell(how, std::move(why), out);
  out.over = true;
}

void agent::tell(kind what, std::string why, agent_output& out) const {
  out.news.push_back({what, member_.node(), std::move(why)});
}

// -- time ---------------------------------------------------------------------

void agent::tick(time_point now, agent_output& out) {
  if (redial_at_ && now >= *redial_at_)
    start(out);
  auto o = member_output{};
  member_.tick(now, o);
  act(std::move(o), now, out);
}

std::optional<time_point> agent::next_deadline() const {
  if (over_)
    return {};
  // Without a registry the member has nothing to send, and its stay is over.
  if (!connected_)
    return redial_at_;
  return member_.next_deadline();
}

} // namespace troupe
