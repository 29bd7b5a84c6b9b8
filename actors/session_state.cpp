#include "actors/response_cache.hpp"
#include "actors/session.hpp"

namespace troupe {

void session_state::init(std::unique_ptr<session_task> task, time_point now) {
  task_ = std::move(task);
  auto& o = options();
  place_.begin({o.max_placements, o.backoff, o.node_patience});
  trail_.begin(o.audit, asked(), task_->text);
  version_.begin(now);
  if (o.profiler)
    path_.begin(asked(), now);
  if (asked().version != 0)
    version_.fixed(asked().version);
  else if (!o.versions)
    version_.fixed(1);
  answer_.begin(task_->text, {spec().max_tokens, asked().stop,
                              spec().sampling.want_logprob});
}

// -- limits -------------------------------------------------------------------

std::optional<finish_event> session_state::reserve(time_point now) {
  if (!options().limits || asked().unlimited) {
    path_.admitted(now);
    trail_.admitted(asked(), now);
    return std::nullopt;
  }
  auto who = tenant{asked().organisation, asked().key, asked().model};
  auto prompt = static_cast<uint32_t>(spec().prompt.size());
  // What is left open is not held against the tenant before it is there.
  auto answer = spec().embed              ? 0
                : asked().max_tokens == 0 ? 1
                                          : spec().max_tokens;
  auto refused =
      budget_.reserve(options().limits, std::move(who), now, prompt, answer);
  path_.admitted(now);
  if (!refused) {
    trail_.admitted(asked(), now);
    return std::nullopt;
  }
  trail_.refused(refused->why, now);
  auto e = finish(finish_reason::error, now, std::move(refused->why));
  if (e)
    e->retry_after_ns = refused->retry_after.count();
  return e;
}

std::optional<finish_event> session_state::check_form(time_point now) {
  if (asked().form.is_free())
    return std::nullopt;
  auto c = form_check::make(asked().form);
  if (!c)
    return finish(finish_reason::error, now, c.failure());
  form_ = std::move(*c);
  return std::nullopt;
}

// -- version ------------------------------------------------------------------

version_desk* session_state::desk() const {
  return tracing::mode_now() == 0 ? options().desk.get() : nullptr;
}

result<void> session_state::take_version(time_point now) {
  auto t = options().desk->route([this] { return wanted_version().key; });
  if (!t)
    return t.failure();
  version_.taken({t->id, t->version}, options().desk);
  trail_.on_version(t->version, now);
  return {};
}

void session_state::on(const routed_version& v, time_point now) {
  version_.chosen(v);
  trail_.on_version(v.version, now);
}

// -- cache --------------------------------------------------------------------

std::optional<cache_lookup> session_state::cached_question(time_point now) {
  // Answers are kept by what was asked, not by what they had to be.
  if (!options().cache || spec().embed || !spec().form.is_free())
    return std::nullopt;
  auto q = cache_question(asked(), version_.version(), spec().max_tokens);
  if (q)
    path_.asks_cache(now);
  return q;
}

session_state::reaction session_state::on(cache_reply r, time_point now) {
  path_.cache_answered(now);
  // An answer to the same in other words may have had more room.
  if (r.answer.tokens.size() > spec().max_tokens)
    return {};
  cache_.on(r);
  if (r.use < cache_use::semantic)
    return {};
  // Nothing was computed by that version for it.
  version_.answered_elsewhere();
  trail_.cache_answered(r.use, version_.version(), now);
  auto o = sequence_output{};
  o.request = asked().request;
  o.seq = spec().seq;
  o.epoch = spec().epoch;
  o.tokens = std::move(r.answer.tokens);
  o.details = std::move(r.answer.details);
  o.reason = r.answer.reason;
  o.cached_tokens = static_cast<uint32_t>(spec().prompt.size());
  return take(o, now);
}

std::optional<request_profile> session_state::take_profile(time_point now) {
  return path_.take(now);
}

// -- tokens -------------------------------------------------------------------

session_state::reaction session_state::take(const sequence_output& o,
                                            time_point now) {
  auto r = reaction{};
  if (finished_ || o.seq != spec().seq)
    return r;
  if (o.preempted != put_away::no) {
    if (where_)
      trail_.preempted(place_.held_by(), o.preempted, now);
    return r;
  }
  // How an older life ended is of no interest, but its tokens count.
  auto current = same_placement(o.epoch, spec().epoch);
  if (o.reason == finish_reason::error || o.reason == finish_reason::cancelled)
    return current && where_ ? failed(o, now) : r;
  if (spec().embed)
    return take_state(o, now);
  if (!answer_.accept(o.index, o.tokens, o.details, o.reason))
    return r;
  if (o.index == 0)
    cached_ = o.cached_tokens;
  if (current && o.index > spec().emitted.size())
    place_.heard();
  path_.got(o, now);
  // Clients get a token a time, however many a node sends; an answer that was
  // there before comes whole.
  auto most = where_ && o.tokens.size() > 1 ? 1 : SIZE_MAX;
  while (auto e = advance(now, most)) {
    r.tokens.push_back(std::move(*e));
    if (budget_.exhausted())
      break;
  }
  if (auto end = answer_.end(); end != finish_reason::none)
    r.finish = finish(end, now);
  else if (budget_.exhausted())
    r.finish = finish(finish_reason::length, now);
  return r;
}

session_state::reaction session_state::failed(const sequence_output& o,
                                              time_point now) {
  auto r = reaction{};
  auto by = place_.held_by();
  r.place_again = place_.failed({o.code, o.message});
  if (r.place_again)
    trail_.failed_over(by, answer_.ready().size(), last_error(), now);
  else
    r.finish = finish(finish_reason::error, now, last_error());
  return r;
}

// It is a function of the tokens, so that of an older epoch is as good.
session_state::reaction session_state::take_state(const sequence_output& o,
                                                  time_point now) {
  auto r = reaction{};
  if (o.reason != finish_reason::stop || o.state.empty())
    return r;
  path_.got(o, now);
  r.finish = finish(finish_reason::stop, now);
  r.finish->state = o.state;
  return r;
}

// None goes out that the tenant's budget does not have.
std::optional<token_event> session_state::advance(time_point now, size_t most) {
  auto piece = answer_.take([&] { return budget_.take_token(now); }, most);
  if (!piece)
    return std::nullopt;
  cache_.delivered(piece->tokens, piece->details);
  version_.delivered(static_cast<uint32_t>(piece->tokens.size()), now);
  if (form_)
    said_ += piece->text;
  return token_event{asked().request,           piece->index,
                     std::move(piece->tokens),  std::move(piece->text),
                     std::move(piece->details), cache_.use()};
}

std::optional<finish_event> session_state::finish(finish_reason reason,
                                                  time_point now, error why) {
  if (std::exchange(finished_, true))
    return std::nullopt;
  auto rest = answer_.finish();
  // Only what has ended by itself has all of its form.
  if (form_ && reason == finish_reason::stop)
    if (auto ok = form_.check(said_ + rest); !ok) {
      reason = finish_reason::error;
      why = ok.failure();
    }
  budget_.end(reason, now, answer_.delivered());
  trail_.finished(reason, why,
                  std::span{answer_.ready()}.first(answer_.delivered()), now);
  end_reason_ = reason;
  end_code_ = why.code;
  auto e = finish_event{};
  e.request = asked().request;
  e.reason = reason;
  e.code = why.code;
  e.message = std::move(why.message);
  e.prompt_tokens = static_cast<uint32_t>(spec().prompt.size());
  e.completion_tokens = answer_.delivered();
  e.cached_tokens = cached_;
  e.version = version_.version();
  e.cache = cache_.use();
  e.text = std::move(rest);
  return e;
}

} // namespace troupe
