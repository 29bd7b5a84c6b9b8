#include <algorithm>
#include <map>
#include <utility>

#include "core/constrain/text_dfa.hpp"

namespace troupe::constrain {

namespace {

using state = text_dfa::state;

std::vector<char> reached(const text_dfa& a) {
  auto seen = std::vector<char>(a.states.size());
  auto todo = std::vector<uint32_t>{0};
  seen[0] = 1;
  while (!todo.empty()) {
    auto at = todo.back();
    todo.pop_back();
    for (auto& e : a.states[at].edges)
      if (!std::exchange(seen[e.to], 1))
        todo.push_back(e.to);
  }
  return seen;
}

// States from which one of `goals` can be reached.
std::vector<char> leads_to(const text_dfa& a, std::vector<char> goals) {
  auto from = std::vector<std::vector<uint32_t>>(a.states.size());
  for (auto i = uint32_t{0}; i < a.states.size(); ++i)
    for (auto& e : a.states[i].edges)
      from[e.to].push_back(i);
  auto todo = std::vector<uint32_t>{};
  for (auto i = uint32_t{0}; i < a.states.size(); ++i)
    if (goals[i])
      todo.push_back(i);
  while (!todo.empty()) {
    auto at = todo.back();
    todo.pop_back();
    for (auto i : from[at])
      if (!std::exchange(goals[i], 1))
        todo.push_back(i);
  }
  return goals;
}

std::vector<char> accepting(const text_dfa& a) {
  auto goals = std::vector<char>{};
  for (auto& s : a.states)
    goals.push_back(s.accept);
  return goals;
}

// Edges that touch and go the same way become one.
void join_edges(std::vector<text_dfa::edge>& edges) {
  auto kept = size_t{0};
  for (auto& e : edges) {
    if (kept > 0 && edges[kept - 1].to == e.to
        && edges[kept - 1].last + 1 == e.first)
      edges[kept - 1].last = e.last;
    else
      edges[kept++] = e;
  }
  edges.resize(kept);
}

// The states that `id_of` numbers, each as the first of its number.
text_dfa renumber(const text_dfa& a, const std::vector<uint32_t>& id_of,
                  uint32_t count) {
  auto b = text_dfa{};
  b.states.resize(count);
  auto done = std::vector<char>(count);
  for (auto i = size_t{0}; i < a.states.size(); ++i) {
    auto id = id_of[i];
    if (id >= count || std::exchange(done[id], 1))
      continue;
    auto& s = b.states[id];
    s.accept = a.states[i].accept;
    for (auto& e : a.states[i].edges)
      if (id_of[e.to] < count)
        s.edges.push_back({e.first, e.last, id_of[e.to]});
    join_edges(s.edges);
  }
  return b;
}

text_dfa trim(const text_dfa& a) {
  if (a.empty())
    return a;
  auto useful = leads_to(a, accepting(a));
  if (!useful[0])
    return {};
  auto seen = reached(a);
  auto ids = std::vector<uint32_t>(a.states.size(), ~uint32_t{0});
  auto count = uint32_t{0};
  for (auto i = size_t{0}; i < ids.size(); ++i)
    if (seen[i] && useful[i])
      ids[i] = count++;
  return renumber(a, ids, count);
}

// Moore's refinement, one round: states of one class stay together where
// their edges lead to the same classes.
uint32_t refine(const text_dfa& a, std::vector<uint32_t>& classes) {
  auto known = std::map<std::vector<uint32_t>, uint32_t>{};
  auto next = std::vector<uint32_t>(classes.size());
  auto key = std::vector<uint32_t>{};
  auto edges = std::vector<text_dfa::edge>{};
  for (auto i = size_t{0}; i < classes.size(); ++i) {
    edges = a.states[i].edges;
    for (auto& e : edges)
      e.to = classes[e.to];
    join_edges(edges);
    key = {classes[i]};
    for (auto& e : edges)
      key.insert(key.end(), {e.first, e.last, e.to});
    auto fresh = static_cast<uint32_t>(known.size());
    next[i] = known.try_emplace(key, fresh).first->second;
  }
  classes = std::move(next);
  return static_cast<uint32_t>(known.size());
}

text_dfa merge_equals(text_dfa a, work_meter& meter) {
  auto cost = uint64_t{1};
  for (auto& s : a.states)
    cost += 6 + 2 * s.edges.size();
  // The start stays the first state since its class is numbered first.
  auto classes = std::vector<uint32_t>{};
  for (auto& s : a.states)
    classes.push_back(s.accept != a.states[0].accept);
  auto allowance = meter.steps_left() / 4;
  for (auto count = uint32_t{0};;) {
    if (cost > allowance)
      return a;
    allowance -= cost;
    meter.spend(cost);
    auto now = refine(a, classes);
    if (now == count)
      return renumber(a, classes, count);
    count = now;
  }
}

} // namespace

text_dfa tidy(text_dfa a, work_meter& meter) {
  a = trim(a);
  if (a.empty() || meter.spent())
    return a;
  return merge_equals(std::move(a), meter);
}

bool is_endless(const text_dfa& a) {
  // Where each state has a way onwards, each of them leads to a cycle.
  return !a.empty()
         && std::none_of(a.states.begin(), a.states.end(),
                         [](auto& s) { return s.edges.empty(); });
}

std::optional<text_run> as_run(const text_dfa& a) {
  auto run = text_run{};
  auto at = uint32_t{0};
  for (auto n = uint32_t{0}; n < a.states.size(); ++n) {
    auto& s = a.states[at];
    // Once long enough, each longer text is good up to the longest.
    if (!s.accept && n > run.least)
      return {};
    if (!s.accept)
      run.least = n + 1;
    run.most = n;
    if (s.edges.empty())
      return n > 0 && n + 1 == a.states.size() ? std::optional{run}
                                               : std::nullopt;
    auto to = s.edges.front().to;
    auto set = code_set{};
    for (auto& e : s.edges) {
      if (e.to != to)
        return {};
      set.add(e.first, e.last);
    }
    if (n == 0)
      run.set = set;
    if (set != run.set)
      return {};
    if (to == at) {
      run.most = ~uint32_t{0};
      return n + 1 == a.states.size() ? std::optional{run} : std::nullopt;
    }
    at = to;
  }
  return {};
}

} // namespace troupe::constrain
