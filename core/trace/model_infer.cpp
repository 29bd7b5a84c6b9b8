#include <algorithm>
#include <tuple>

#include "core/trace/model_parts.hpp"

namespace troupe::trace_building {

namespace {

struct asked {
  uint64_t number = 0; ///< of the request
  int64_t left_ns = 0;
  uint32_t sender = 0;
  uint32_t slot = 0;
};

auto key_of(const asked& a) {
  return std::tie(a.sender, a.number, a.left_ns, a.slot);
}

bool is_candidate(const parts& p, uint32_t i) {
  auto& m = p.m.messages[i];
  return p.links[i].what == link::handling && p.links[i].number == 0
         && m.is(trace_arrived) && m.sender != trace_none
         && (m.mid & number_bits) != 0;
}

class inference {
public:
  explicit inference(parts& p) : p_(p) {}

  void run() {
    auto open = std::vector<uint32_t>{};
    for (uint32_t i = 0; i < p_.links.size(); ++i)
      if (is_candidate(p_, i))
        open.push_back(i);
    if (open.empty())
      return;
    find_requests();
    for (auto i : open) {
      auto& m = p_.m.messages[i];
      auto cause = m.mid & response_bit ? asked_for(m) : sent_on(m);
      if (cause == trace_none)
        continue;
      m.cause = cause;
      m.flags |= trace_inferred;
      m.left_ns = std::min(m.arrived_ns, p_.m.messages[cause].ended_ns);
    }
  }

private:
  void find_requests() {
    auto& all = p_.m.messages;
    for (uint32_t i = 0; i < all.size(); ++i) {
      auto& m = all[i];
      if (p_.links[i].what != link::merged && m.sender != trace_none
          && (m.mid & number_bits) != 0 && !(m.mid & response_bit))
        requests_.push_back({m.mid & number_bits, m.left_ns, m.sender, i});
    }
    std::sort(requests_.begin(), requests_.end(),
              [](auto& a, auto& b) { return key_of(a) < key_of(b); });
  }

  std::span<const asked> requests(uint32_t sender, uint64_t mid) const {
    auto n = mid & number_bits;
    auto less = [](auto& a, auto& b) {
      return std::tie(a.sender, a.number) < std::tie(b.sender, b.number);
    };
    auto what = asked{n, 0, sender, 0};
    auto [from, to] =
        std::equal_range(requests_.begin(), requests_.end(), what, less);
    return {from, to};
  }

  // The request that `answer` is for, as the one who answers got it.
  uint32_t asked_for(const trace_message& answer) const {
    auto& actors = p_.m.actors;
    if (actors[answer.sender].node == actors[answer.receiver].node)
      return trace_none;
    auto found = trace_none;
    for (auto& r : requests(answer.receiver, answer.mid)) {
      auto& m = p_.m.messages[r.slot];
      if (m.receiver == answer.sender && m.is(trace_is_handled))
        found = r.slot;
    }
    return found;
  }

  // The same request as another actor got it, just before.
  uint32_t sent_on(const trace_message& request) const {
    auto found = trace_none;
    for (auto& r : requests(request.sender, request.mid)) {
      auto& m = p_.m.messages[r.slot];
      if (m.left_ns >= request.left_ns)
        break;
      if (m.receiver != request.receiver && m.is(trace_is_handled))
        found = r.slot;
    }
    return found;
  }

  parts& p_;
  std::vector<asked> requests_;
};

// An actor ends because of what it handled last.
void find_reasons_of_ends(parts& p) {
  auto& all = p.m.messages;
  auto end_of = std::vector<uint32_t>(p.m.actors.size(), trace_none);
  for (uint32_t i = 0; i < all.size(); ++i)
    if (all[i].is(trace_is_cleanup))
      end_of[all[i].receiver] = i;
  for (uint32_t i = 0; i < all.size(); ++i) {
    auto& m = all[i];
    if (!m.is(trace_is_handled) || m.is(trace_is_cleanup)
        || p.links[i].what == link::merged)
      continue;
    auto end = end_of[m.receiver];
    if (end == trace_none || m.begun_ns > all[end].begun_ns)
      continue;
    auto& cause = all[end].cause;
    if (cause == trace_none || all[cause].begun_ns <= m.begun_ns)
      cause = i;
  }
}

} // namespace

void infer(parts& p) {
  inference{p}.run();
  find_reasons_of_ends(p);
}

} // namespace troupe::trace_building
