#include "core/trace/look/trace_path.hpp"

#include <algorithm>
#include <cstdio>

#include "core/trace/look/text.hpp"

namespace troupe {

namespace {

int64_t between(int64_t from, int64_t to) {
  auto d = int64_t{0};
  return from == trace_never || to == trace_never
                 || __builtin_sub_overflow(to, from, &d)
             ? 0
             : d;
}

// Walks from a message back to the first one of its request. A step is the
// message that the one before it was sent for, or that its sender had of the
// request and kept.
class walk {
public:
  walk(const trace_model& m, uint64_t request, uint32_t target)
      : m_(m), request_(request) {
    for (uint32_t i = 0; i < m.messages.size() && i <= target; ++i)
      if (m.messages[i].request == request && !m.messages[i].is_pseudo())
        own_.push_back(i);
  }

  // The target first. Only messages that left before the one that they led to
  // are taken, so that it ends whatever files say.
  std::vector<uint32_t> run(uint32_t target) const {
    auto path = std::vector{target};
    while (!own_.empty() && path.back() != own_.front()) {
      auto next = before(path.back());
      if (next == trace_none || next >= path.back())
        break;
      path.push_back(next);
    }
    // Between what cannot be traced further back and the first message nothing
    // is known but the time.
    if (!own_.empty() && path.back() > own_.front())
      path.push_back(own_.front());
    return path;
  }

private:
  uint32_t before(uint32_t i) const {
    auto& x = m_.messages[i];
    auto cause = x.cause;
    if (cause != trace_none && m_.messages[cause].request == request_)
      return cause;
    // What the actor was doing had not to do with this request alone.
    auto actor = cause != trace_none ? m_.messages[cause].receiver : x.sender;
    auto kept = last_at(actor, i);
    if (cause == trace_none)
      return kept;
    if (kept == trace_none)
      return began_after(cause);
    return m_.messages[cause].left_ns > m_.messages[kept].begun_ns ? cause
                                                                   : kept;
  }

  // Nothing that led to this request began before its first message.
  uint32_t began_after(uint32_t cause) const {
    return cause > own_.front() ? cause : trace_none;
  }

  // The last message of the request that the actor handled before it sent `i`.
  uint32_t last_at(uint32_t actor, uint32_t i) const {
    auto& x = m_.messages[i];
    auto found = trace_none;
    for (auto j : own_) {
      auto& y = m_.messages[j];
      if (j >= i)
        break;
      if (y.receiver == actor && y.is(trace_is_handled)
          && y.begun_ns <= x.left_ns
          && (found == trace_none || m_.messages[found].begun_ns < y.begun_ns))
        found = j;
    }
    return found;
  }

