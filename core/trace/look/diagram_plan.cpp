#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "core/trace/look/text.hpp"
#include "core/trace/look/trace_diagram.hpp"
#include "core/trace/trace_check.hpp"

namespace troupe {

namespace {

using namespace trace_words;

// Steps that repeat in turns of so many at most are found.
constexpr auto longest_turn = size_t{12};
constexpr auto least_turns = size_t{3};
// Steps of so few kinds, but so many of them, are counted together.
constexpr auto most_kinds = size_t{3};
constexpr auto least_mixed = size_t{9};

class planner {
public:
  planner(const trace_model& m, uint64_t request, const diagram_options& o)
      : m_(m), options_(o) {
    auto tree = causal_tree(m, request);
    auto is_own = [&](uint32_t i) { return m.messages[i].request == request; };
    // What had begun before the request did tells nothing of it: the steps of
    // a node go on for ever.
    tree.erase(tree.begin(), std::find_if(tree.begin(), tree.end(), is_own));
    if (!options_.all_causes)
      keep_near(tree, request);
    add_lives(tree);
    for (auto i : tree)
      if (is_own(i))
        add_lifelines(m.messages[i]);
    for (auto i : tree)
      steps_.push_back(step_of(i));
    plan_.title = "request " + std::to_string(request);
  }

  trace_diagram run() {
    for (size_t i = 0; i < steps_.size();) {
      auto [turn, times] = turns_at(i);
      for (size_t k = 0; k < turn; ++k)
        put(steps_[i + k]);
      if (times > 1) {
        put(fold_of(i, turn, times));
      } else if (auto mixed = mixed_at(i); mixed >= least_mixed) {
        put_mixed(i + 1, i + mixed);
        turn = mixed;
      }
      i += turn * times;
    }
    for (auto a : actors_)
      plan_.lifelines.push_back(a == trace_none ? "outside"
                                                : printable(m_.actor_name(a)));
    return std::move(plan_);
  }

private:
  // The request's own messages, and what they were sent because of, if others
  // sent that and it is no other request's: a step of a node that several
  // share, or an answer.
  void keep_near(std::vector<uint32_t>& tree, uint64_t request) const {
    auto near = std::vector<uint32_t>{};
    for (auto i : tree) {
      auto& x = m_.messages[i];
      if (x.request != request)
        continue;
      near.push_back(i);
      if (x.cause == trace_none)
        continue;
      auto& c = m_.messages[x.cause];
      if (c.request == 0 && c.sender != c.receiver
          && std::binary_search(tree.begin(), tree.end(), x.cause))
        near.push_back(x.cause);
    }
    std::sort(near.begin(), near.end());
    near.erase(std::unique(near.begin(), near.end()), near.end());
    tree = std::move(near);
  }

  uint32_t lifeline(uint32_t actor) {
    auto [i, is_new] =
        known_.emplace(actor, static_cast<uint32_t>(actors_.size()));
    if (is_new)
      actors_.push_back(actor);
    return i->second;
  }

  // Which actors began and ended because of what is drawn.
  void add_lives(std::vector<uint32_t>& tree) const {
    auto drawn = tree;
    for (uint32_t i = drawn.empty() ? 0 : drawn.front();
         i < m_.messages.size() && !drawn.empty(); ++i) {
      auto& x = m_.messages[i];
      if (x.is_pseudo() && x.cause != trace_none
          && std::binary_search(drawn.begin(), drawn.end(), x.cause)
          && !std::binary_search(drawn.begin(), drawn.end(), i))
        tree.push_back(i);
    }
    std::sort(tree.begin(), tree.end());
  }

  // Who sends stands left of who gets it, if both are new.
  std::pair<uint32_t, uint32_t> add_lifelines(const trace_message& x) {
    auto sender =
        x.is_pseudo() && x.sender == trace_none ? x.receiver : x.sender;
    auto from = lifeline(sender);
    return {from, lifeline(x.receiver)};
  }

  diagram_step step_of(uint32_t i) {
    using enum diagram_step::kind;
    auto& x = m_.messages[i];
    auto s = diagram_step{};
    s.what = x.is(trace_is_init)      ? spawn
             : x.is(trace_is_cleanup) ? end
                                      : message;
    std::tie(s.from, s.to) = add_lifelines(x);
    s.label = x.is(trace_is_cleanup) ? "ends"
              : x.is(trace_is_init)  ? "begins"
                                     : printable(m_.type_name(x));
    auto at = x.is_pseudo() ? x.begun_ns : x.left_ns;
    if (begin_ == trace_never)
      begin_ = at;
    if (at == trace_never || __builtin_sub_overflow(at, begin_, &s.at_ns))
      s.at_ns = 0;
    if (x.is_pseudo())
      return s;
    if (x.is(trace_is_timer))
      s.note = "after " + time(static_cast<int64_t>(x.delay_ns));
    else if (x.is(trace_departed) && x.is(trace_arrived))
      s.note = "on its way " + time(x.wire_ns());
    if (m_.is_waiting(x) || !x.is(trace_arrived | trace_is_handled))
      s.note += std::string{s.note.empty() ? "" : ", "}
                + (x.is(trace_arrived)    ? "not handled"
                   : x.is(trace_is_timer) ? "not due"
                                          : "not arrived");
    return s;
  }

