#include "core/constrain/number_text.hpp"

#include <algorithm>

#include "core/constrain/regex.hpp"

namespace troupe::constrain {

namespace {

constexpr auto most_integer_digits = size_t{18};
constexpr auto most_digits = size_t{15};
constexpr auto most_residues = uint64_t{10'000};

struct digit_room {
  size_t whole;
  size_t fraction;
};

// Puts an automaton over digits and the point together, state by state.
class digit_dfa {
public:
  uint32_t add(bool accept) {
    a_.states.emplace_back().accept = accept;
    return static_cast<uint32_t>(a_.states.size() - 1);
  }
  void link(uint32_t from, char first, char last, uint32_t to) {
    if (first <= last)
      a_.states[from].edges.push_back(
          {static_cast<char32_t>(first), static_cast<char32_t>(last), to});
  }
  text_dfa take() {
    for (auto& s : a_.states)
      std::sort(s.edges.begin(), s.edges.end(),
                [](auto& x, auto& y) { return x.first < y.first; });
    return std::move(a_);
  }

private:
  text_dfa a_;
};

// "0" or digits that no zero leads, and perhaps a point and more digits.
text_dfa plain_numbers(digit_room room) {
  auto d = digit_dfa{};
  auto start = d.add(false);
  auto zero = d.add(true);
  auto point = room.fraction > 0 ? d.add(false) : 0;
  d.link(start, '0', '0', zero);
  for (auto i = size_t{0}, from = size_t{start}; i < room.whole; ++i) {
    auto next = d.add(true);
    d.link(static_cast<uint32_t>(from), i == 0 ? '1' : '0', '9', next);
    if (point)
      d.link(next, '.', '.', point);
    from = next;
  }
  if (point)
    d.link(zero, '.', '.', point);
  for (auto i = size_t{0}, from = size_t{point}; i < room.fraction; ++i) {
    auto next = d.add(true);
    d.link(static_cast<uint32_t>(from), '0', '9', next);
    from = next;
  }
  return d.take();
}

enum order : unsigned { less = 1, same = 2, more = 4 };

// Numbers of which `allowed` holds when they are compared with `bound`, which
// is not negative. Digits before the point are compared from the left; in the
// end, more of them are more.
text_dfa compared(const decimal& bound, unsigned allowed) {
  auto d = digit_dfa{};
  auto n = bound.whole.size(), m = bound.fraction.size();
  auto is = [&](unsigned o) { return (allowed & o) != 0; };
  auto start = d.add(false);
  // Behind the point: whatever the digits, and equal so far.
  auto rest_less = d.add(is(less)), rest_more = d.add(is(more));
  d.link(rest_less, '0', '9', rest_less);
  d.link(rest_more, '0', '9', rest_more);
  auto equal = std::vector<uint32_t>{};
  for (auto j = size_t{0}; j <= m; ++j)
    equal.push_back(d.add(is(j < m ? less : same)));
  for (auto j = size_t{0}; j <= m; ++j) {
    auto c = j < m ? bound.fraction[j] : '0';
    d.link(equal[j], '0', static_cast<char>(c - 1), rest_less);
    d.link(equal[j], c, c, j < m ? equal[j + 1] : equal[j]);
    d.link(equal[j], static_cast<char>(c + 1), '9', rest_more);
  }
  // Before it: so many digits, which are less, the same or more so far.
  auto longer = d.add(is(more));
  d.link(longer, '0', '9', longer);
  d.link(longer, '.', '.', rest_more);
  auto whole = [&](size_t k, unsigned so_far) {
    auto result = k < n ? less : so_far;
    auto s = d.add(is(result == same && m > 0 ? less : result));
    d.link(s, '.', '.',
           result == less   ? rest_less
           : result == more ? rest_more
                            : equal[0]);
    return s;
  };
  auto zero = whole(0, same); // "0", which has no digits that count
  d.link(start, '0', '0', zero);
  auto row = std::vector<std::pair<unsigned, uint32_t>>{{same, start}};
  for (auto k = size_t{1}; k <= n; ++k) {
    auto next = std::vector<std::pair<unsigned, uint32_t>>{};
    for (auto o : {less, same, more})
      next.emplace_back(o, whole(k, o));
    for (auto& [o, s] : row) {
      auto low = k == 1 ? '1' : '0';
      auto c = bound.whole[k - 1];
      if (o != same) {
        d.link(s, low, '9', next[o == less ? 0 : 2].second);
        continue;
      }
      d.link(s, low, static_cast<char>(c - 1), next[0].second);
      d.link(s, c, c, next[1].second);
      d.link(s, static_cast<char>(c + 1), '9', next[2].second);
    }
    row = std::move(next);
  }
  for (auto& [o, s] : row)
    d.link(s, n == 0 ? '1' : '0', '9', longer);
  return d.take();
}

// Multiples of `divisor`: what the digits so far leave, and how many of them
// stand behind the point.
text_dfa multiples(const decimal& divisor) {
  auto k = std::stoull(divisor.whole + divisor.fraction);
  auto e = divisor.fraction.size();
  auto d = digit_dfa{};
  for (auto f = size_t{0}; f <= e; ++f)
    for (auto r = uint64_t{0}; r < k; ++r) {
      auto scaled = r;
      for (auto i = f; i < e; ++i)
        scaled = scaled * 10 % k;
      d.add(scaled == 0);
    }
  auto id = [&](uint64_t r, size_t f) {
    return static_cast<uint32_t>(f * k + r);
  };
  // A point leads to a copy of the state behind which digits count as such.
  for (auto f = size_t{0}; f <= e; ++f)
    for (auto r = uint64_t{0}; r < k; ++r)
      for (auto c = '0'; c <= '9'; ++c) {
        auto next = (r * 10 + static_cast<uint64_t>(c - '0')) % k;
        if (f == 0)
          d.link(id(r, 0), c, c, id(next, 0));
        else if (f < e)
          d.link(id(r, f), c, c, id(next, f + 1));
      }
  for (auto r = uint64_t{0}; e > 0 && r < k; ++r) {
    auto point = d.add(false);
    d.link(id(r, 0), '.', '.', point);
    for (auto c = '0'; c <= '9'; ++c)
      d.link(point, c, c, id((r * 10 + static_cast<uint64_t>(c - '0')) % k, 1));
  }
  return d.take();
}

// Either as it is, or behind a minus.
text_dfa with_sign(const text_dfa& plain, const text_dfa& negative) {
  auto a = plain;
  if (a.empty())
    a.states.emplace_back();
  auto base = static_cast<uint32_t>(a.states.size());
  for (auto s : negative.states) {
    for (auto& e : s.edges)
      e.to += base;
    a.states.push_back(std::move(s));
  }
  if (!negative.empty())
    a.states[0].edges.insert(a.states[0].edges.begin(), {'-', '-', base});
  return a;
}

// How far numbers may go so that they and the bounds keep their order when
// they are rounded to 53 bits.
result<digit_room> room_for(const number_shape& s) {
  if (s.integer)
    return digit_room{most_integer_digits, 0};
  auto whole = size_t{9};
  for (auto& b : {s.low, s.high})
    if (b) {
      if (b->value.digits() > most_digits)
        return fail(errc::unsupported, "a bound of more than 15 digits");
      whole = std::max(whole, b->value.whole.size());
    }
  return digit_room{whole, most_digits - whole};
}

// A bound as one on magnitudes: nothing if it leaves nothing.
struct side {
  std::vector<text_dfa> parts;
  bool none = false;
};

void limit(side& to, bool negative, const number_bound& b, bool is_low) {
  if (b.value.negative != negative) {
    // All of this side of zero is beyond the bound, or all is within.
    to.none = to.none || is_low == negative;
    return;
  }
  // Of numbers below zero the magnitude has the bounds the other way round.
  auto beyond = is_low != negative ? more : less;
  auto allowed = beyond | (b.open ? 0u : unsigned{same});
  to.parts.push_back(compared(b.value.magnitude(), allowed));
}

} // namespace

bool number_shape::holds(const decimal& d) const {
  if (integer && !d.is_integer())
    return false;
  if (low && (d < low->value || (low->open && d == low->value)))
    return false;
  if (high && (d > high->value || (high->open && d == high->value)))
    return false;
  for (auto& m : divisors)
    if (!is_multiple(d, m).value_or(false))
      return false;
  return !values
         || std::find(values->begin(), values->end(), d) != values->end();
}

bool is_empty(const number_shape& s) {
  if (s.values)
    return std::none_of(s.values->begin(), s.values->end(),
                        [&](auto& d) { return s.holds(d); });
  if (!s.low || !s.high)
    return false;
  return s.low->value > s.high->value
         || (s.low->value == s.high->value && (s.low->open || s.high->open));
}

result<text_dfa> number_texts(const number_shape& s, work_meter& meter) {
  if (s.values) {
    auto texts = std::vector<std::string>{};
    for (auto& d : *s.values)
      if (s.holds(d))
        texts.push_back(d.text());
    return one_of(texts, meter);
  }
  if (s.free())
    return compile_regex(s.integer ? "-?(0|[1-9][0-9]{0,17})"
                                   : "-?(0|[1-9][0-9]{0,14})(\\.[0-9]{1,15})?"
                                     "([eE][+-]?[0-9]{1,2})?",
                         regex_extent::whole, meter);
  auto room = room_for(s);
  if (!room)
    return room.failure();
  for (auto& m : s.divisors) {
    if (m.digits() > 9 || std::stoull(m.whole + m.fraction) > most_residues)
      return fail(errc::unsupported, "a divisor of more than 10000 units");
    auto k = std::stoull(m.whole + m.fraction);
    if (!meter.spend(k * (m.fraction.size() + 2) * 4,
                     k * (m.fraction.size() + 2) * 200))
      return text_dfa{};
  }
  auto half = [&](bool negative) {
    auto all = side{};
    // No text is "-0".
    if (negative)
      all.parts.push_back(compared(decimal{}, more));
    if (s.low)
      limit(all, negative, *s.low, true);
    if (s.high)
      limit(all, negative, *s.high, false);
    if (all.none)
      return text_dfa{};
    auto a = plain_numbers(*room);
    for (auto& p : all.parts)
      a = both(a, p, meter);
    for (auto& m : s.divisors)
      a = both(a, multiples(m), meter);
    return a;
  };
  return tidy(with_sign(half(false), half(true)), meter);
}

} // namespace troupe::constrain
