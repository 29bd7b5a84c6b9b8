#include "actors/response_cache.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <cstring>

#include "actors/owed_reply.hpp"

namespace troupe {

namespace {

constexpr auto sweep_interval = std::chrono::seconds{1};

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
  if (q.parameters.empty())
    return std::nullopt;
  return q;
}

// -- state --------------------------------------------------------------------

std::optional<cache_reply>
response_cache_state::look_up(const cache_lookup& q,
                              const caf::actor_addr& session, time_point now) {
  using enum response_cache::found;
  auto caller = next_caller_++;
  auto key = response_key::of({q.tenant, q.version, {}, q.parameters},
                              {to_text(q.prompt)});
  auto r = cache_->lookup(key, caller, now);
  switch (r.is) {
  case off:
    return cache_reply{};
  case hit:
    if (auto a = parse(*r.answer))
      return cache_reply{cache_use::hit, 0, 0, std::move(*a)};
    return cache_reply{};
  case lead:
  case wait:
    break;
  }
  callers_[caller] = session;
  askers_[session] = {caller, r.flight, r.is == lead};
  if (r.is == wait)
    return std::nullopt;
  return cache_reply{cache_use::miss, r.flight.number, r.flight.turn, {}};
}

response_cache_state::reply
response_cache_state::lead(const response_cache::successor& s) {
  auto session = callers_.at(s.caller);
  auto& a = askers_.at(session);
  a.flight = s.flight;
  a.leads = true;
  return {session,
          {cache_use::miss, s.flight.number, s.flight.turn, kept_answer{}}};
}

std::vector<response_cache_state::reply>
response_cache_state::fill(cache_fill f, const caf::actor_addr& session,
                           time_point now) {
  auto replies = std::vector<reply>{};
  auto text = std::make_shared<const std::string>(bytes_of(f.answer));
  for (auto caller : cache_->fill({f.flight, f.turn}, std::move(text), now)) {
    auto waiting = callers_.extract(caller).mapped();
    askers_.erase(waiting);
    replies.push_back({waiting, {cache_use::hit, 0, 0, f.answer}});
  }
  if (auto led = askers_.extract(session))
    callers_.erase(led.mapped().caller);
  return replies;
}

std::vector<response_cache_state::reply>
response_cache_state::down(const caf::actor_addr& session, time_point now) {
  auto gone = askers_.extract(session);
  if (!gone)
    return {};
  auto& a = gone.mapped();
  callers_.erase(a.caller);
  if (!a.leads) {
    cache_->leave(a.flight, a.caller);
    return {};
  }
  if (auto next = cache_->abandon(a.flight, now))
    return {lead(*next)};
  return {};
}

std::vector<response_cache_state::reply>
response_cache_state::sweep(time_point now) {
  auto replies = std::vector<reply>{};
  for (auto& s : cache_->sweep(now))
    replies.push_back(lead(s));
  return replies;
}

cache_status response_cache_state::status() const {
  auto& s = cache_->stats();
  return {cache_->entries(), cache_->bytes(), s.hits,   s.misses,
          s.waited,          s.expired,       s.evicted};
}

// -- behaviour ----------------------------------------------------------------

namespace {

using pointer = actor_pointer<response_cache_actor, response_cache_state>;

// The state, and the promises to those who wait.
class desk {
public:
  explicit desk(pointer self) : self_(self) {}

  time_point now() const { return time_point{self_->clock().now()}; }
  caf::actor_addr sender() const {
    return caf::actor_cast<caf::actor_addr>(self_->current_sender());
  }

  caf::result<cache_reply> look_up(const cache_lookup& q) {
    auto who = sender();
    auto r = self_->state.look_up(q, who, now());
    if (!r || r->use == cache_use::miss)
      self_->monitor(who);
    if (r)
      return std::move(*r);
    auto promise = self_->make_response_promise<cache_reply>();
    waiting_.insert_or_assign(
        who, std::make_unique<owed_reply<cache_reply>>(promise));
    return promise;
  }

  void tell(std::vector<response_cache_state::reply> replies) {
    for (auto& [who, r] : replies) {
      if (r.use == cache_use::hit)
        self_->demonitor(who);
      if (auto w = waiting_.extract(who))
        w.mapped()->deliver(std::move(r));
    }
  }

  void fill(const cache_fill& f) {
    self_->demonitor(sender());
    tell(self_->state.fill(f, sender(), now()));
  }

  void down(const caf::actor_addr& who) {
    waiting_.erase(who);
    tell(self_->state.down(who, now()));
  }

private:
  pointer self_;
  std::map<caf::actor_addr, std::unique_ptr<owed_reply<cache_reply>>> waiting_;
};

} // namespace

response_cache_actor::behavior_type
response_cache_service(pointer self, response_cache_options opts) {
  self->state.init(opts);
  auto d = std::make_shared<desk>(self);
  self->set_down_handler([d](const caf::down_msg& m) { d->down(m.source); });
  self->delayed_send(self, sweep_interval, deadline_tick{});
  return {
      [=](const cache_lookup& q) { return d->look_up(q); },
      [=](const cache_fill& f) { d->fill(f); },
      [=](const dismiss_version& m) { self->state.forget(m.version); },
      [=](const cache_query&) { return self->state.status(); },
      [=](const deadline_tick&) {
        d->tell(self->state.sweep(d->now()));
        self->delayed_send(self, sweep_interval, deadline_tick{});
      },
  };
}

} // namespace troupe
