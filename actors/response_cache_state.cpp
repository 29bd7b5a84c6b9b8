#include <caf/all.hpp>

#include <algorithm>
#include <cstring>

#include "actors/response_cache.hpp"

namespace troupe {

namespace {

// Bytes that differ wherever the values do.
template <class... Ts>
std::string bytes_of(const Ts&... xs) {
  auto out = std::vector<char>{};
  auto sink = caf::binary_serializer{nullptr, out};
  if (auto e = sink(xs...))
    return {};
  return {out.begin(), out.end()};
}

std::string to_text(const std::vector<token_id>& ids) {
  auto s = std::string(ids.size() * sizeof(token_id), '\0');
  if (!ids.empty())
    std::memcpy(s.data(), ids.data(), s.size());
  return s;
}

std::optional<kept_answer> parse(const std::string& text) {
  auto a = kept_answer{};
  auto source = caf::binary_deserializer{nullptr, text.data(), text.size()};
  if (auto e = source(a))
    return std::nullopt;
  return a;
}

} // namespace

std::optional<cache_lookup> cache_question(const generate_request& r,
                                           version_id version,
                                           uint32_t max_tokens) {
  if (r.cache == cache_wish::never
      || !cacheable(r.sampling.temperature, r.cache == cache_wish::always))
    return std::nullopt;
  auto s = r.sampling;
  if (s.temperature == 0) {
    // The likeliest token is the same whatever these are.
    s.top_k = 0;
    s.top_p = 1;
    s.min_p = 0;
    s.seed = 0;
  }
  std::ranges::sort(s.logit_bias);
  auto q = cache_lookup{};
  q.tenant = r.organisation;
  q.version = version;
  q.parameters =
      bytes_of(s, max_tokens, r.stop, r.ignore_end, r.cache_salt, r.model);
  q.prompt = r.prompt;
  // Room that is left open depends on the prompt's length, which other words
  // change.
  if (r.cache_text.size() <= cache_lookup::most_text) {
    q.text = r.cache_text;
    q.scope = bytes_of(s, r.max_tokens, r.stop, r.ignore_end, r.cache_salt,
                       r.model, r.cache_scope);
  }
  if (q.parameters.empty() || (!q.text.empty() && q.scope.empty()))
    return std::nullopt;
  return q;
}

// -- state --------------------------------------------------------------------

void response_cache_state::init(const response_cache_service_options& opts) {
  cache_.emplace(opts.exact);
  if (opts.semantic && opts.exact.enabled)
    semantic_.emplace(*opts.semantic, opts.seed);
}

response_cache_state::outcome
response_cache_state::look_up(const cache_lookup& q,
                              const caf::actor_addr& session, time_point now) {
  using enum response_cache::found;
  auto caller = next_caller_++;
  auto key = response_key::of({q.tenant, q.version, {}, q.parameters},
                              {to_text(q.prompt)});
  auto r = cache_->lookup(key, caller, now);
  switch (r.is) {
  case off:
    return {cache_reply{}, {}};
  case hit:
    if (auto a = parse(*r.answer))
      return {cache_reply{cache_use::hit, 0, 0, std::move(*a)}, {}};
    return {cache_reply{}, {}};
  case lead:
  case wait:
    break;
  }
  callers_[caller] = session;
  auto turn = semantic_ ? semantic_tier::begin(q) : std::nullopt;
  auto wanted = std::optional<wish>{};
  auto since = std::optional<time_point>{};
  if (turn && r.is == lead) {
    wanted = {caller, turn->text};
    since = now;
  }
  auto a = askers_
               .insert_or_assign(session, asker{caller, r.flight, r.is == lead,
                                                std::move(turn), since})
               .first;
  if (r.is == wait || wanted)
    return {{}, std::move(wanted)};
  return {compute(a).second, {}};
}

response_cache_state::asker
response_cache_state::release(const caf::actor_addr& session) {
  auto a = askers_.extract(session);
  if (!a)
    return {};
  callers_.erase(a.mapped().caller);
  return std::move(a.mapped());
}

response_cache_state::asker_map::iterator
response_cache_state::lead(const response_cache::successor& s) {
  auto a = askers_.find(callers_.at(s.caller));
  a->second.flight = s.flight;
  a->second.leads = true;
  return a;
}

response_cache_state::reply
response_cache_state::compute(asker_map::iterator a) {
  a->second.wanted.reset();
  auto& f = a->second.flight;
  return {a->first, {cache_use::miss, f.number, f.turn, kept_answer{}}};
}

// Those who wait for the same answer follow one by one: each may get what is
// near, or be the one who computes.
std::vector<response_cache_state::reply>
response_cache_state::on(text_vector v, time_point now) {
  auto replies = std::vector<reply>{};
  auto who = callers_.find(v.number);
  if (who == callers_.end())
    return replies;
  auto a = askers_.find(who->second);
  if (!a->second.wanted)
    return replies; // it was too late
  while (true) {
    auto& turn = a->second.turn;
    if (v.values.empty() || !turn)
      break;
    turn->vector = v.values;
    auto near = semantic_->look_up(*turn, now);
    auto answer = near ? parse(*near) : std::nullopt;
    if (!answer)
      break;
    replies.push_back(
        {a->first, {cache_use::semantic, 0, 0, std::move(*answer)}});
    auto next = cache_->abandon(release(a->first).flight, now);
    if (!next)
      return replies;
    a = lead(*next);
  }
  replies.push_back(compute(a));
  return replies;
}

std::vector<response_cache_state::reply>
response_cache_state::fill(cache_fill f, const caf::actor_addr& session,
                           time_point now) {
  auto replies = std::vector<reply>{};
  auto text = std::make_shared<const std::string>(bytes_of(f.answer));
  for (auto caller : cache_->fill({f.flight, f.turn}, text, now)) {
    auto waiting = callers_.at(caller);
    release(waiting);
    replies.push_back({waiting, {cache_use::hit, 0, 0, f.answer}});
  }
  if (auto led = release(session); led.turn)
    semantic_->learn(std::move(*led.turn), std::move(text), now);
  return replies;
}

std::vector<response_cache_state::reply>
response_cache_state::down(const caf::actor_addr& session, time_point now) {
  auto gone = release(session);
  if (gone.caller == 0)
    return {};
  if (!gone.leads) {
    cache_->leave(gone.flight, gone.caller);
    return {};
  }
  auto next = cache_->abandon(gone.flight, now);
  if (!next)
    return {};
  auto a = lead(*next);
  if (gone.turn && a->second.turn)
    a->second.turn->vector = std::move(gone.turn->vector);
  return {compute(a)};
}

std::vector<response_cache_state::reply>
response_cache_state::sweep(time_point now) {
  auto replies = std::vector<reply>{};
  for (auto& s : cache_->sweep(now))
    replies.push_back(compute(lead(s)));
  if (!semantic_)
    return replies;
  semantic_->sweep(now);
  for (auto a = askers_.begin(); a != askers_.end(); ++a)
    if (auto since = a->second.wanted; since && now - *since > vector_patience)
      replies.push_back(compute(a));
  return replies;
}

void response_cache_state::forget(version_id v) {
  cache_->forget_version(v);
  if (!semantic_)
    return;
  semantic_->forget(v);
  for (auto& [session, a] : askers_)
    if (a.turn && a.turn->scope.version == v)
      a.turn.reset();
}

cache_status response_cache_state::status() const {
  auto& s = cache_->stats();
  auto c = cache_status{};
  c.entries = cache_->entries();
  c.bytes = cache_->bytes();
  c.hits = s.hits;
  c.misses = s.misses;
  c.waited = s.waited;
  c.expired = s.expired;
  c.evicted = s.evicted;
  if (semantic_)
    semantic_->describe(c);
  return c;
}

} // namespace troupe
