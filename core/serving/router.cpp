#include "core/serving/router.hpp"

#include <algorithm>
#include <tuple>

#include "core/base/random.hpp"

namespace troupe {

// How willingly a node, or a pair of them, is taken: lower is better.
struct router::preference {
  bool avoided = false;
  bool full = false;
  double ns = 0; ///< predicted
  uint32_t requests = 0;
  auto operator<=>(const preference&) const = default;
};

struct router::candidate {
  member who = 0; ///< 0: there is none
  node_id node = 0;
  preference how;

  explicit operator bool() const { return who != 0; }
  bool operator<(const candidate& other) const {
    return std::tie(how, node) < std::tie(other.how, other.node);
  }
};

struct router::wish {
  request_id request = 0;
  const request_size& size;
  std::span<const node_id> avoid;
  version_id version = 1;
  const prompt_prefix& prefix;
  bool prompt_only = false;
  /// Whoever has some of the prefix, and how many tokens of it.
  std::array<std::pair<member, uint32_t>, 4> holders = {};

  /// With what `m` need not compute. The last token always is.
  request_size at(member m) const {
    auto s = size;
    for (auto& [who, tokens] : holders)
      if (who == m && s.prompt > 0)
        s.prompt -= std::min(tokens, s.prompt - 1);
    return s;
  }
};

void router::join(member m, node_id node, node_role role, version_id version) {
  leave(m);
  auto& all = groups_[{role, version}];
  auto& e = members_[m];
  e = {m, node, role, version, all.size(), {}};
  all.push_back(&e);
}

void router::leave(member m) {
  auto i = members_.find(m);
  if (i == members_.end())
    return;
  auto& e = i->second;
  auto g = groups_.find({e.role, e.version});
  auto& all = g->second;
  all[e.place] = all.back();
  all[e.place]->place = e.place;
  all.pop_back();
  if (all.empty())
    groups_.erase(g);
  members_.erase(i);
}

void router::told(member m, const node_load& load) {
  if (auto i = members_.find(m); i != members_.end())
    i->second.load.told(load);
}

namespace {

// Two different numbers below n.
std::pair<size_t, size_t> drawn(request_id request, node_role role, size_t n) {
  auto bits = random_bits(request, static_cast<uint64_t>(role));
  auto below = [](uint64_t random, uint64_t most) {
    return static_cast<size_t>(random * most >> 32);
  };
  auto first = below(bits >> 32, n);
  auto second = below(bits & 0xffffffffu, n - 1);
  return {first, second + (second >= first)};
}

} // namespace

// Of the nodes of a role, for the work that is to be done there.
router::candidate router::best(node_role role, node_role work,
                               const wish& w) const {
  auto found = candidate{};
  auto g = groups_.find({role, w.version});
  if (g == groups_.end())
    return found;
  auto known = w.holders[0].second > 0;
  auto consider = [&](const entry& e) {
    auto c = candidate{e.id, e.node, {}};
    auto size = known ? w.at(e.id) : w.size;
    auto rows = work == node_role::mixed ? e.load.requests() : 0;
    c.how.avoided = std::ranges::find(w.avoid, e.node) != w.avoid.end();
    c.how.full = !e.load.has_room(size);
    c.how.requests = e.load.requests();
    if (work != node_role::decode)
      c.how.ns += e.load.prefill_ns(size, rows);
    if (work != node_role::prefill && !w.prompt_only)
      c.how.ns += e.load.decode_ns(w.size);
    if (!found || c < found)
      found = c;
  };
  auto& all = g->second;
  if (all.size() > most_compared) {
    auto [first, second] = drawn(w.request, role, all.size());
    consider(*all[first]);
    consider(*all[second]);
    for (auto& [m, tokens] : w.holders)
      if (auto i = members_.find(m); i != members_.end()
                                     && i->second.role == role
                                     && i->second.version == w.version)
        consider(i->second);
    if (!found.how.avoided && !found.how.full)
      return found;
  }
  for (auto* e : all)
    consider(*e);
  return found;
}

// A pair is as good as the worse of the two, and takes as long as both. A
// member that is 0 says that there is none.
router::route router::route_of(const wish& w) const {
  using enum node_role;
  auto p = best(prefill, prefill, w);
  auto d = best(decode, p ? decode : mixed, w);
  auto x = best(mixed, mixed, w);
  if (p && w.prompt_only)
    return x && x.how < p.how ? route{x.who, x.who} : route{p.who, p.who};
  if (p && d) {
    auto pair = preference{p.how.avoided || d.how.avoided,
                           p.how.full || d.how.full, p.how.ns + d.how.ns,
                           std::max(p.how.requests, d.how.requests)};
    if (!x || pair < x.how)
      return {p.who, d.who};
  } else if (!x) {
    return {d.who, d.who};
  }
  return {x.who, x.who};
}

std::optional<router::route>
router::place(request_id request, const request_size& size,
              std::span<const node_id> avoid, version_id version,
              const prompt_prefix& prefix, bool prompt_only) {
  release(request);
  auto w = wish{request, size, avoid, version, prefix, prompt_only};
  find_holders(w);
  auto where = route_of(w);
  if (where.decode == 0)
    return std::nullopt;
  book(request, where, w.at(where.prefill), size);
  // What decodes only keeps no prompts.
  if (members_.at(where.prefill).role != node_role::decode)
    remember(prefix, where.prefill);
  return where;
}

// Those of the first block, as far as they have the next ones, too.
void router::find_holders(wish& w) {
  auto done = uint32_t{0};
  for (auto block : w.prefix.blocks) {
    auto* who = blocks_.find(block);
    if (who == nullptr)
      return;
    auto any = false;
    for (size_t i = 0; i < w.holders.size(); ++i) {
      auto& [m, tokens] = w.holders[i];
      if (done == 0)
        m = (*who)[i];
      if (m == 0 || tokens != done || std::ranges::find(*who, m) == who->end())
        continue;
      tokens += w.prefix.block_tokens;
      any = true;
    }
    if (!any)
      return;
    done += w.prefix.block_tokens;
  }
}

void router::remember(const prompt_prefix& prefix, member m) {
  for (auto block : prefix.blocks) {
    auto& who = blocks_.at(block);
    // To the front; whoever was given it longest ago makes room.
    auto at = std::ranges::find(who, m);
    if (at == who.end())
      --at;
    std::rotate(who.begin(), at, at + 1);
    who.front() = m;
  }
}

// A pair's second node gets the KV of all of the prompt.
void router::book(request_id request, const route& where,
                  const request_size& at_first, const request_size& whole) {
  bookings_[request] = {where, whole};
  members_.at(where.prefill).load.placed(at_first);
  if (where.decode != where.prefill)
    members_.at(where.decode).load.placed(whole);
}

void router::move(request_id request, member to) {
  auto i = bookings_.find(request);
  if (i == bookings_.end() || !members_.contains(to))
    return;
  // KV of one version is of no use to another.
  if (auto at = members_.find(i->second.where.decode);
      at != members_.end() && at->second.version != members_.at(to).version)
    return;
  auto size = request_size{0, i->second.size.answer};
  release(request);
  book(request, {to, to}, size, size);
}

void router::release(request_id request) {
  auto i = bookings_.find(request);
  if (i == bookings_.end())
    return;
  auto [prefill, decode] = i->second.where;
  bookings_.erase(i);
  if (auto m = members_.find(prefill); m != members_.end())
    m->second.load.released();
  if (decode == prefill)
    return;
  if (auto m = members_.find(decode); m != members_.end())
    m->second.load.released();
}

std::optional<router::route> router::find(request_id request) const {
  auto i = bookings_.find(request);
  if (i == bookings_.end())
    return std::nullopt;
  return i->second.where;
}

} // namespace troupe
