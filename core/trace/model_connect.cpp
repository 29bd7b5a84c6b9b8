#include <algorithm>
#include <tuple>

#include "core/trace/model_parts.hpp"

namespace troupe::trace_building {

namespace {

// -- arrivals and handlings ---------------------------------------------------

class matcher {
public:
  matcher(parts& p, uint32_t process,
          const std::vector<handled_record>& handled)
      : p_(p), process_(process), handled_(handled),
        clock_(p.m.processes[process].clock) {}

  // REQUIRES: of one actor and address, in order of time.
  void run(std::span<const event> same) {
    auto now = trace_none;
    for (auto& e : same) {
      if (!e.is_handling) {
        now = e.slot;
        continue;
      }
      auto r = load_unaligned<trace_handled>(handled_[e.slot].at);
      if (r.head.flags & (trace_init | trace_cleanup))
        set(add(e.actor,
                r.head.flags & trace_init ? trace_is_init : trace_is_cleanup),
            e.slot, r);
      else
        set(now == trace_none ? add(e.actor, trace_lost_arrival) : now, e.slot,
            r);
    }
  }

private:
  uint32_t add(uint32_t actor, uint16_t flag) {
    auto m = trace_message{};
    m.receiver = actor;
    m.process = static_cast<uint16_t>(process_);
    m.flags = flag;
    return p_.add(m, {});
  }

  // A message that was put back is handled once more; the last time counts.
  void set(uint32_t slot, uint32_t record, const trace_handled& r) {
    auto& m = p_.m.messages[slot];
    if (m.is(trace_is_handled))
      p_.aliases.push_back({process_, slot, m.handling});
    m.begun_ns = clock_.to_ns(r.head.ticks);
    m.ended_ns = std::max(m.begun_ns, clock_.to_ns(r.end_ticks));
    m.handling = r.handling;
    m.notes = trace_notes_of(r, {handled_[record].at, r.head.bytes});
    m.flags |= trace_is_handled;
  }

  parts& p_;
  uint32_t process_;
  const std::vector<handled_record>& handled_;
  const trace_clock& clock_;
};

// -- departures and arrivals --------------------------------------------------

void merge(parts& p, uint32_t departure, uint32_t arrival) {
  auto& d = p.m.messages[departure];
  auto& a = p.m.messages[arrival];
  d.arrived_ns = a.arrived_ns;
  d.begun_ns = a.begun_ns;
  d.ended_ns = a.ended_ns;
  d.handling = a.handling;
  d.notes = a.notes;
  d.receiver = a.receiver;
  d.process = a.process;
  if (d.type == trace_none)
    d.type = a.type;
  if (d.payload.empty())
    d.payload = a.payload;
  d.flags |= a.flags;
  p.links[arrival] = {departure, trace_none, link::merged};
}

void merge_all(parts& p) {
  for (uint32_t i = 0; i < p.links.size(); ++i) {
    auto l = p.links[i];
    if (l.what != link::departure)
      continue;
    auto d = l.process == trace_none ? trace_none
                                     : p.departures[l.process].find(l.number);
    if (d != trace_none && !p.m.messages[d].is(trace_arrived)) {
      merge(p, d, i);
    } else {
      p.m.messages[i].flags |= trace_lost_departure;
      p.links[i] = {};
    }
  }
}

// -- causes -------------------------------------------------------------------

void number_handlings(parts& p) {
  auto& all = p.m.messages;
  for (uint32_t i = 0; i < all.size(); ++i)
    if (p.links[i].what != link::merged && all[i].is(trace_is_handled))
      p.handlings[all[i].process].add(all[i].handling, i);
  for (auto& a : p.aliases) {
    auto& l = p.links[a.slot];
    p.handlings[a.process].add(a.number, l.what == link::merged
                                             ? static_cast<uint32_t>(l.number)
                                             : a.slot);
  }
}

void find_causes(parts& p) {
  for (uint32_t i = 0; i < p.links.size(); ++i) {
    auto& l = p.links[i];
    if (l.what != link::handling || l.number == 0)
      continue;
    auto& m = p.m.messages[i];
    m.cause = p.handlings[l.process].find(l.number);
    if (m.cause == trace_none)
      m.flags |= trace_lost_cause;
  }
}

void find_parents(parts& p) {
  for (auto& [actor, number] : p.spawned) {
    auto& a = p.m.actors[actor];
    a.cause = p.handlings[a.process].find(number);
  }
  for (auto& m : p.m.messages) {
    if (!m.is(trace_is_init))
      continue;
    m.cause = p.m.actors[m.receiver].cause;
    if (m.cause != trace_none)
      m.sender = p.m.messages[m.cause].receiver;
  }
}

} // namespace

void match(parts& p, uint32_t process, std::vector<event>& events,
           const std::vector<handled_record>& handled) {
  auto key = [](const event& e) { return std::tie(e.actor, e.address); };
  std::sort(events.begin(), events.end(), [&](auto& a, auto& b) {
    return a.actor != b.actor       ? a.actor < b.actor
           : a.address != b.address ? a.address < b.address
           : a.ticks != b.ticks     ? a.ticks < b.ticks
                                    : a.is_handling < b.is_handling;
  });
  auto m = matcher{p, process, handled};
  for (auto i = events.begin(); i != events.end();) {
    auto end = std::find_if(i, events.end(),
                            [&](auto& e) { return key(e) != key(*i); });
    m.run({i, end});
    i = end;
  }
  events = {};
}

void connect(parts& p) {
  merge_all(p);
  number_handlings(p);
  find_causes(p);
  find_parents(p);
}

} // namespace troupe::trace_building
