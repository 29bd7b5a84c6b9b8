#include "core/trace/look/trace_why.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "core/trace/look/text.hpp"
#include "core/trace/look/trace_path.hpp"

namespace troupe {

namespace {

using namespace trace_words;
using verdict = trace_why::verdict;

// As CAF's message_id.hpp has them.
constexpr auto response_bit = uint64_t{1} << 63;
constexpr auto number_bits = (uint64_t{1} << 60) - 1;

constexpr auto most_facts = size_t{20};

class inquest {
public:
  inquest(const trace_model& m, uint64_t request)
      : m_(m), request_(request), end_ns_(m.end_ns()) {
    for (uint32_t i = 0; i < m.messages.size(); ++i)
      if (m.messages[i].request == request && request != 0)
        own_.push_back(i);
  }

  trace_why run() {
    if (own_.empty()) {
      why_.sentence = "No message of these files names request "
                      + std::to_string(request_) + ".";
      return std::move(why_);
    }
    // What is left over when a request is over tells nothing of why it stands.
    if (auto end = end_of(m_, request_); end != trace_none) {
      say_ended(end);
      return std::move(why_);
    }
    look_for_waiting();
    look_for_lost();
    look_for_unanswered();
    look_for_timers();
    look_for_last();
    return std::move(why_);
  }

private:
  std::string name(uint32_t actor) const {
    return printable(m_.actor_name(actor));
  }
  std::string type(uint32_t i) const {
    return printable(m_.type_name(m_.messages[i]));
  }
  std::string when(int64_t at) const {
    auto d = int64_t{0};
    if (at == trace_never || __builtin_sub_overflow(at, m_.begin_ns(), &d))
      return "at a time unknown";
    return "at " + exact_ms(d) + " ms";
  }
  std::string before_end(int64_t at) const {
    auto d = int64_t{0};
    if (at == trace_never || __builtin_sub_overflow(end_ns_, at, &d))
      return "a time unknown";
    return duration(d);
  }

  // The first verdict counts, the others are facts.
  void say(verdict what, uint32_t message, std::string sentence) {
    if (why_.what == verdict::unknown) {
      why_.what = what;
      why_.message = message;
      why_.sentence = std::move(sentence);
    } else if (why_.facts.size() < most_facts) {
      why_.facts.push_back(std::move(sentence));
    }
  }

  void say_ended(uint32_t end) {
    auto& x = m_.messages[end];
    say(verdict::ended, end,
        "Request " + std::to_string(request_) + " is over: " + name(x.sender)
            + " sent " + type(end) + " to " + name(x.receiver) + " "
            + when(x.left_ns)
            + (x.is(trace_arrived) ? "." : ", which arrived in no file here."));
  }

  // -- mailboxes --------------------------------------------------------------

  void look_for_waiting() {
    for (auto i : own_) {
      auto& x = m_.messages[i];
      if (!m_.is_waiting(x) || why_.facts.size() == most_facts)
        continue;
      say(verdict::waiting, i,
          type(i) + " from " + name(x.sender) + " waits in the mailbox of "
              + name(x.receiver) + ", where it arrived " + when(x.arrived_ns)
              + ", " + before_end(x.arrived_ns) + " before the trace ends; "
              + busy_with(x.receiver) + ".");
    }
  }

  // What the actor does instead.
  std::string busy_with(uint32_t actor) const {
    auto waiting = uint64_t{0};
    auto last = trace_none;
    auto under_way = trace_none;
    for (uint32_t i = 0; i < m_.messages.size(); ++i) {
      auto& x = m_.messages[i];
      if (x.receiver == actor && !x.is_pseudo()) {
        waiting += x.is(trace_arrived) && !x.is(trace_is_handled);
        if (x.is(trace_is_handled)
            && (last == trace_none || m_.messages[last].begun_ns <= x.begun_ns))
          last = i;
      }
      if (x.sender == actor && x.is(trace_lost_cause))
        under_way = i;
    }
    auto s = std::to_string(waiting)
             + (waiting == 1 ? " message waits there" : " messages wait there");
    auto& a = m_.actors[actor];
    if (a.ended_ns != trace_never)
      return s + ", and the actor ended " + when(a.ended_ns);
    if (last != trace_none)
      s += ", the last one that it was done with was " + type(last) + ", "
           + when(m_.messages[last].ended_ns);
    else
      s += ", and it was done with none";
    if (under_way != trace_none
        && (last == trace_none
            || m_.messages[under_way].left_ns > m_.messages[last].ended_ns))
      s += "; it is still handling one, in which it sent " + type(under_way)
           + " " + when(m_.messages[under_way].left_ns);
    return s;
  }