  const trace_model& m_;
  uint64_t request_;
  std::vector<uint32_t> own_;
};

// When a message was on its way: what an actor begins with has not been sent.
int64_t set_out(const trace_message& x) {
  for (auto at : {x.left_ns, x.arrived_ns})
    if (at != trace_never)
      return at;
  return x.begun_ns;
}

trace_hop hop_of(const trace_model& m, uint32_t i, int64_t from,
                 int64_t until) {
  auto& x = m.messages[i];
  auto h = trace_hop{};
  h.actor = x.receiver;
  h.type = m.type_name(x);
  h.message = i;
  auto at = from;
  auto step = [&at](int64_t to) {
    if (to == trace_never)
      return int64_t{0};
    auto d = between(at, to);
    at = to;
    return d;
  };
  h.wire_ns = step(x.arrived_ns);
  h.queue_ns = step(x.begun_ns);
  // What was sent before the handling's end ends the hop there.
  auto ended = x.ended_ns == trace_never ? until : std::min(x.ended_ns, until);
  h.handling_ns = step(ended);
  h.held_ns = step(until);
  return h;
}

bool is_same(const trace_hop& a, const trace_hop& b) {
  return a.actor == b.actor && a.type == b.type;
}

// Steps that take turns are told once: A B A B A B as A and B, three times.
std::vector<trace_hop> folded(const std::vector<trace_hop>& hops) {
  auto rows = std::vector<trace_hop>{};
  for (size_t i = 0; i < hops.size();) {
    auto best = size_t{1};
    auto repeats = size_t{1};
    for (size_t p = 1; p <= 6 && i + 2 * p <= hops.size(); ++p) {
      auto n = size_t{1};
      while (i + (n + 1) * p <= hops.size()
             && std::equal(hops.begin() + static_cast<long>(i),
                           hops.begin() + static_cast<long>(i + p),
                           hops.begin() + static_cast<long>(i + n * p),
                           is_same))
        ++n;
      if (n > 1 && n * p > best * repeats) {
        best = p;
        repeats = n;
      }
    }
    for (size_t k = 0; k < best; ++k) {
      auto row = hops[i + k];
      row.times = repeats;
      for (size_t n = 1; n < repeats; ++n) {
        auto& h = hops[i + n * best + k];
        row.wire_ns += h.wire_ns;
        row.queue_ns += h.queue_ns;
        row.handling_ns += h.handling_ns;
        row.held_ns += h.held_ns;
      }
      rows.push_back(std::move(row));
    }
    i += best * repeats;
  }
  return rows;
}

} // namespace

trace_path critical_path(const trace_model& m, uint64_t request,
                         uint32_t target) {
  auto p = trace_path{};
  if (target >= m.messages.size())
    return p;
  auto path = walk{m, request, target}.run(target);
  std::reverse(path.begin(), path.end());
  p.target = target;
  auto& last = m.messages[target];
  auto end = last.arrived_ns != trace_never ? last.arrived_ns : last.left_ns;
  p.begin_ns = set_out(m.messages[path.front()]);
  p.whole_ns = between(p.begin_ns, end);
  auto hops = std::vector<trace_hop>{};
  auto from = p.begin_ns;
  for (size_t k = 0; k + 1 < path.size(); ++k) {
    auto until = set_out(m.messages[path[k + 1]]);
    hops.push_back(hop_of(m, path[k], from, until));
    from = until;
  }
  auto h = trace_hop{};
  h.actor = last.receiver;
  h.type = m.type_name(last);
  h.message = target;
  h.wire_ns = between(from, end);
  hops.push_back(std::move(h));
  p.hops = folded(hops);
  return p;
}

// -- whose --------------------------------------------------------------------

uint32_t first_token_of(const trace_model& m, uint64_t request) {
  for (uint32_t i = 0; i < m.messages.size(); ++i)
    if (m.messages[i].request == request
        && m.type_name(m.messages[i]) == "token_event")
      return i;
  return trace_none;
}

uint32_t end_of(const trace_model& m, uint64_t request) {
  for (auto i = static_cast<uint32_t>(m.messages.size()); i-- > 0;)
    if (m.messages[i].request == request
        && m.type_name(m.messages[i]) == "finish_event")
      return i;
  return trace_none;
}

// -- as text ------------------------------------------------------------------

namespace {

using namespace trace_words;

std::string row(std::string_view where, std::string_view what,
                std::string_view times, const trace_hop& h, int64_t whole) {
  char share[16];
  std::snprintf(share, sizeof share, "%.1f %%",
                whole > 0 ? 100.0 * static_cast<double>(h.whole_ns())
                                / static_cast<double>(whole)
                          : 0.0);
  return left(where, 26) + " " + left(what, 22) + right(times, 7)
         + right(exact_ms(h.wire_ns), 14) + right(exact_ms(h.queue_ns), 14)
         + right(exact_ms(h.handling_ns), 14) + right(exact_ms(h.held_ns), 14)
         + right(exact_ms(h.whole_ns()), 14) + right(share, 9) + "\n";
}

trace_hop sum_of(const trace_path& p) {
  auto sum = trace_hop{};
  for (auto& h : p.hops) {
    sum.wire_ns += h.wire_ns;
    sum.queue_ns += h.queue_ns;
    sum.handling_ns += h.handling_ns;
    sum.held_ns += h.held_ns;
  }
  return sum;
}

} // namespace

std::string to_text(const trace_path& p, const trace_model& m) {
  if (p.target == trace_none)
    return {};
  auto text = left("where (times in ms)", 26) + " " + left("what came", 22)
              + right("times", 7) + right("way", 14) + right("queued", 14)
              + right("handled", 14) + right("held", 14) + right("whole", 14)
              + right("share", 9) + "\n";
  for (auto& h : p.hops)
    text += row(printable(m.actor_name(h.actor)), printable(h.type),
                std::to_string(h.times), h, p.whole_ns);
  return text + row("sum", "", "", sum_of(p), p.whole_ns);
}

std::string to_json(const trace_path& p, const trace_model& m) {
  if (p.target == trace_none)
    return "null";
  auto s = "{\"message\":" + std::to_string(p.target)
           + ",\"whole_ns\":" + std::to_string(p.whole_ns) + ",\"hops\":[";
  for (auto& h : p.hops) {
    if (&h != &p.hops.front())
      s += ',';
    s += "{\"actor\":" + json(m.actor_name(h.actor))
         + ",\"type\":" + json(h.type) + ",\"times\":" + std::to_string(h.times)
         + ",\"wire_ns\":" + std::to_string(h.wire_ns)
         + ",\"queue_ns\":" + std::to_string(h.queue_ns)
         + ",\"handling_ns\":" + std::to_string(h.handling_ns)
         + ",\"held_ns\":" + std::to_string(h.held_ns) + "}";
  }
  return s + "]}";
}

} // namespace troupe
