#include <algorithm>

#include "actors/session.hpp"
#include "core/kv/layout.hpp"
#include "core/serving/route.hpp"

namespace troupe {

namespace {

// Whether another node, or the same one later, may succeed where one failed.
bool may_pass(errc code) {
  switch (code) {
  case errc::none:
  case errc::invalid_argument:
  case errc::io_error:
  case errc::bad_file:
  case errc::unsupported:
  case errc::context_exceeded:
    return false;
  case errc::no_free_blocks:
  case errc::unknown_sequence:
  case errc::abandoned:
  case errc::cancelled:
  case errc::no_node:
  case errc::stale_epoch:
  case errc::digest_mismatch:
  case errc::layout_mismatch:
  case errc::timeout:
  case errc::overloaded:
    return true;
  }
  return false;
}

} // namespace

void session_state::init(generate_request request, sequence_spec spec,
                         std::shared_ptr<const tokenizer> text,
                         session_options opts, time_point now) {
  request_ = std::move(request);
  spec_ = std::move(spec);
  opts_ = std::move(opts);
  text_ = std::move(text);
  version_.begin(now);
  if (request_.version != 0)
    version_.fixed(request_.version);
  else if (!opts_.versions)
    version_.fixed(1);
  if (text_ && !spec_.embed) {
    // The answer goes on after the prompt: its first space is its own.
    decoder_.emplace(text_, true);
    stops_.emplace(request_.stop);
  }
}

// -- limits -------------------------------------------------------------------

std::optional<finish_event> session_state::reserve(time_point now) {
  if (!opts_.limits || request_.unlimited)
    return std::nullopt;
  auto who = tenant{request_.organisation, request_.key, request_.model};
  auto prompt = static_cast<uint32_t>(spec_.prompt.size());
  // What is left open is not held against the tenant before it is there.
  auto answer = spec_.embed                ? 0
                : request_.max_tokens == 0 ? 1
                                           : spec_.max_tokens;
  auto refused =
      budget_.reserve(opts_.limits, std::move(who), now, prompt, answer);
  if (!refused)
    return std::nullopt;
  auto e = finish(finish_reason::error, now, std::move(refused->why));
  if (e)
    e->retry_after_ns = refused->retry_after.count();
  return e;
}

// -- version ------------------------------------------------------------------

std::optional<route_version> session_state::wanted_version() const {
  if (version_.version() != 0)
    return std::nullopt;
  return version_choice::question(request_);
}

void session_state::on(const routed_version& v) {
  version_.chosen(v);
}

// -- placement ----------------------------------------------------------------

std::optional<sequence_spec> session_state::next_placement() {
  if (placements_ >= opts_.max_placements)
    return std::nullopt;
  ++placements_;
  spec_.epoch = troupe::next_placement(spec_.epoch);
  spec_.emitted = stream_.ready();
  decoding_ = false;
  held_since_ = spec_.epoch;
  return spec_;
}

place_request session_state::wish() const {
  auto done = static_cast<uint32_t>(spec_.emitted.size());
  auto left = spec_.max_tokens > done ? spec_.max_tokens - done : 1;
  return {request_.request,
          avoid_,
          {static_cast<uint32_t>(spec_.prompt.size()) + done, left},
          version_.version(),
          opts_.prefix_cache && !spec_.embed
              ? prefix_chain(spec_.cache_salt, spec_.prompt, kv_block_tokens)
              : std::vector<uint64_t>{},
          spec_.embed};
}

std::chrono::milliseconds session_state::backoff() const {
  return opts_.backoff * (int64_t{1} << std::min(placements_, 10u)) / 2;
}

bool session_state::wait_for_node(time_point now) {
  if (!without_node_)
    without_node_ = now;
  // It was none.
  --placements_;
  return now - *without_node_ < opts_.node_patience;
}

bool session_state::moved(const sequence_moved& m) {
  if (!where_ || m.seq != spec_.seq || !same_placement(m.epoch, spec_.epoch))
    return false;
  // News of several moves may overtake each other.
  if (m.epoch > held_since_) {
    held_since_ = m.epoch;
    holder_ = m.holder;
    holder_id_ = m.node;
  }
  return true;
}

bool session_state::lost(const caf::actor_addr& peer) {
  if (!where_)
    return false;
  if (holder_) {
    if (holder_ != peer)
      return false;
    avoid_.push_back(holder_id_);
    last_error_ = {errc::abandoned, "the node is gone"};
    return true;
  }
  if (where_->decode && where_->decode == peer) {
    avoid_.push_back(where_->decode_id);
    last_error_ = {errc::abandoned, "the decode node is gone"};
    return true;
  }
  if (where_->prefill == peer) {
    avoid_.push_back(where_->prefill_id);
    // Once the decode node generates it needs nobody else, unless the first
    // token died with the prefill node.
    if (where_->decode && decoding_ && !stream_.has_gap())
      return false;
    last_error_ = {errc::abandoned, where_->decode ? "the prefill node is gone"
                                                   : "the node is gone"};
    return true;
  }
  return false;
}

// -- tokens -------------------------------------------------------------------

session_state::reaction session_state::take(const sequence_output& o,
                                            time_point now) {
  auto r = reaction{};
  auto count = o.tokens.size();
  if (finished_ || o.seq != spec_.seq || o.index > spec_.max_tokens
      || count > spec_.max_tokens - o.index)
    return r;
  auto current = same_placement(o.epoch, spec_.epoch);
  if (o.reason == finish_reason::error
      || o.reason == finish_reason::cancelled) {
    // How an older life ended is of no interest.
    if (!current || !where_)
      return r;
    last_error_ = o.code == errc::none
                      ? error{errc::abandoned, "a node gave the request up"}
                      : error{o.code, o.message};
    r.place_again = may_pass(last_error_.code);
    if (r.place_again)
      avoid_.insert(avoid_.end(), {where_->prefill_id,
                                   holder_ ? holder_id_ : where_->decode_id});
    else
      r.finish = finish(finish_reason::error, now, last_error_);
    return r;
  }
  if (spec_.embed)
    return take_state(o, now);
  if (o.index == 0)
    cached_ = o.cached_tokens;
  // A token is a function of its position, so those of older epochs count.
  if (current && o.index > spec_.emitted.size())
    decoding_ = true;
  if (spec_.sampling.want_logprob && o.details.size() == count)
    for (size_t i = 0; i < count; ++i)
      if (o.index + i >= delivered_)
        details_.emplace(o.index + static_cast<uint32_t>(i), o.details[i]);
  stream_.accept(o.index, o.tokens);
  if (o.reason != finish_reason::none)
    end_.emplace(o.index + static_cast<uint32_t>(count), o.reason);
  r.tokens = advance(now);
  if (stops_ && stops_->stopped())
    r.finish = finish(finish_reason::stop, now);
  else if (end_ && delivered_ >= end_->first)
    r.finish = finish(end_->second, now);
  else if (delivered_ >= spec_.max_tokens || budget_.exhausted())
    r.finish = finish(finish_reason::length, now);
  return r;
}

// It is a function of the tokens, so that of an older epoch is as good.
session_state::reaction session_state::take_state(const sequence_output& o,
                                                  time_point now) {
  auto r = reaction{};
  if (o.reason != finish_reason::stop || o.state.empty())
    return r;
  r.finish = finish(finish_reason::stop, now);
  r.finish->state = o.state;
  return r;
}

// Delivers what is in order, up to the token that completes a stop string:
// how tokens were grouped into messages must not show. None goes out that the
// tenant's budget does not have.
std::optional<token_event> session_state::advance(time_point now) {
  auto& ready = stream_.ready();
  if (delivered_ >= ready.size())
    return std::nullopt;
  auto e = token_event{};
  e.request = request_.request;
  e.index = delivered_;
  while (delivered_ < ready.size() && !(stops_ && stops_->stopped())
         && budget_.take_token(now)) {
    auto token = ready[delivered_];
    e.tokens.push_back(token);
    if (spec_.sampling.want_logprob) {
      auto i = details_.find(delivered_);
      e.details.push_back(i != details_.end() ? std::move(i->second)
                                              : sampled{token, 0.f, {}});
      details_.erase(delivered_);
    }
    if (decoder_)
      e.text += stops_->push(decoder_->push(token));
    ++delivered_;
  }
  if (e.tokens.empty())
    return std::nullopt;
  version_.delivered(static_cast<uint32_t>(e.tokens.size()), now);
  return e;
}

std::optional<finish_event> session_state::finish(finish_reason reason,
                                                  time_point now, error why) {
  if (std::exchange(finished_, true))
    return std::nullopt;
  budget_.end(reason, now, delivered_);
  end_reason_ = reason;
  end_code_ = why.code;
  auto e = finish_event{};
  e.request = request_.request;
  e.reason = reason;
  e.code = why.code;
  e.message = std::move(why.message);
  e.prompt_tokens = static_cast<uint32_t>(spec_.prompt.size());
  e.completion_tokens = delivered_;
  e.cached_tokens = cached_;
  e.version = version_.version();
  if (decoder_ && !stops_->stopped()) {
    e.text = stops_->push(decoder_->finish());
    if (!stops_->stopped())
      e.text += stops_->finish();
  }
  return e;
}

} // namespace troupe
