#include "core/constrain/grammar_builder.hpp"

#include <algorithm>

#include "core/text/utf8.hpp"

namespace troupe::constrain {

namespace {

constexpr auto none = ~uint32_t{0};

// The form of an escape that has one letter, or 0.
char short_escape(char32_t code) {
  switch (code) {
  case '"':
    return '"';
  case '\\':
    return '\\';
  case '\b':
    return 'b';
  case '\f':
    return 'f';
  case '\n':
    return 'n';
  case '\r':
    return 'r';
  case '\t':
    return 't';
  default:
    return 0;
  }
}

} // namespace

grammar_builder::node grammar_builder::add_node() {
  meter_.spend(1, sizeof(uint32_t) * 2);
  heads_.push_back(none);
  return static_cast<node>(heads_.size() - 1);
}

grammar_builder::rule_id grammar_builder::add_rule(std::string name) {
  meter_.spend(1, sizeof(rule) + name.size());
  auto r = rule{std::move(name), add_node(), add_node()};
  rules_.push_back(std::move(r));
  return static_cast<rule_id>(rules_.size() - 1);
}

void grammar_builder::set_counts(rule_id id, uint32_t least, uint32_t most) {
  rules_[id].least = least;
  rules_[id].most = most;
}

void grammar_builder::add_edge(node from, edge e) {
  if (!meter_.spend(1, sizeof(edge)))
    return;
  e.next = heads_[from];
  heads_[from] = static_cast<uint32_t>(edges_.size());
  edges_.push_back(e);
}

void grammar_builder::skip(node from, node to) {
  add_edge(from, {edge_kind::skip, 0, 0, 0, to, none});
}

void grammar_builder::bytes(node from, uint8_t first, uint8_t last, node to,
                            bool counted) {
  auto kind = counted ? edge_kind::counted : edge_kind::bytes;
  add_edge(from, {kind, first, last, 0, to, none});
}

void grammar_builder::call(node from, rule_id rule, node to) {
  add_edge(from, {edge_kind::call, 0, 0, rule, to, none});
}

grammar_builder::node grammar_builder::tail(node to, unsigned bytes_left) {
  if (bytes_left == 0)
    return to;
  if (tails_.to != to)
    tails_ = {to, {none, none, none, none}};
  if (tails_.of[bytes_left] == none) {
    auto next = tail(to, bytes_left - 1);
    auto made = add_node();
    bytes(made, 0x80, 0xbf, next);
    tails_.of[bytes_left] = made;
  }
  return tails_.of[bytes_left];
}

// A range of code points as ranges of bytes: where the ends agree in their
// first bytes those are one path, and what is whole below a byte is a tail.
void grammar_builder::utf8(node from, char32_t first, char32_t last, node to,
                           bool counted) {
  static constexpr char32_t ends[] = {0x7f, 0x7ff, 0xffff, 0x10ffff};
  for (auto end : ends)
    if (first <= end && last > end) {
      utf8(from, first, end, to, counted);
      utf8(from, end + 1, last, to, counted);
      return;
    }
  for (auto size = 3u; size > 0; --size) {
    auto low = (char32_t{1} << (6 * size)) - 1; // code points below one byte
    if (last <= ends[size - 1] || (first & ~low) == (last & ~low))
      continue;
    if ((first & low) != 0) {
      utf8(from, first, first | low, to, counted);
      utf8(from, (first | low) + 1, last, to, counted);
      return;
    }
    if ((last & low) != low) {
      utf8(from, first, (last & ~low) - 1, to, counted);
      utf8(from, last & ~low, last, to, counted);
      return;
    }
  }
  auto a = std::string{}, b = std::string{};
  append_utf8(first, a);
  append_utf8(last, b);
  for (auto i = size_t{0}; i < a.size(); ++i) {
    auto x = static_cast<uint8_t>(a[i]), y = static_cast<uint8_t>(b[i]);
    auto left = static_cast<unsigned>(a.size() - i - 1);
    // Behind a byte that differs, all continuations are there.
    auto next = x != y || left == 0 ? tail(to, left) : add_node();
    bytes(from, x, y, next, counted && i == 0);
    if (x != y)
      return;
    from = next;
  }
}

void grammar_builder::escaped(node from, char32_t code, node to, bool counted) {
  auto slash = add_node();
  bytes(from, '\\', '\\', slash, counted);
  if (auto c = short_escape(code)) {
    bytes(slash, static_cast<uint8_t>(c), static_cast<uint8_t>(c), to);
    return;
  }
  constexpr auto digits = std::string_view{"0123456789abcdef"};
  auto hex = std::string{"u00"};
  hex += digits[code >> 4];
  hex += digits[code & 15];
  text(slash, hex, to);
}

void grammar_builder::character(node from, const code_set& set, node to,
                                text_form form, bool counted) {
  for (auto& r : set.ranges()) {
    auto first = r.first;
    if (form == text_form::json) {
      for (; first < 0x20 && first <= r.last; ++first)
        escaped(from, first, to, counted);
      for (auto c : {char32_t{'"'}, char32_t{'\\'}})
        if (first <= c && c <= r.last) {
          if (first < c)
            utf8(from, first, c - 1, to, counted);
          escaped(from, c, to, counted);
          first = c + 1;
        }
    }
    if (first <= r.last)
      utf8(from, first, r.last, to, counted);
  }
}

void grammar_builder::text(node from, std::string_view s, node to) {
  if (s.empty())
    return skip(from, to);
  auto last = static_cast<uint8_t>(s.back());
  bytes(text(from, s.substr(0, s.size() - 1)), last, last, to);
}

grammar_builder::node grammar_builder::text(node from, std::string_view s) {
  for (auto c : s) {
    auto to = add_node();
    bytes(from, static_cast<uint8_t>(c), static_cast<uint8_t>(c), to);
    from = to;
  }
  return from;
}

void grammar_builder::language(node from, const text_dfa& dfa, node to,
                               text_form form) {
  if (dfa.empty())
    return;
  auto first = static_cast<node>(heads_.size());
  for (auto i = size_t{0}; i < dfa.states.size() && !meter_.spent(); ++i)
    add_node();
  skip(from, first);
  for (auto i = size_t{0}; i < dfa.states.size() && !meter_.spent(); ++i) {
    auto& s = dfa.states[i];
    auto at = first + static_cast<node>(i);
    if (s.accept)
      skip(at, to);
    for (auto& e : s.edges)
      character(at, {{e.first, e.last}}, first + e.to, form);
  }
}

} // namespace troupe::constrain