  // -- between processes ------------------------------------------------------

  void look_for_lost() {
    for (auto i : own_) {
      auto& x = m_.messages[i];
      if (!x.is(trace_departed) || x.is(trace_arrived) || x.is(trace_is_timer))
        continue;
      auto node = m_.actors[x.receiver].node;
      say(verdict::lost, i,
          type(i) + " left " + name(x.sender) + " for " + name(x.receiver)
              + " of node " + printable(m_.nodes[node]) + " " + when(x.left_ns)
              + ", and arrived in no file here: that process has died, has no "
                "trace, or its file was not given.");
    }
  }

  void look_for_timers() {
    for (auto i : own_) {
      auto& x = m_.messages[i];
      if (x.is(trace_is_timer) && !x.is(trace_arrived))
        say(verdict::later, i,
            name(x.sender) + " waits for " + type(i) + ", which it wished for "
                + when(x.left_ns) + ", "
                + duration(static_cast<int64_t>(x.delay_ns)) + " later.");
    }
  }

  // -- answers ----------------------------------------------------------------

  using question = std::pair<uint32_t, uint64_t>; // who asked, its number

  std::map<question, bool> answers() const {
    auto found = std::map<question, bool>{};
    for (auto i : own_) {
      auto& x = m_.messages[i];
      if ((x.mid & number_bits) != 0 && !(x.mid & response_bit)
          && x.sender != trace_none)
        found.emplace(question{x.sender, x.mid & number_bits}, false);
    }
    for (auto& x : m_.messages)
      if (x.mid & response_bit)
        if (auto i = found.find({x.receiver, x.mid & number_bits});
            i != found.end())
          i->second = true;
    return found;
  }

  void look_for_unanswered() {
    auto answered = answers();
    // The last one who got it owes the answer: it may have been sent on.
    auto owed = std::map<question, uint32_t>{};
    for (auto i : own_) {
      auto& x = m_.messages[i];
      auto a = answered.find({x.sender, x.mid & number_bits});
      if (a != answered.end() && !a->second && !(x.mid & response_bit)
          && x.is(trace_is_handled))
        owed[a->first] = i;
    }
    for (auto& [q, i] : owed) {
      auto& x = m_.messages[i];
      say(verdict::unanswered, i,
          name(x.sender) + " asked " + name(x.receiver) + " with " + type(i)
              + " " + when(x.left_ns) + "; " + name(x.receiver) + " handled it "
              + when(x.begun_ns) + ", and no answer to it is in these files.");
    }
  }

  // -- what was last ----------------------------------------------------------

  void look_for_last() {
    auto last = own_.back();
    auto& x = m_.messages[last];
    auto caused = std::any_of(m_.messages.begin(), m_.messages.end(),
                              [&](auto& y) { return y.cause == last; });
    auto s = "The last that is known of request " + std::to_string(request_)
             + ": " + name(x.sender) + " sent " + type(last) + " to "
             + name(x.receiver) + " " + when(x.left_ns);
    if (!x.is(trace_is_handled))
      s += ", which is not recorded itself";
    else if (caused)
      s += ", which was done with it " + when(x.ended_ns)
           + ", and then sent nothing that names the request";
    else
      s += ", which was done with it " + when(x.ended_ns)
           + ", and sent nothing because of it";
    say(verdict::no_more, last,
        s + "; the trace goes on for " + before_end(x.last_ns()) + ".");
  }

  const trace_model& m_;
  uint64_t request_;
  int64_t end_ns_;
  std::vector<uint32_t> own_;
  trace_why why_;
};

} // namespace

trace_why why_stuck(const trace_model& m, uint64_t request) {
  return inquest{m, request}.run();
}

} // namespace troupe
