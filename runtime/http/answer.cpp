#include "runtime/http/answer.hpp"

#include <boost/asio/post.hpp>

#include "core/api/sse.hpp"
#include "runtime/http/limits.hpp"

namespace troupe::http {

namespace {

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

api::answer_head head_of(server_state& server, const answer_plan& p) {
  auto chat = p.kind == api::answer_kind::chat;
  return {p.kind, (chat ? "chatcmpl-" : "cmpl-") + server.random_name(),
          unix_seconds(), server.card.id};
}

} // namespace

// -- inbox -------------------------------------------------------------------

void inbox::push(uint32_t choice, generation::event e) {
  auto guard = std::lock_guard{mutex_};
  if (!io_)
    return;
  items_.push_back({choice, std::move(e)});
  if (!std::exchange(woken_, true))
    boost::asio::post(*io_, [owner = owner_] {
      if (auto a = owner.lock())
        a->drain();
    });
}

void inbox::take(std::vector<item>& to) {
  to.clear();
  auto guard = std::lock_guard{mutex_};
  woken_ = false;
  std::swap(items_, to);
}

void inbox::close() {
  auto guard = std::lock_guard{mutex_};
  io_ = nullptr;
  items_.clear();
}

// -- answer ------------------------------------------------------------------

void answer::start(server_state& server, const std::shared_ptr<connection>& to,
                   const request& r, answer_plan p) {
  auto most = server.options.max_requests;
  if (p.choices.size() > most - std::min(server.answers, most))
    return to->respond(
        to_response({429,
                     "too many requests are under way; try again later",
                     {},
                     "overloaded"}));
  auto a = std::make_shared<answer>(server, to, r, p);
  a->inbox_ = std::make_shared<inbox>(server.io, a);
  to->work(a);
  auto i = uint32_t{0};
  for (auto& c : p.choices) {
    a->requests_.push_back(server.rt.submit(
        std::move(c), [box = a->inbox_, i](generation::event e) {
          box->push(i, std::move(e));
        }));
    ++i;
  }
}

answer::answer(server_state& server, const std::shared_ptr<connection>& to,
               const request& r, const answer_plan& p)
    : server_(server), to_(to), head_(head_of(server, p)),
      writer_(head_, p.include_usage), who_(p.who), param_(p.param),
      started_(r.started), per_prompt_(p.per_prompt), streams_(p.stream),
      include_usage_(p.include_usage),
      wants_logprobs_(p.choices.front().sampling.want_logprob),
      left_(p.choices.size()), held_(p.choices.size()) {
  requests_.reserve(left_);
  for (size_t i = 0; i < left_; ++i)
    choices_.push_back(
        {{}, {}, api::logprob_writer{p.kind, server.rt.text()}, false});
  server_.answers += static_cast<uint32_t>(held_);
}

answer::~answer() {
  inbox_->close();
  server_.counts.cancelled.add(left_);
  server_.answers -= static_cast<uint32_t>(held_);
}

void answer::drain() {
  auto to = to_.lock();
  if (!to || to->closed() || left_ == 0)
    return;
  inbox_->take(items_);
  events_.clear();
  for (auto& [i, event] : items_) {
    if (auto* t = std::get_if<token_event>(&event))
      on_tokens(i, *t);
    else
      on_finish(i, std::get<finish_event>(event));
    if (failure_)
      return fail(*to, failure_);
  }
  if (left_ == 0)
    return finish(*to);
  if (events_.empty())
    return;
  if (!std::exchange(streaming_, true)) {
    add_headers(*to);
    to->begin_stream();
  }
  to->stream(events_, false);
}

void answer::on_tokens(uint32_t i, const token_event& e) {
  auto& c = choices_[i];
  note(e.cache);
  if (!std::exchange(has_token_, true))
    server_.counts.time_to_first_token.record(now() - started_);
  server_.counts.generated_tokens.add(e.tokens.size());
  if (c.tokens == 0)
    c.first = now();
  c.tokens += static_cast<uint32_t>(e.tokens.size());
  if (!streams_) {
    c.whole.text += e.text;
    if (wants_logprobs_)
      c.details.insert(c.details.end(), e.details.begin(), e.details.end());
    return;
  }
  if (!std::exchange(c.begun, true))
    writer_.begin(events_, i);
  if (wants_logprobs_)
    writer_.text(events_, i, e.text, c.logprobs.write(e.details));
  else if (!e.text.empty())
    writer_.text(events_, i, e.text, {});
}

void answer::on_finish(uint32_t i, const finish_event& e) {
  if (e.reason == finish_reason::error || e.reason == finish_reason::cancelled
      || e.reason == finish_reason::none) {
    failure_ = e.reason == finish_reason::error && e.code != errc::none
                   ? error{e.code, e.message}
                   : error{errc::abandoned, "the request was given up"};
    retry_after_ = duration{e.retry_after_ns};
    return;
  }
  auto& c = choices_[i];
  note(e.cache);
  auto reason = e.reason == finish_reason::stop ? std::string_view{"stop"}
                                                : std::string_view{"length"};
  --left_;
  if (c.tokens > 1)
    server_.counts.time_per_token.record((now() - c.first) / (c.tokens - 1));
  usage_.completion += e.completion_tokens;
  if (i % per_prompt_ == 0) {
    usage_.prompt += e.prompt_tokens;
    usage_.cached += e.cached_tokens;
  }
  if (!streams_) {
    c.whole.text += e.text;
    c.whole.finish_reason = reason;
    if (wants_logprobs_)
      c.whole.logprobs = c.logprobs.write(c.details);
    return;
  }
  if (!std::exchange(c.begun, true))
    writer_.begin(events_, i);
  if (!e.text.empty())
    writer_.text(events_, i, e.text, {});
  writer_.finish(events_, i, reason);
}

void answer::expire(connection& to) {
  events_.clear(); // they are out
  if (left_ > 0)
    fail(to, {errc::timeout, "the answer was not complete in time"});
}

// The other choices end with it.
void answer::fail(connection& to, const error& why) {
  auto e = api::api_error_of(why, param_);
  inbox_->close();
  requests_.clear();
  left_ = 0;
  if (!streaming_) {
    add_headers(to);
    to.retry_after(retry_after_);
    return to.respond(to_response(e));
  }
  api::append_event(events_, api::to_json(e));
  to.stream(events_, true);
}

// As things are when the head goes out.
void answer::add_headers(connection& to) {
  to.add_headers(limit_headers(server_.rt.limits(who_)));
  if (cache_ == cache_use::hit)
    to.add_headers("x-troupe-cache: hit\r\n");
  else if (cache_ == cache_use::semantic)
    to.add_headers("x-troupe-cache: semantic\r\n");
  else if (cache_ == cache_use::miss)
    to.add_headers("x-troupe-cache: miss\r\n");
}

// Computed for this request alone counts more than computed for others as well,
// that more than computed for one in other words, and that more than not
// computed.
void answer::note(cache_use u) {
  cache_ = cache_ ? std::min(*cache_, u) : u;
}

void answer::finish(connection& to) {
  inbox_->close();
  server_.counts.prompt_tokens.add(usage_.prompt);
  server_.counts.cached_tokens.add(usage_.cached);
  server_.counts.answer_time.record(now() - started_);
  if (streams_) {
    if (include_usage_)
      writer_.usage(events_, usage_);
    api::append_done(events_);
    if (!std::exchange(streaming_, true)) {
      add_headers(to);
      to.begin_stream();
    }
    return to.stream(events_, true);
  }
  auto choices = std::vector<api::answer_choice>{};
  for (auto& c : choices_)
    choices.push_back(std::move(c.whole));
  add_headers(to);
  to.respond({200, api::whole_answer(head_, choices, usage_)});
}

} // namespace troupe::http
