#include "core/constrain/rule_determiniser.hpp"

#include <algorithm>

namespace troupe::constrain {

namespace {

constexpr auto none = ~uint32_t{0};

} // namespace

rule_automaton rule_determiniser::run(grammar_builder::rule_id rule) {
  ids_.clear();
  sets_.clear();
  out_ = {};
  finish_ = from_.finish(rule);
  id_of({from_.start(rule)});
  for (auto i = uint32_t{0}; i < sets_.size() && !from_.meter_.spent(); ++i)
    expand(i);
  return std::move(out_);
}

// With all that edges without a byte lead to.
void rule_determiniser::close(node_set& nodes) {
  ++round_;
  for (auto n : nodes)
    seen_[n] = round_;
  for (auto i = size_t{0}; i < nodes.size(); ++i)
    for (auto e = from_.heads_[nodes[i]]; e != none; e = from_.edges_[e].next) {
      auto& edge = from_.edges_[e];
      if (edge.what == grammar_builder::edge_kind::skip
          && seen_[edge.to] != round_) {
        seen_[edge.to] = round_;
        nodes.push_back(edge.to);
      }
    }
  // Nodes that only lead on need not tell sets apart.
  auto idle = [&](uint32_t n) {
    if (n == finish_)
      return false;
    for (auto e = from_.heads_[n]; e != none; e = from_.edges_[e].next)
      if (from_.edges_[e].what != grammar_builder::edge_kind::skip)
        return false;
    return true;
  };
  from_.meter_.spend(1 + nodes.size());
  nodes.erase(std::remove_if(nodes.begin(), nodes.end(), idle), nodes.end());
  std::sort(nodes.begin(), nodes.end());
}

uint32_t rule_determiniser::id_of(node_set nodes) {
  close(nodes);
  auto fresh = static_cast<uint32_t>(sets_.size());
  auto [found, added] = ids_.try_emplace(std::move(nodes), fresh);
  if (added) {
    auto& set = found->first;
    from_.meter_.spend(2, 160 + 4 * set.size());
    sets_.push_back(&set);
    out_.states.emplace_back().accept =
        std::binary_search(set.begin(), set.end(), finish_);
  }
  return found->second;
}

void rule_determiniser::expand(uint32_t id) {
  add_edges(id, false);
  add_edges(id, true);
  auto& edges = out_.states[id].edges;
  std::stable_sort(edges.begin(), edges.end(),
                   [](auto& a, auto& b) { return a.first < b.first; });
  add_calls(id);
}

void rule_determiniser::add_edges(uint32_t id, bool counted) {
  auto kind = counted ? grammar_builder::edge_kind::counted
                      : grammar_builder::edge_kind::bytes;
  struct part {
    unsigned first, last;
    uint32_t to;
  };
  auto parts = std::vector<part>{};
  auto cuts = std::vector<unsigned>{};
  for (auto n : *sets_[id])
    for (auto e = from_.heads_[n]; e != none; e = from_.edges_[e].next) {
      auto& edge = from_.edges_[e];
      if (edge.what != kind)
        continue;
      parts.push_back({edge.first, edge.last, edge.to});
      cuts.insert(cuts.end(), {edge.first, edge.last + 1u});
    }
  std::sort(cuts.begin(), cuts.end());
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  std::sort(parts.begin(), parts.end(),
            [](auto& a, auto& b) { return a.first < b.first; });
  // Parts from `low` on may hold bytes from the present cut on.
  auto low = size_t{0};
  for (auto i = size_t{0}; i + 1 < cuts.size(); ++i) {
    auto targets = node_set{};
    while (low < parts.size() && parts[low].last < cuts[i])
      ++low;
    auto looked = size_t{1};
    for (auto j = low; j < parts.size() && parts[j].first <= cuts[i];
         ++j, ++looked)
      if (parts[j].last >= cuts[i])
        targets.push_back(parts[j].to);
    if (!from_.meter_.spend(1 + looked / 4, sizeof(grammar::edge)))
      return;
    if (targets.empty())
      continue;
    std::sort(targets.begin(), targets.end());
    targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
    auto to = id_of(std::move(targets));
    auto first = static_cast<uint8_t>(cuts[i]);
    auto last = static_cast<uint8_t>(cuts[i + 1] - 1);
    auto& edges = out_.states[id].edges;
    if (!edges.empty() && edges.back().to == to
        && edges.back().counted == counted && edges.back().last + 1 == first)
      edges.back().last = last;
    else
      edges.push_back({first, last, counted, to});
  }
}

void rule_determiniser::add_calls(uint32_t id) {
  auto targets = std::map<uint32_t, node_set>{};
  for (auto n : *sets_[id])
    for (auto e = from_.heads_[n]; e != none; e = from_.edges_[e].next)
      if (from_.edges_[e].what == grammar_builder::edge_kind::call)
        targets[from_.edges_[e].rule].push_back(from_.edges_[e].to);
  for (auto& [rule, nodes] : targets) {
    if (!from_.meter_.spend(2, sizeof(grammar::call)))
      return;
    std::sort(nodes.begin(), nodes.end());
    nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
    auto to = id_of(std::move(nodes));
    out_.states[id].calls.push_back({rule, to});
  }
}

} // namespace troupe::constrain
