#include "core/cluster/membership.hpp"

#include <cassert>
#include <utility>

namespace troupe {

namespace {

constexpr auto max_spent = size_t{4096};
// Of an epoch. With more joins than these the life's bits count on.
constexpr auto stay_bits = 20;

epoch_over over(membership_epoch epoch) {
  return {epoch, "this stay in the cluster is over: join again"};
}

void tell_over(membership_epoch epoch, membership_output& out) {
  out.answers.emplace_back(over(epoch));
}

template <class Message>
void order(node_id to, Message what, membership_output& out) {
  auto& o = out.orders.emplace_back();
  o.to = to;
  o.what = std::move(what);
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
    : options_(std::move(options)),
      next_node_(static_cast<node_id>(options_.life)) {
  profiles_.emplace(options_.version, options_.cluster);
  assert(options_.interval < options_.suspect_after
         && options_.suspect_after < options_.timeout);
  assert(options_.life > 0 && options_.life >> (64 - stay_bits) == 0);
}

// -- versions -----------------------------------------------------------------

void membership::admit(version_id version, const std::string& model,
                       const kv_layout& layout) {
  profiles_[version] = {model, layout, options_.cluster.isa};
}

void membership::dismiss(version_id version, membership_output& out) {
  profiles_.erase(version);
  for (auto i = members_.begin(); i != members_.end();) {
    auto member = i++;
    if (member->second.version == version)
      remove(member, kind::dismissed, out);
  }
}

// Of the model that the node has; if nobody has it, one to say how it differs.
const std::pair<const version_id, cluster_profile>*
membership::profile_of(const join_request& m) const {
  for (auto& p : profiles_)
    if (p.second.model == m.model)
      return &p;
  return profiles_.empty() ? nullptr : &*profiles_.begin();
}

// -- joining ------------------------------------------------------------------

void membership::on(const join_request& m, time_point now,
                    membership_output& out) {
  auto answer = [&](auto r) { out.answers.emplace_back(std::move(r)); };
  if (auto r = check_request(m); !r)
    return answer(refusal(m, r.failure()));
  auto* profile = profile_of(m);
  if (profile == nullptr)
    return answer(refusal(
        m, fail(errc::unsupported, "the cluster has no version of a model")));
  if (auto r = check_compatible(m, profile->second); !r)
    return answer(refusal(m, r.failure()));
  auto named = by_name_.find(m.name);
  if (named != by_name_.end()) {
    auto i = members_.find(named->second);
    if (i->second.incarnation == m.incarnation) { // asked again
      if (m.number <= i->second.number)
        return;
      heard(i, m.number, now, out);
      return answer(accept(m, i->first));
    }
  }
  if (spent_.contains(m.incarnation))
    return answer(refusal(m, fail(errc::stale_epoch,
                                  "this life of node " + m.name + " is over")));
  if (named != by_name_.end()) {
    auto i = members_.find(named->second);
    if (m.replaces != i->second.epoch)
      return answer(name_taken{m.incarnation, m.number, i->second.epoch});
    remove(i, kind::replaced, out);
  } else if (members_.size() >= options_.max_nodes) {
    return answer(refusal(
        m, fail(errc::overloaded,
                "the cluster has its " + std::to_string(options_.max_nodes)
                    + " nodes, node " + m.name + " is one more")));
  }
  answer(accept(m, add(m, profile->first, now, out)));
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

node_id membership::add(const join_request& m, version_id version,
                        time_point now, membership_output& out) {
  auto r = member_record{};
  r.name = m.name;
  r.role = m.role;
  r.version = version;
  r.incarnation = m.incarnation;
  r.epoch = (membership_epoch{options_.life} << stay_bits) + ++stays_;
  r.threads = m.threads;
  r.load.free_blocks = r.load.blocks = m.blocks;
  r.number = m.number;
  r.heard = now;
  auto id = next_id();
  out.events.push_back({kind::joined, id, r.epoch, r.name});
  by_name_.emplace(r.name, id);
  deadlines_.emplace(deadline(r), id);
  members_.emplace(id, std::move(r));
  return id;
}

// 0 is no node; and the ids may come round.
node_id membership::next_id() {
  while (next_node_ == 0 || members_.contains(next_node_))
    ++next_node_;
  return next_node_++;
}

// -- while it is a member -----------------------------------------------------

membership::record_map::iterator membership::locate(node_id node,
                                                    membership_epoch epoch) {
  auto i = members_.find(node);
  return i != members_.end() && i->second.epoch == epoch ? i : members_.end();
}

void membership::on(const heartbeat& m, time_point now,
                    membership_output& out) {
  auto i = locate(m.node, m.epoch);
  if (i == members_.end())
    return tell_over(m.epoch, out);
  auto& r = i->second;
  if (m.number <= r.number)
    return;
  heard(i, m.number, now, out);
  if (plausible(m.load))
    r.load = m.load;
  if (m.draining && !r.draining) {
    r.draining = true;
    out.events.push_back({kind::draining, m.node, r.epoch, r.name});
  }
  out.answers.emplace_back(heartbeat_ack{r.epoch, m.number});
  if (r.draining && !m.draining)
    out.answers.emplace_back(drain_order{r.epoch});
}

void membership::heard(record_map::iterator i, uint64_t number, time_point now,
                       membership_output& out) {
  auto& [id, r] = *i;
  deadlines_.erase({deadline(r), id});
  r.number = number;
  r.heard = now;
  if (r.suspect) {
    r.suspect = false;
    out.events.push_back({kind::recovered, id, r.epoch, r.name});
  }
  deadlines_.emplace(deadline(r), id);
}

result<node_id> membership::drain(std::string_view name,
                                  membership_output& out) {
  auto named = by_name_.find(name);
  if (named == by_name_.end())
    return fail(errc::no_node, "the cluster has no node of that name");
  auto id = named->second;
  auto& r = members_.at(id);
  if (!r.draining) {
    r.draining = true;
    order(id, drain_order{r.epoch}, out);
    out.events.push_back({kind::draining, id, r.epoch, r.name});
  }
  return id;
}

// -- until it is none ---------------------------------------------------------

void membership::on(const leave& m, membership_output& out) {
  if (auto i = locate(m.node, m.epoch); i != members_.end())
    remove(i, kind::left, out);
  tell_over(m.epoch, out);
}

void membership::down(node_id node, membership_output& out) {
  if (auto i = members_.find(node); i != members_.end())
    remove(i, kind::died, out);
}

void membership::tick(time_point now, membership_output& out) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    auto i = members_.find(deadlines_.begin()->second);
    auto& [id, r] = *i;
    if (r.suspect) {
      remove(i, kind::silent, out);
      continue;
    }
    deadlines_.erase(deadlines_.begin());
    r.suspect = true;
    out.events.push_back({kind::suspect, id, r.epoch, r.name});
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
                        membership_output& out) {
  auto& [id, r] = *i;
  out.events.push_back({why, id, r.epoch, r.name});
  // It may be there yet, and hear it.
  if (why != kind::left)
    order(id, over(r.epoch), out);
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
