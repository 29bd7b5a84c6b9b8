#include "tools/chaos/faults.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "core/base/random.hpp"

namespace chaos {

namespace {

using std::chrono::milliseconds;

enum what : uint32_t { pick = 8, victim, length };

// Tokens that were on their way when a node was struck still arrive.
constexpr auto on_the_way = milliseconds{50};

// The longest that a request went without tokens because `f` struck: between
// two tokens or, of a prefill node, before the first.
std::optional<clock::duration> wait_of(const request_times& r, const fault& f) {
  auto from = r.submitted;
  auto longest = std::optional<clock::duration>{};
  for (auto i = size_t{0}; i < r.tokens.size(); ++i) {
    auto to = r.tokens[i];
    auto meets = to > f.at && from < f.struck + on_the_way;
    // A prefill node that was struck is no part of what was placed later.
    auto counts = f.prefill ? i == 0 && from < f.at : i > 0;
    if (meets && counts)
      longest = std::max(longest.value_or(clock::duration{}),
                         to - std::max(from, f.at));
    from = to;
  }
  return longest;
}

} // namespace

const char* to_string(fault_kind k) {
  switch (k) {
  case fault_kind::kill:
    return "kill";
  case fault_kind::stop:
    return "stop";
  case fault_kind::cut:
    return "cut";
  case fault_kind::delay:
    return "delay";
  }
  return "";
}

uint64_t fault_plan::draw(uint64_t below, uint32_t what) const {
  return troupe::random_bits(seed_, count_, what) % below;
}

fault fault_plan::next() {
  auto f = fault{};
  // The round so far lies at the front.
  auto done = count_ % kinds_.size();
  std::swap(kinds_[done], kinds_[done + draw(kinds_.size() - done, pick)]);
  f.kind = kinds_[done];
  f.node = draw(nodes_, victim);
  f.lasts = brief_ ? milliseconds{2200 + draw(300, length)}
                   : milliseconds{3000 + draw(2000, length)};
  // A killed one is started again at once, or after others noticed.
  if (f.kind == fault_kind::kill)
    f.lasts = milliseconds{draw(brief_ ? 300 : 1500, length)};
  if (f.kind == fault_kind::delay && brief_)
    f.lasts = milliseconds{1500};
  ++count_;
  return f;
}

std::vector<recovery> recoveries(const std::vector<fault>& faults,
                                 const std::vector<request_times>& requests) {
  auto all = std::map<std::string, recovery>{};
  for (auto& f : faults) {
    auto name = std::string{to_string(f.kind)};
    if (f.prefill)
      name += ", prefill node";
    auto& r = all[name];
    r.name = name;
    ++r.faults;
    auto longest = std::optional<clock::duration>{};
    for (auto& q : requests)
      if (auto wait = wait_of(q, f); wait && (!longest || *wait > *longest))
        longest = wait;
    if (longest)
      r.ms.push_back(
          std::chrono::duration<double, std::milli>{*longest}.count());
  }
  auto list = std::vector<recovery>{};
  for (auto& [name, r] : all) {
    std::sort(r.ms.begin(), r.ms.end());
    list.push_back(std::move(r));
  }
  return list;
}

} // namespace chaos
