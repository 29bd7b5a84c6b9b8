#include <algorithm>
#include <deque>
#include <map>
#include <numeric>
#include <utility>

#include "core/trace/model_parts.hpp"

namespace troupe::trace_building {

namespace {

// The least time from a departure to its arrival, each by its own clock.
using delays = std::map<std::pair<uint32_t, uint32_t>, int64_t>;

bool crosses(const parts& p, uint32_t i) {
  auto& m = p.m.messages[i];
  return m.is(trace_departed) && m.is(trace_arrived)
         && p.links[i].process != m.process;
}

delays least_delays(const parts& p) {
  auto least = delays{};
  for (uint32_t i = 0; i < p.links.size(); ++i) {
    if (!crosses(p, i))
      continue;
    auto& m = p.m.messages[i];
    auto d = trace_clock::bounded(static_cast<double>(m.arrived_ns)
                                  - static_cast<double>(m.left_ns));
    // Exact where it matters: for clocks less than a century apart.
    if (d < int64_t{1} << 61 && d > -(int64_t{1} << 61))
      d = m.arrived_ns - m.left_ns;
    auto [at, is_new] = least.try_emplace({p.links[i].process, m.process}, d);
    if (!is_new)
      at->second = std::min(at->second, d);
  }
  return least;
}

// What is to be added to the clock of `to`, if that of `from` is right: a
// message takes as long there as back, at best. With messages one way only,
// nothing is known but that none arrives before it left.
int64_t difference(const delays& least, uint32_t from, uint32_t to) {
  auto there = least.find({from, to});
  auto back = least.find({to, from});
  if (there != least.end() && back != least.end())
    return back->second / 2 - there->second / 2;
  if (there != least.end())
    return std::max(int64_t{0}, trace_clock::add(0, -there->second));
  return std::min(int64_t{0}, back->second);
}

// From the first process on, by those that exchange messages.
std::vector<int64_t> spread(const delays& least, size_t n) {
  auto near = std::vector<std::vector<uint32_t>>(n);
  for (auto& [pair, d] : least) {
    near[pair.first].push_back(pair.second);
    near[pair.second].push_back(pair.first);
  }
  auto correction = std::vector<int64_t>(n);
  auto seen = std::vector<char>(n);
  for (uint32_t root = 0; root < n; ++root) {
    if (std::exchange(seen[root], char{1}))
      continue;
    for (auto queue = std::deque{root}; !queue.empty(); queue.pop_front())
      for (auto next : near[queue.front()])
        if (!std::exchange(seen[next], char{1})) {
          correction[next] =
              trace_clock::add(correction[queue.front()],
                               difference(least, queue.front(), next));
          queue.push_back(next);
        }
  }
  return correction;
}

// Moves clocks on until no message arrives before it left; where that cannot
// be, clocks that run apart, it stops.
void settle(const delays& least, std::vector<int64_t>& correction) {
  for (size_t round = 0; round < correction.size(); ++round) {
    auto changed = false;
    for (auto& [pair, d] : least) {
      auto& to = correction[pair.second];
      auto must =
          trace_clock::add(correction[pair.first], trace_clock::add(0, -d));
      changed |= to < must;
      to = std::max(to, must);
    }
    if (!changed)
      return;
  }
}

void shift(int64_t& t, int64_t by) {
  if (t != trace_never)
    t = trace_clock::add(t, by);
}

} // namespace

void correct_clocks(parts& p) {
  auto least = least_delays(p);
  if (least.empty())
    return;
  auto by = spread(least, p.m.processes.size());
  settle(least, by);
  for (uint32_t i = 0; i < p.links.size(); ++i) {
    auto& m = p.m.messages[i];
    auto sender = m.is(trace_departed) ? p.links[i].process : m.process;
    shift(m.left_ns, by[sender]);
    for (auto* t : {&m.arrived_ns, &m.begun_ns, &m.ended_ns})
      shift(*t, by[m.process]);
  }
  for (auto& a : p.m.actors)
    if (a.process != trace_none)
      for (auto* t : {&a.born_ns, &a.ended_ns})
        shift(*t, by[a.process]);
  for (size_t i = 0; i < by.size(); ++i)
    p.m.processes[i].clock.correction_ns = by[i];
}

// -- order --------------------------------------------------------------------

namespace {

int64_t first_ns(const trace_message& m) {
  return m.left_ns != trace_never      ? m.left_ns
         : m.arrived_ns != trace_never ? m.arrived_ns
                                       : m.begun_ns;
}

// Moves each message to its new place, without a second copy of all.
void permute(std::vector<trace_message>& all, std::vector<uint32_t> place) {
  for (uint32_t i = 0; i < all.size(); ++i)
    while (place[i] != i) {
      std::swap(all[i], all[place[i]]);
      std::swap(place[i], place[place[i]]);
    }
}

} // namespace

void put_in_order(parts& p) {
  auto& all = p.m.messages;
  struct key {
    int64_t ns;
    uint32_t slot;
  };
  auto keys = std::vector<key>(all.size());
  for (uint32_t i = 0; i < all.size(); ++i)
    keys[i] = {p.links[i].what == link::merged
                   ? std::numeric_limits<int64_t>::max()
                   : first_ns(all[i]),
               i};
  std::sort(keys.begin(), keys.end(), [&](auto& a, auto& b) {
    auto dead = [&](auto& k) { return p.links[k.slot].what == link::merged; };
    return a.ns != b.ns         ? a.ns < b.ns
           : dead(a) != dead(b) ? dead(b)
                                : a.slot < b.slot;
  });
  auto place = std::vector<uint32_t>(all.size());
  for (uint32_t i = 0; i < keys.size(); ++i)
    place[keys[i].slot] = i;
  auto merged = std::count_if(p.links.begin(), p.links.end(),
                              [](auto& l) { return l.what == link::merged; });
  keys = {};
  p.links = {};
  for (auto& m : all)
    if (m.cause != trace_none)
      m.cause = place[m.cause];
  for (auto& a : p.m.actors)
    if (a.cause != trace_none)
      a.cause = place[a.cause];
  permute(all, std::move(place));
  all.resize(all.size() - static_cast<size_t>(merged));
  auto& handlings = p.m.handlings;
  handlings.resize(p.m.processes.size());
  for (uint32_t i = 0; i < all.size(); ++i)
    if (all[i].is(trace_is_handled))
      handlings[all[i].process].push_back(i);
  for (auto& h : handlings)
    std::sort(h.begin(), h.end(), [&](auto a, auto b) {
      return std::tie(all[a].begun_ns, all[a].handling, a)
             < std::tie(all[b].begun_ns, all[b].handling, b);
    });
}

} // namespace troupe::trace_building
