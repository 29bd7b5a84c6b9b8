#include <algorithm>

#include "core/constrain/grammar_linker.hpp"

namespace troupe::constrain {

// Positions that can be reached from one without a byte, it among them.
std::vector<uint32_t> grammar_linker::idle_from(uint32_t p) const {
  auto all = std::vector<uint32_t>{p};
  for (auto i = size_t{0}; i < all.size(); ++i)
    for (auto& c : out_.calls(all[i]))
      if (out_.rules_[c.rule].nullable
          && std::find(all.begin(), all.end(), c.next) == all.end())
        all.push_back(c.next);
  from_.meter_.spend(all.size());
  return all;
}

void grammar_linker::find_nullable() {
  for (auto changed = true; changed && !from_.meter_.spent();) {
    changed = false;
    for (auto r = uint32_t{0}; r < out_.rules(); ++r) {
      auto& rule = out_.rules_[r];
      if (rule.nullable || rule.least > 0)
        continue;
      auto all = idle_from(rule.start);
      rule.nullable = std::any_of(all.begin(), all.end(), [&](uint32_t p) {
        return out_.positions_[p].accept;
      });
      changed = changed || rule.nullable;
    }
  }
}

// Ranks follow the order in which rules call each other first of all; where
// there is a circle there is none.
bool grammar_linker::find_ranks() {
  auto n = out_.rules();
  auto calls = std::vector<std::vector<uint32_t>>(n);
  auto callers = std::vector<uint32_t>(n);
  for (auto r = uint32_t{0}; r < n; ++r) {
    for (auto p : idle_from(out_.rules_[r].start))
      for (auto& c : out_.calls(p))
        calls[r].push_back(c.rule);
    std::sort(calls[r].begin(), calls[r].end());
    calls[r].erase(std::unique(calls[r].begin(), calls[r].end()),
                   calls[r].end());
    for (auto c : calls[r])
      ++callers[c];
  }
  auto todo = std::vector<uint32_t>{};
  for (auto r = uint32_t{0}; r < n; ++r)
    if (callers[r] == 0)
      todo.push_back(r);
  for (auto i = size_t{0}; i < todo.size(); ++i) {
    out_.rules_[todo[i]].rank = static_cast<uint32_t>(i);
    for (auto c : calls[todo[i]])
      if (--callers[c] == 0)
        todo.push_back(c);
  }
  for (auto r = uint32_t{0}; r < n && looping_.empty(); ++r)
    if (callers[r] > 0)
      looping_ = out_.rules_[r].name;
  return todo.size() == n;
}

// Whether the rule may end here without another byte.
bool grammar_linker::can_end(uint32_t p) const {
  auto all = idle_from(p);
  return std::any_of(all.begin(), all.end(),
                     [&](uint32_t q) { return out_.positions_[q].accept; });
}

byte_set grammar_linker::first_of(uint32_t p) const {
  auto set = byte_set{};
  for (auto& e : out_.edges(p))
    set.add(e.first, e.last);
  for (auto& c : out_.calls(p)) {
    set.add(first_[out_.rules_[c.rule].start]);
    if (out_.rules_[c.rule].nullable)
      set.add(first_[c.next]);
  }
  return set;
}

void grammar_linker::find_follow() {
  first_.assign(out_.positions(), {});
  auto& meter = from_.meter_;
  for (auto changed = true; changed && !meter.spent();) {
    changed = false;
    for (auto p = out_.positions(); p-- > 0;)
      changed = first_[p].add(first_of(p)) || changed;
    meter.spend(out_.edges_.size() / 4 + out_.positions());
  }
  for (auto changed = true; changed && !meter.spent();) {
    changed = false;
    for (auto p = uint32_t{0}; p < out_.positions(); ++p)
      for (auto& c : out_.calls(p)) {
        auto& follow = out_.rules_[c.rule].follow;
        changed = follow.add(first_[c.next]) || changed;
        if (can_end(c.next))
          changed = follow.add(out_.rule_of(p).follow) || changed;
      }
    meter.spend(out_.positions() + out_.calls_.size());
  }
}

} // namespace troupe::constrain
