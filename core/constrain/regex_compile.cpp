#include <algorithm>
#include <map>

#include "core/constrain/regex.hpp"

namespace troupe::constrain {

namespace {

using kind = regex_node::kind;

// Thompson's automaton; anchors are edges that can be passed only where the
// text begins or ends.
class nfa {
public:
  struct edge {
    kind what; // nothing, begin, end or set
    uint32_t to;
    uint32_t set = 0;
  };

  explicit nfa(work_meter& meter) : meter_(meter) {}

  uint32_t add() {
    meter_.spend(1, 64);
    nodes_.emplace_back();
    return static_cast<uint32_t>(nodes_.size() - 1);
  }

  void link(uint32_t from, uint32_t to, kind what = kind::nothing) {
    nodes_[from].push_back({what, to});
  }

  void link(uint32_t from, uint32_t to, const code_set& set) {
    auto at = std::find(sets_.begin(), sets_.end(), set);
    auto id = static_cast<uint32_t>(at - sets_.begin());
    if (at == sets_.end())
      sets_.push_back(set);
    nodes_[from].push_back({kind::set, to, id});
  }

  // Adds what `node` matches behind `from`; where that ends.
  uint32_t add(const regex_node& node, uint32_t from) {
    if (meter_.spent())
      return from;
    switch (node.what) {
    case kind::row:
      for (auto& part : node.parts)
        from = add(part, from);
      return from;
    case kind::either: {
      auto end = add();
      for (auto& part : node.parts) {
        auto begin = add();
        link(from, begin);
        link(add(part, begin), end);
      }
      return end;
    }
    case kind::repeat:
      return add_repeat(node, from);
    case kind::nothing:
      return from;
    case kind::set: {
      auto end = add();
      link(from, end, node.set);
      return end;
    }
    default: {
      auto end = add();
      link(from, end, node.what);
      return end;
    }
    }
  }

  const std::vector<edge>& edges(uint32_t node) const { return nodes_[node]; }
  const code_set& set(uint32_t id) const { return sets_[id]; }

private:
  uint32_t add_repeat(const regex_node& node, uint32_t from) {
    auto& part = node.parts[0];
    for (auto i = uint32_t{0}; i < node.least && !meter_.spent(); ++i)
      from = add(part, from);
    if (node.most == regex_node::endless) {
      auto loop = add();
      link(from, loop);
      link(add(part, loop), loop);
      return loop;
    }
    auto end = add();
    link(from, end);
    for (auto i = node.least; i < node.most && !meter_.spent(); ++i) {
      auto begin = add();
      link(from, begin);
      from = add(part, begin);
      link(from, end);
    }
    return end;
  }

  work_meter& meter_;
  std::vector<std::vector<edge>> nodes_;
  std::vector<code_set> sets_;
};

class determiniser {
public:
  determiniser(const nfa& from, uint32_t goal, work_meter& meter)
      : nfa_(from), goal_(goal), meter_(meter) {}

  text_dfa run(uint32_t start) {
    id_of(close({start}, true, false), true);
    for (auto i = size_t{0}; i < sets_.size() && !meter_.spent(); ++i)
      expand(i);
    return std::move(out_);
  }

private:
  using node_set = std::vector<uint32_t>;

  node_set close(node_set todo, bool at_begin, bool at_end) {
    auto seen = std::map<uint32_t, bool>{};
    auto all = node_set{};
    for (auto n : todo)
      seen[n] = true;
    while (!todo.empty()) {
      auto n = todo.back();
      todo.pop_back();
      all.push_back(n);
      for (auto& e : nfa_.edges(n)) {
        auto open = e.what == kind::nothing
                    || (e.what == kind::begin && at_begin)
                    || (e.what == kind::end && at_end);
        if (open && !std::exchange(seen[e.to], true))
          todo.push_back(e.to);
      }
    }
    meter_.spend(2 * all.size());
    std::sort(all.begin(), all.end());
    return all;
  }

  uint32_t id_of(node_set set, bool at_begin) {
    auto fresh = static_cast<uint32_t>(sets_.size());
    auto [found, added] = ids_.try_emplace({at_begin, std::move(set)}, fresh);
    if (added) {
      meter_.spend(1, 128 + 4 * found->first.second.size());
      auto ended = close(found->first.second, at_begin, true);
      sets_.push_back(&found->first.second);
      out_.states.emplace_back().accept =
          std::binary_search(ended.begin(), ended.end(), goal_);
    }
    return found->second;
  }

  void expand(size_t id) {
    struct part {
      char32_t first, last;
      uint32_t to;
    };
    auto parts = std::vector<part>{};
    auto cuts = std::vector<char32_t>{};
    for (auto n : *sets_[id])
      for (auto& e : nfa_.edges(n))
        if (e.what == kind::set)
          for (auto& r : nfa_.set(e.set).ranges()) {
            parts.push_back({r.first, r.last, e.to});
            cuts.insert(cuts.end(), {r.first, r.last + 1});
          }
    std::sort(cuts.begin(), cuts.end());
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    for (auto i = size_t{0}; i + 1 < cuts.size(); ++i) {
      auto targets = node_set{};
      for (auto& p : parts)
        if (p.first <= cuts[i] && cuts[i] <= p.last)
          targets.push_back(p.to);
      if (!meter_.spend(1 + parts.size() / 8))
        return;
      if (targets.empty())
        continue;
      std::sort(targets.begin(), targets.end());
      targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
      auto to = id_of(close(targets, false, false), false);
      auto& edges = out_.states[id].edges;
      if (!edges.empty() && edges.back().to == to
          && edges.back().last + 1 == cuts[i])
        edges.back().last = cuts[i + 1] - 1;
      else if (meter_.spend(1, sizeof(text_dfa::edge)))
        edges.push_back({cuts[i], cuts[i + 1] - 1, to});
    }
  }

  const nfa& nfa_;
  uint32_t goal_;
  work_meter& meter_;
  std::map<std::pair<bool, node_set>, uint32_t> ids_;
  std::vector<const node_set*> sets_;
  text_dfa out_;
};

} // namespace

result<text_dfa> compile_regex(std::string_view pattern, regex_extent extent,
                               work_meter& meter) {
  auto parsed = parse_regex(pattern);
  if (!parsed)
    return parsed.failure();
  auto machine = nfa{meter};
  auto start = machine.add();
  if (extent == regex_extent::part)
    machine.link(start, start, code_set::all());
  auto begin = machine.add();
  machine.link(start, begin);
  auto goal = machine.add(*parsed, begin);
  if (extent == regex_extent::part)
    machine.link(goal, goal, code_set::all());
  auto found = determiniser{machine, goal, meter}.run(start);
  if (!meter.spent())
    found = tidy(std::move(found), meter);
  if (meter.spent())
    return fail(errc::unsupported,
                "the expression takes too much work or memory to compile");
  return found;
}

} // namespace troupe::constrain
