#include "core/serving/route.hpp"

#include <algorithm>
#include <xxhash.h>

namespace troupe {

namespace {

// Larger numbers are taken for these, so that no sum of them overflows.
constexpr auto most_capacity = uint32_t{1} << 16;
constexpr auto most_tokens = uint32_t{1} << 24;

// A number below n of 32 random bits.
uint32_t below(uint32_t n, uint32_t random) {
  return static_cast<uint32_t>(uint64_t{random} * n >> 32);
}

} // namespace

std::vector<uint64_t> prefix_chain(std::string_view salt,
                                   std::span<const token_id> tokens,
                                   uint32_t block_tokens) {
  auto chain = std::vector<uint64_t>{};
  auto digest = XXH3_64bits(salt.data(), salt.size());
  while (block_tokens > 0 && tokens.size() >= block_tokens) {
    digest = XXH3_64bits_withSeed(tokens.data(),
                                  block_tokens * sizeof(token_id), digest);
    chain.push_back(digest);
    tokens = tokens.subspan(block_tokens);
  }
  return chain;
}

// -- workers ------------------------------------------------------------------

route_table::worker route_table::join(uint32_t capacity) {
  if (empty_.empty()) {
    if (slots_.size() >= (size_t{1} << slot_bits) - 1)
      return 0;
    empty_.push_back(static_cast<uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  auto i = empty_.back();
  empty_.pop_back();
  auto generation = slots_[i].generation + 1;
  // Its number is never 0, and recurs after thousands of lives, when it does no
  // more harm than a useless hint.
  slots_[i] = {(generation << slot_bits) | (i + 1), generation,
               std::min(capacity, most_capacity)};
  update(slots_[i]);
  return slots_[i].id;
}

void route_table::leave(worker w) {
  auto* s = find(w);
  if (!s)
    return;
  s->capacity = 0;
  update(*s);
  s->id = 0;
  empty_.push_back(static_cast<uint32_t>(s - slots_.data()));
}

void route_table::drain(worker w, bool on) {
  auto* s = find(w);
  if (!s)
    return;
  s->drained = on;
  update(*s);
}

void route_table::resize(worker w, uint32_t capacity) {
  auto* s = find(w);
  if (!s)
    return;
  s->capacity = std::min(capacity, most_capacity);
  update(*s);
}

route_table::slot* route_table::find(worker w) {
  auto i = (w & ((1u << slot_bits) - 1)) - 1; // of 0: beyond all
  return i < slots_.size() && slots_[i].id == w && w != 0 ? &slots_[i]
                                                          : nullptr;
}

const route_table::slot* route_table::find(worker w) const {
  return const_cast<route_table*>(this)->find(w);
}

// Puts it among the open ones, or takes it out.
void route_table::update(slot& s) {
  auto open = !s.drained && s.requests < s.capacity;
  if (open == (s.at != closed))
    return;
  auto i = static_cast<uint32_t>(&s - slots_.data());
  if (open) {
    s.at = static_cast<uint32_t>(open_.size());
    open_.push_back(i);
    return;
  }
  open_[s.at] = open_.back();
  slots_[open_[s.at]].at = s.at;
  open_.pop_back();
  s.at = closed;
}

uint32_t route_table::requests(worker w) const {
  auto* s = find(w);
  return s ? s->requests : 0;
}

uint64_t route_table::room() const {
  auto n = uint64_t{0};
  for (auto i : open_)
    n += slots_[i].capacity - slots_[i].requests;
  return n;
}

// -- choosing -----------------------------------------------------------------

struct route_table::candidate {
  worker at = 0;
  uint32_t capacity = 0;
  int64_t tokens = 0; ///< to do, with the request, less its bonus
  uint32_t requests = 0;
  uint32_t saved = 0; ///< tokens of its prompt
};

// Takes `w` for the best one if it is.
void route_table::consider(candidate& best, worker w, const route_request& r,
                           uint32_t saved, uint32_t bonus) const {
  auto* s = find(w);
  if (!s || s->at == closed || w == best.at)
    return;
  saved = std::min(saved, r.prompt);
  auto tokens = static_cast<int64_t>(s->tokens + r.prompt - saved) - bonus;
  // Tokens by capacity, without the division.
  auto here = tokens * best.capacity;
  auto there = best.tokens * s->capacity;
  auto fewer = uint64_t{s->requests} * best.capacity
               < uint64_t{best.requests} * s->capacity;
  if (best.at == 0 || here < there || (here == there && fewer))
    best = {w, s->capacity, tokens, s->requests, saved};
}

// How many of the first blocks somebody has, and who. Blocks are said to be
// there in whole prefixes, so that bisection finds the last; where some have
// been forgotten it may find less.
uint32_t route_table::known_blocks(std::span<const uint64_t> prefix,
                                   holders& who) {
  auto known = [&](size_t block) {
    auto* h = blocks_.find(prefix[block]);
    if (h)
      who = *h;
    return h != nullptr;
  };
  if (prefix.empty() || !known(0))
    return 0;
  auto low = size_t{1};
  auto high = prefix.size();
  while (low < high) {
    auto middle = low + (high - low + 1) / 2;
    if (known(middle - 1))
      low = middle;
    else
      high = middle - 1;
  }
  return static_cast<uint32_t>(low);
}

std::optional<route_table::ticket> route_table::choose(const route_request& r,
                                                       uint64_t random) {
  auto n = static_cast<uint32_t>(open_.size());
  if (n == 0)
    return std::nullopt;
  auto who = holders{};
  auto saved = known_blocks(r.prefix, who) * options_.block_tokens;
  auto session = worker{0};
  if (r.session != 0)
    if (auto* w = sessions_.find(r.session))
      session = *w;
  auto best = candidate{};
  auto look = [&](worker w) {
    auto holds = std::ranges::find(who, w) != who.end();
    consider(best, w, r, holds ? saved : 0,
             w == session ? options_.session_worth : 0);
  };
  auto first = below(n, static_cast<uint32_t>(random));
  look(slots_[open_[first]].id);
  if (n > 1) {
    auto second = below(n - 1, static_cast<uint32_t>(random >> 32));
    look(slots_[open_[second + (second >= first)]].id);
  }
  if (saved > 0)
    for (auto w : who)
      if (w != 0)
        look(w);
  if (session != 0)
    look(session);
  return book(r, best);
}

route_table::ticket route_table::book(const route_request& r,
                                      const candidate& at) {
  auto b = booking{at.at, std::min(r.prompt - at.saved, most_tokens),
                   std::min(r.answer, most_tokens)};
  auto& s = *find(at.at);
  ++s.requests;
  s.tokens += uint64_t{b.prompt} + b.answer;
  update(s);
  if (r.session != 0 && !sessions_.empty())
    sessions_.at(r.session) = at.at;
  return {bookings_.add(b), at.at, at.saved};
}

void route_table::prefilled(const ticket& t) {
  auto* b = bookings_.find(t.id);
  if (!b)
    return;
  if (auto* s = find(b->at))
    s->tokens -= b->prompt;
  b->prompt = 0;
}

bool route_table::complete(const ticket& t) {
  auto b = bookings_.take(t.id);
  auto* s = b ? find(b->at) : nullptr;
  if (!s)
    return false;
  --s->requests;
  s->tokens -= uint64_t{b->prompt} + b->answer;
  update(*s);
  return true;
}

void route_table::cached(worker w, std::span<const uint64_t> prefix) {
  if (!find(w) || blocks_.empty())
    return;
  for (auto digest : prefix) {
    auto& who = blocks_.at(digest);
    auto last = std::ranges::find(who, w);
    if (last == who.end())
      --last; // the one that was given it longest ago
    std::rotate(who.begin(), last, last + 1);
    who[0] = w;
  }
}

} // namespace troupe