  std::string time(int64_t ns) const { return duration(ns, options_.ascii); }

  static bool same(const diagram_step& a, const diagram_step& b) {
    return a.what == b.what && a.from == b.from && a.to == b.to
           && a.label == b.label;
  }

  // How many steps make a turn there, and how often it comes: what leaves the
  // fewest rows.
  std::pair<size_t, size_t> turns_at(size_t i) const {
    auto turn = size_t{1};
    auto times = size_t{1};
    auto at = [&](size_t k) { return steps_.begin() + static_cast<long>(k); };
    for (size_t p = 1;
         p <= longest_turn && i + least_turns * p <= steps_.size(); ++p) {
      auto n = size_t{1};
      while (i + (n + 1) * p <= steps_.size()
             && std::equal(at(i), at(i + p), at(i + n * p), same))
        ++n;
      if (n >= least_turns && n * p > turn * times) {
        turn = p;
        times = n;
      }
    }
    return {turn, times};
  }

  // How many steps from there on are of few kinds, in whatever order, that one
  // among them: what is left of turns whose parts overtake each other.
  size_t mixed_at(size_t i) const {
    auto kinds = std::vector<const diagram_step*>{};
    auto n = size_t{0};
    for (; i + n < steps_.size(); ++n) {
      auto& s = steps_[i + n];
      auto known = [&](auto* k) { return same(*k, s); };
      if (std::any_of(kinds.begin(), kinds.end(), known))
        continue;
      if (kinds.size() == most_kinds || s.what != diagram_step::kind::message)
        break;
      kinds.push_back(&s);
    }
    auto again = std::count_if(steps_.begin() + static_cast<long>(i),
                               steps_.begin() + static_cast<long>(i + n),
                               [&](auto& s) { return same(s, steps_[i]); });
    return again >= static_cast<long>(least_turns) ? n : 0;
  }

  // One of each kind is drawn, but for the one that is already; then the rest
  // is counted.
  void put_mixed(size_t from, size_t to) {
    auto kinds = std::vector<diagram_step>{steps_[from - 1]};
    auto rest = size_t{0};
    auto first = size_t{0};
    for (auto i = from; i < to; ++i) {
      auto known = [&](auto& k) { return same(k, steps_[i]); };
      if (std::any_of(kinds.begin(), kinds.end(), known)) {
        if (rest++ == 0)
          first = i;
        continue;
      }
      kinds.push_back(steps_[i]);
      put(steps_[i]);
    }
    auto s = diagram_step{};
    s.what = diagram_step::kind::fold;
    s.times = rest;
    s.at_ns = steps_[first].at_ns;
    s.from = kinds[0].from;
    s.to = kinds[0].to;
    for (auto& k : kinds) {
      s.from = std::min({s.from, k.from, k.to});
      s.to = std::max({s.to, k.from, k.to});
      s.label += (s.label.empty() ? "" : " | ") + k.label;
    }
    auto took = int64_t{0};
    if (!__builtin_sub_overflow(steps_[to - 1].at_ns, s.at_ns, &took))
      s.note = time(took);
    put(s);
  }

  // Of all but the first turn, which is drawn.
  diagram_step fold_of(size_t i, size_t turn, size_t times) const {
    auto s = diagram_step{};
    s.what = diagram_step::kind::fold;
    s.times = times - 1;
    auto last = i + turn * times - 1;
    s.at_ns = steps_[i + turn].at_ns;
    s.from = s.to = steps_[i].from;
    for (size_t k = 0; k < turn; ++k) {
      auto& x = steps_[i + k];
      s.from = std::min({s.from, x.from, x.to});
      s.to = std::max({s.to, x.from, x.to});
      s.label += (k > 0 ? " / " : "") + x.label;
    }
    auto took = int64_t{0};
    if (!__builtin_sub_overflow(steps_[last].at_ns, s.at_ns, &took))
      s.note = time(took);
    return s;
  }

  void put(const diagram_step& s) {
    if (plan_.steps.size() < options_.most_steps)
      plan_.steps.push_back(s);
    else
      plan_.left_out += s.what == diagram_step::kind::fold ? s.times : 1;
  }

  const trace_model& m_;
  const diagram_options& options_;
  std::vector<diagram_step> steps_;
  std::map<uint32_t, uint32_t> known_; ///< lifelines by actors
  std::vector<uint32_t> actors_;
  int64_t begin_ = trace_never;
  trace_diagram plan_;
};

} // namespace

trace_diagram diagram_of(const trace_model& m, uint64_t request,
                         const diagram_options& o) {
  return planner{m, request, o}.run();
}

} // namespace troupe
