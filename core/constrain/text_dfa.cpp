#include "core/constrain/text_dfa.hpp"

#include <algorithm>
#include <map>

#include "core/text/utf8.hpp"

namespace troupe::constrain {

namespace {

constexpr auto edge_bytes = sizeof(text_dfa::edge);

const text_dfa::edge* edge_for(const text_dfa::state& s, char32_t code) {
  for (auto& e : s.edges)
    if (e.first <= code && code <= e.last)
      return &e;
  return nullptr;
}

void add_set(text_dfa::state& s, const code_set& set, uint32_t to) {
  for (auto& r : set.ranges())
    s.edges.push_back({r.first, r.last, to});
}

} // namespace

bool text_dfa::accepts(std::string_view text) const {
  auto at = uint32_t{0};
  if (states.empty())
    return false;
  for (auto i = size_t{0}; i < text.size();) {
    auto step = step_utf8(text, i);
    auto* e = edge_for(states[at], step.code);
    if (step.state != utf8_state::whole || !e)
      return false;
    at = e->to;
    i += step.size;
  }
  return states[at].accept;
}

text_dfa any_text() {
  auto a = text_dfa{};
  add_set(a.states.emplace_back(), code_set::all(), 0);
  a.states[0].accept = true;
  return a;
}

text_dfa text_of_length(uint64_t least, std::optional<uint64_t> most,
                        work_meter& meter) {
  auto a = text_dfa{};
  if (most && *most < least)
    return a;
  auto n = (most ? *most : least) + 1;
  if (!meter.spend(n, n * (sizeof(text_dfa::state) + 2 * edge_bytes)))
    return a;
  a.states.resize(n);
  for (auto i = uint64_t{0}; i < n; ++i) {
    a.states[i].accept = i >= least;
    if (i + 1 < n)
      add_set(a.states[i], code_set::all(), static_cast<uint32_t>(i + 1));
    else if (!most)
      add_set(a.states[i], code_set::all(), static_cast<uint32_t>(i));
  }
  return a;
}

text_dfa one_of(std::span<const std::string> texts, work_meter& meter) {
  auto next = std::map<std::pair<uint32_t, char32_t>, uint32_t>{};
  auto a = text_dfa{};
  if (texts.empty())
    return a;
  a.states.emplace_back();
  for (auto& text : texts) {
    auto at = uint32_t{0};
    for (auto i = size_t{0}; i < text.size();) {
      auto step = step_utf8(text, i);
      auto fresh = static_cast<uint32_t>(a.states.size());
      auto [found, added] = next.try_emplace({at, step.code}, fresh);
      if (added)
        a.states.emplace_back();
      if (added && !meter.spend(4, 128))
        return a;
      at = found->second;
      i += step.size;
    }
    a.states[at].accept = true;
  }
  for (auto& [from, to] : next)
    a.states[from.first].edges.push_back({from.second, from.second, to});
  return a;
}

text_dfa both(const text_dfa& a, const text_dfa& b, work_meter& meter) {
  auto c = text_dfa{};
  if (a.empty() || b.empty())
    return c;
  auto ids = std::map<std::pair<uint32_t, uint32_t>, uint32_t>{};
  auto todo = std::vector<std::pair<uint32_t, uint32_t>>{};
  auto id_of = [&](uint32_t i, uint32_t j) {
    auto fresh = static_cast<uint32_t>(c.states.size());
    auto [found, added] = ids.try_emplace({i, j}, fresh);
    if (added) {
      c.states.emplace_back().accept = a.states[i].accept && b.states[j].accept;
      todo.push_back({i, j});
    }
    return found->second;
  };
  id_of(0, 0);
  for (auto n = size_t{0}; n < todo.size(); ++n) {
    auto& x = a.states[todo[n].first].edges;
    auto& y = b.states[todo[n].second].edges;
    auto size = x.size() + y.size();
    if (!meter.spend(8 + 2 * size, sizeof(text_dfa::state) + size * edge_bytes))
      return c;
    for (auto i = size_t{0}, j = size_t{0}; i < x.size() && j < y.size();) {
      auto first = std::max(x[i].first, y[j].first);
      auto last = std::min(x[i].last, y[j].last);
      if (first <= last) {
        auto to = id_of(x[i].to, y[j].to);
        c.states[n].edges.push_back({first, last, to});
      }
      x[i].last < y[j].last ? ++i : ++j;
    }
  }
  return tidy(std::move(c), meter);
}

text_dfa neither(const text_dfa& a, work_meter& meter) {
  if (a.empty())
    return any_text();
  auto c = a;
  auto sink = static_cast<uint32_t>(c.states.size());
  c.states.emplace_back();
  for (auto& s : c.states) {
    auto held = code_set{};
    for (auto& e : s.edges)
      held.add(e.first, e.last);
    if (!meter.spend(2 + 2 * s.edges.size()))
      return c;
    add_set(s, held.complement(), sink);
    std::sort(s.edges.begin(), s.edges.end(),
              [](auto& x, auto& y) { return x.first < y.first; });
    s.accept = !s.accept;
  }
  return tidy(std::move(c), meter);
}

std::optional<std::vector<std::string>> words_of(const text_dfa& a,
                                                 size_t most) {
  struct place {
    uint32_t state;
    std::u32string text;
  };
  auto words = std::vector<std::string>{};
  auto todo = std::vector<place>{};
  if (!a.empty())
    todo.push_back({0, {}});
  while (!todo.empty()) {
    auto p = std::move(todo.back());
    todo.pop_back();
    // A way that is longer passes a state twice, which has no end.
    if (p.text.size() > std::min<size_t>(a.states.size(), 256)
        || todo.size() > most)
      return {};
    if (a.states[p.state].accept) {
      auto& word = words.emplace_back();
      for (auto c : p.text)
        append_utf8(c, word);
    }
    for (auto& e : a.states[p.state].edges) {
      if (e.last - e.first >= most)
        return {};
      for (auto c = e.first; c <= e.last; ++c)
        todo.push_back({e.to, p.text + c});
    }
    if (words.size() > most)
      return {};
  }
  std::sort(words.begin(), words.end());
  return words;
}

} // namespace troupe::constrain
