#include <algorithm>

#include "actors/embedder.hpp"
#include "core/engine/mean_pool.hpp"

namespace troupe {

void embedder_state::init(embed_request request, request_id first,
                          session_options opts, time_point now) {
  request_ = std::move(request);
  first_ = first;
  opts_ = std::move(opts);
  inputs_.assign(request_.inputs.size(), phase::waiting);
  left_ = static_cast<uint32_t>(inputs_.size());
  version_.begin(now);
  if (request_.version != 0)
    version_.fixed(request_.version);
  else if (!opts_.versions)
    version_.fixed(1);
}

std::optional<finish_event> embedder_state::reserve(time_point now) {
  if (!opts_.limits || request_.unlimited)
    return std::nullopt;
  auto who = tenant{request_.organisation, request_.key, request_.model};
  auto tokens = static_cast<uint32_t>(request_.tokens());
  auto refused = budget_.reserve(opts_.limits, std::move(who), now, tokens, 0);
  if (!refused)
    return std::nullopt;
  auto e = finish(finish_reason::error, now, std::move(refused->why));
  if (e)
    e->retry_after_ns = refused->retry_after.count();
  return e;
}

std::optional<route_version> embedder_state::wanted_version() const {
  if (version_.version() != 0)
    return std::nullopt;
  auto r = generate_request{};
  r.request = request_.request;
  r.organisation = request_.organisation;
  r.session = request_.session;
  return version_choice::question(r);
}

// -- inputs -------------------------------------------------------------------

std::optional<generate_request> embedder_state::next() {
  if (finished_ || under_way_ >= most_)
    return std::nullopt;
  auto n = static_cast<uint32_t>(inputs_.size());
  auto i = first_waiting_;
  while (i < n && inputs_[i] != phase::waiting)
    ++i;
  first_waiting_ = i;
  if (i == n)
    return std::nullopt;
  inputs_[i] = phase::under_way;
  ++under_way_;
  budget_.placed();
  auto r = generate_request{};
  r.request = first_ + i;
  r.prompt = request_.inputs[i];
  r.embed = true;
  r.priority = request_.priority;
  r.version = version_.version();
  // All of them have been counted.
  r.unlimited = true;
  return r;
}

std::optional<uint32_t> embedder_state::index_of(request_id input) const {
  if (input < first_ || input - first_ >= inputs_.size())
    return std::nullopt;
  auto i = static_cast<uint32_t>(input - first_);
  if (finished_ || inputs_[i] != phase::under_way)
    return std::nullopt;
  return i;
}

embedder_state::reaction embedder_state::take(const finish_event& e,
                                              time_point now) {
  auto r = reaction{};
  auto i = index_of(e.request);
  if (!i)
    return r;
  if (e.reason != finish_reason::stop) {
    auto why = e.code != errc::none
                   ? error{e.code, e.message}
                   : error{errc::abandoned, "an input was given up"};
    r.finish = finish(finish_reason::error, now, std::move(why));
    return r;
  }
  auto vector = unit_vector(e.state, request_.dimensions);
  if (!vector) {
    r.finish = finish(finish_reason::error, now, vector.failure());
    return r;
  }
  inputs_[*i] = phase::done;
  --under_way_;
  r.embedding = embedding_event{request_.request, *i, std::move(*vector)};
  if (--left_ == 0)
    r.finish = finish(finish_reason::stop, now);
  return r;
}

std::optional<finish_event>
embedder_state::refused(request_id input, const error& why, time_point now) {
  auto i = index_of(input);
  if (!i)
    return std::nullopt;
  inputs_[*i] = phase::waiting;
  first_waiting_ = std::min(first_waiting_, *i);
  --under_way_;
  if (why.code != errc::overloaded || under_way_ == 0)
    return finish(finish_reason::error, now, why);
  most_ = under_way_;
  return std::nullopt;
}

std::optional<finish_event> embedder_state::finish(finish_reason reason,
                                                   time_point now, error why) {
  if (std::exchange(finished_, true))
    return std::nullopt;
  budget_.end(reason, now, 0);
  end_reason_ = reason;
  end_code_ = why.code;
  auto e = finish_event{};
  e.request = request_.request;
  e.reason = reason;
  e.code = why.code;
  e.message = std::move(why.message);
  e.prompt_tokens = static_cast<uint32_t>(request_.tokens());
  e.version = version_.version();
  return e;
}

} // namespace troupe
