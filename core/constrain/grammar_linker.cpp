#include "core/constrain/grammar_linker.hpp"

#include <algorithm>
#include <queue>

namespace troupe::constrain {

namespace {

constexpr auto none = ~uint32_t{0};
constexpr auto most_need = uint32_t{120};

error spent() {
  return fail(errc::unsupported,
              "the grammar takes too much work or memory to compile");
}

} // namespace

// The rules that `root` reaches.
void grammar_linker::determine(grammar_builder::rule_id root) {
  automata_.resize(from_.rules_.size());
  bases_.assign(from_.rules_.size(), none);
  auto make = rule_determiniser{from_};
  auto todo = std::vector<uint32_t>{root};
  bases_[root] = 0;
  for (auto i = size_t{0}; i < todo.size() && !from_.meter_.spent(); ++i) {
    auto r = todo[i];
    automata_[r] = make.run(r);
    bases_[r] = static_cast<uint32_t>(all_.size());
    for (auto& s : automata_[r].states) {
      all_.push_back({&s, r, none});
      for (auto& c : s.calls)
        if (bases_[c.rule] == none) {
          bases_[c.rule] = 0;
          todo.push_back(c.rule);
        }
    }
  }
}

// Dijkstra's algorithm backwards from where rules end; a way costs the most
// that one of its calls needs.
void grammar_linker::find_needs() {
  struct back {
    uint32_t from;
    uint32_t callee; // none: a byte
  };
  auto to = std::vector<std::vector<back>>(all_.size());
  auto callers = std::vector<std::vector<uint32_t>>(automata_.size());
  using entry = std::pair<uint32_t, uint32_t>;
  auto queue = std::priority_queue<entry, std::vector<entry>, std::greater<>>{};
  for (auto i = uint32_t{0}; i < all_.size(); ++i) {
    auto& s = *all_[i].automaton;
    auto base = bases_[all_[i].rule];
    for (auto& e : s.edges)
      to[base + e.to].push_back({i, none});
    for (auto& c : s.calls) {
      to[base + c.next].push_back({i, c.rule});
      callers[c.rule].push_back(i);
    }
    if (s.accept)
      queue.push({0, i});
    from_.meter_.spend(1 + s.edges.size() + s.calls.size(), 64);
  }
  auto need_of = [&](uint32_t i) { return all_[i].need; };
  auto offer = [&](uint32_t i, uint32_t callee, uint32_t next) {
    auto cost = need_of(next);
    if (callee != none) {
      auto inner = need_of(bases_[callee]);
      cost = inner == none || cost == none ? none : std::max(cost, inner + 1);
    }
    if (cost < need_of(i))
      queue.push({cost, i});
  };
  while (!queue.empty()) {
    auto [need, i] = queue.top();
    queue.pop();
    if (need >= need_of(i))
      continue;
    all_[i].need = need;
    for (auto& b : to[i])
      offer(b.from, b.callee, i);
    auto r = all_[i].rule;
    if (bases_[r] != i)
      continue;
    for (auto from : callers[r])
      for (auto& c : all_[from].automaton->calls)
        if (c.rule == r)
          offer(from, r, bases_[all_[from].rule] + c.next);
  }
}

// Numbers positions and rules that are of use in the order of the walk.
void grammar_linker::lay_out(grammar_builder::rule_id root) {
  auto useful = [&](uint32_t i) { return all_[i].need != none; };
  auto new_rule = std::vector<uint32_t>(automata_.size(), none);
  auto new_position = std::vector<uint32_t>(all_.size(), none);
  auto order = std::vector<uint32_t>{};
  auto visit = [&](uint32_t i) {
    if (new_position[i] == none) {
      new_position[i] = static_cast<uint32_t>(order.size());
      order.push_back(i);
    }
    return new_position[i];
  };
  auto visit_rule = [&](uint32_t r) {
    auto start = visit(bases_[r]);
    if (new_rule[r] == none) {
      new_rule[r] = static_cast<uint32_t>(out_.rules_.size());
      auto& from = from_.rules_[r];
      auto made = grammar::rule{};
      made.name = from.name;
      made.start = start;
      made.least = from.least;
      made.most = from.most;
      made.unique = from.unique;
      out_.rules_.push_back(std::move(made));
    }
    return new_rule[r];
  };
  out_.root_ = visit_rule(root);
  for (auto n = size_t{0}; n < order.size(); ++n) {
    auto& s = all_[order[n]];
    auto base = bases_[s.rule];
    auto p = grammar::position{};
    p.edges = static_cast<uint32_t>(out_.edges_.size());
    p.calls = static_cast<uint32_t>(out_.calls_.size());
    p.rule = new_rule[s.rule];
    p.need = static_cast<uint16_t>(std::min(s.need, uint32_t{0xffff}));
    p.accept = s.automaton->accept;
    for (auto e : s.automaton->edges)
      if (useful(base + e.to)) {
        e.to = visit(base + e.to);
        out_.edges_.push_back(e);
        out_.alphabet_.add(e.first, e.last);
      }
    for (auto c : s.automaton->calls)
      if (useful(base + c.next) && useful(bases_[c.rule])) {
        out_.calls_.push_back({visit_rule(c.rule), visit(base + c.next)});
        out_.rules_[p.rule].leaf = false;
      }
    out_.positions_.push_back(p);
  }
  out_.positions_.push_back({static_cast<uint32_t>(out_.edges_.size()),
                             static_cast<uint32_t>(out_.calls_.size())});
}

result<grammar> grammar_linker::run(grammar_builder::rule_id root) {
  determine(root);
  if (from_.meter_.spent())
    return spent();
  find_needs();
  if (from_.meter_.spent())
    return spent();
  auto need = all_[bases_[root]].need;
  if (need == none)
    return fail(errc::invalid_argument, "nothing at all would be allowed");
  if (need > most_need)
    return fail(errc::unsupported, "all that is allowed is nested more than "
                                       + std::to_string(most_need) + " deep");
  lay_out(root);
  find_nullable();
  if (!find_ranks())
    return fail(errc::invalid_argument,
                looping_ + " begins with itself: write it as a repetition");
  find_follow();
  if (from_.meter_.spent() || !from_.meter_.spend(1, out_.memory_bytes()))
    return spent();
  return std::move(out_);
}

result<grammar> grammar_builder::build(rule_id root) {
  return grammar_linker{*this}.run(root);
}

size_t grammar::memory_bytes() const {
  return positions_.size() * sizeof(position) + edges_.size() * sizeof(edge)
         + calls_.size() * sizeof(call) + rules_.size() * sizeof(rule);
}

} // namespace troupe::constrain
