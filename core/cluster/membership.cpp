#include "core/cluster/membership.hpp"

#include <cassert>

namespace troupe {

namespace {

constexpr auto max_spent = size_t{4096};

epoch_over over(membership_epoch epoch) {
  return {epoch, "this stay in the cluster is over: join again"};
}

join_reply refusal(const join_request& m, const error& why) {
  auto r = join_reply{};
  r.incarnation = m.incarnation;
  r.number = m.number;
  r.code = why.code;
  r.reason = why.message;
  return r;
}

} // namespace

membership::membership(membership_options options)
    : options_(std::move(options)), next_node_(options_.first_node) {
  assert(options_.interval < options_.suspect_after
         && options_.suspect_after < options_.timeout);
}

// -- joining ------------------------------------------------------------------

registry_message membership::on(const join_request& m, time_point now,
                                membership_events& events) {
  if (auto r = check_request(m); !r)
    return refusal(m, r.failure());
  if (auto r = check_compatible(m, options_.cluster); !r)
    return refusal(m, r.failure());
  auto named = by_name_.find(m.name);
  if (named != by_name_.end()) {
    auto i = members_.find(named->second);
    if (i->second.incarnation == m.incarnation) { // asked again
      if (m.number <= i->second.number)
        return {};
      heard(i, m.number, now, events);
      return accept(m, i->first);
    }
  }
  if (spent_.contains(m.incarnation))
    return refusal(
        m, fail(errc::stale_epoch, "this life of node " + m.name + " is over"));
  if (named != by_name_.end())
    remove(members_.find(named->second), kind::replaced, events);
  else if (members_.size() >= options_.max_nodes)
    return refusal(m, fail(errc::overloaded,
                           "the cluster has its "
                               + std::to_string(options_.max_nodes)
                               + " nodes, node " + m.name + " is one more"));
  return accept(m, add(m, now, events));
}

join_reply membership::accept(const join_request& m, node_id node) const {
  return {m.incarnation,
          m.number,
          node,
          members_.at(node).epoch,
          options_.interval.count(),
          options_.timeout.count(),
          errc::none,
          {}};
}

node_id membership::add(const join_request& m, time_point now,
                        membership_events& events) {
  auto r = member_record{};
  r.name = m.name;
  r.role = m.role;
  r.incarnation = m.incarnation;
  r.epoch = membership_epoch{options_.life} << 32 | ++stays_;
  r.threads = m.threads;
  r.load.free_blocks = r.load.capacity = m.blocks;
  r.number = m.number;
  r.heard = now;
  auto id = next_node_++;
  events.push_back({kind::joined, id, r.epoch, r.name});
  by_name_.emplace(r.name, id);
  deadlines_.emplace(deadline(r), id);
  members_.emplace(id, std::move(r));
  return id;
}

// -- while it is a member -----------------------------------------------------

membership::record_map::iterator membership::locate(node_id node,
                                                    membership_epoch epoch) {
  auto i = members_.find(node);
  return i != members_.end() && i->second.epoch == epoch ? i : members_.end();
}

registry_message membership::on(const heartbeat& m, time_point now,
                                membership_events& events) {
  auto i = locate(m.node, m.epoch);
  if (i == members_.end())
    return over(m.epoch);
  auto& r = i->second;
  if (m.number <= r.number)
    return {};
  heard(i, m.number, now, events);
  if (plausible(m.load))
    r.load = m.load;
  if (m.draining && !r.draining) {
    r.draining = true;
    events.push_back({kind::draining, m.node, r.epoch, r.name});
  }
  return heartbeat_ack{r.epoch, m.number, r.draining};
}

void membership::heard(record_map::iterator i, uint64_t number, time_point now,
                       membership_events& events) {
  auto& [id, r] = *i;
  deadlines_.erase({deadline(r), id});
  r.number = number;
  r.heard = now;
  if (r.suspect) {
    r.suspect = false;
    events.push_back({kind::recovered, id, r.epoch, r.name});
  }
  deadlines_.emplace(deadline(r), id);
}

result<void> membership::drain(node_id node, membership_events& events) {
  auto i = members_.find(node);
  if (i == members_.end())
    return fail(errc::no_node,
                "no node " + std::to_string(node) + " in the cluster");
  if (!i->second.draining) {
    i->second.draining = true;
    events.push_back({kind::draining, node, i->second.epoch, i->second.name});
  }
  return {};
}

// -- until it is none ---------------------------------------------------------

registry_message membership::on(const leave& m, membership_events& events) {
  if (auto i = locate(m.node, m.epoch); i != members_.end())
    remove(i, kind::left, events);
  return over(m.epoch);
}

void membership::down(node_id node, membership_events& events) {
  if (auto i = members_.find(node); i != members_.end())
    remove(i, kind::died, events);
}

void membership::expire(time_point now, membership_events& events) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    auto i = members_.find(deadlines_.begin()->second);
    auto& [id, r] = *i;
    if (r.suspect) {
      remove(i, kind::silent, events);
      continue;
    }
    deadlines_.erase(deadlines_.begin());
    r.suspect = true;
    events.push_back({kind::suspect, id, r.epoch, r.name});
    deadlines_.emplace(deadline(r), id);
  }
}

std::optional<time_point> membership::next_deadline() const {
  if (deadlines_.empty())
    return {};
  return deadlines_.begin()->first;
}

const member_record* membership::find(node_id node) const {
  auto i = members_.find(node);
  return i == members_.end() ? nullptr : &i->second;
}

time_point membership::deadline(const member_record& r) const {
  return r.heard + (r.suspect ? options_.timeout : options_.suspect_after);
}

void membership::remove(record_map::iterator i, kind why,
                        membership_events& events) {
  auto& [id, r] = *i;
  events.push_back({why, id, r.epoch, r.name});
  deadlines_.erase({deadline(r), id});
  by_name_.erase(r.name);
  spend(r.incarnation);
  members_.erase(i);
}

void membership::spend(uint64_t incarnation) {
  if (!spent_.insert(incarnation).second)
    return;
  spent_order_.push_back(incarnation);
  if (spent_order_.size() > max_spent) {
    spent_.erase(spent_order_.front());
    spent_order_.pop_front();
  }
}

} // namespace troupe
