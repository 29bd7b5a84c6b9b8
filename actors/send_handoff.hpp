#pragma once

#include <caf/send.hpp>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <utility>
#include <variant>
#include <vector>

#include "actors/protocol/interfaces.hpp"

namespace troupe {

/// An output of a sequence, empty yet.
inline sequence_output output_of(const sequence_spec& spec, uint32_t index) {
  auto o = sequence_output{};
  o.request = spec.request;
  o.seq = spec.seq;
  o.epoch = spec.epoch;
  o.index = index;
  return o;
}

/// What ends a sequence that this node cannot run.
inline sequence_output failed_output(const sequence_spec& spec,
                                     const error& e) {
  auto o = output_of(spec, static_cast<uint32_t>(spec.emitted.size()));
  o.reason = finish_reason::error;
  o.code = e.code;
  o.message = e.message;
  return o;
}

/// What ends a sequence that was to be embedded.
inline sequence_output embedded_output(const sequence_spec& spec,
                                       std::vector<float> state,
                                       int64_t queue_ns) {
  auto o = output_of(spec, 0);
  o.queue_ns = queue_ns;
  o.reason = finish_reason::stop;
  o.state = std::move(state);
  return o;
}

/// Appends a sampled token to an output unless it is an end token, and sets
/// the reason if the answer ends here. `index` is the token's position.
inline void append_token(sequence_output& o, const sequence_spec& spec,
                         const sampled& token, uint32_t index) {
  for (auto end : spec.end_tokens)
    if (token.id == end) {
      o.reason = finish_reason::stop;
      return;
    }
  o.tokens.push_back(token.id);
  if (spec.sampling.want_logprob)
    o.details.push_back(token);
  if (index + 1 >= spec.max_tokens)
    o.reason = finish_reason::length;
}

using routed_outputs = std::vector<std::pair<stream_actor, sequence_output>>;

/// Appends `more` to `o` if it is what follows in the same life of a sequence.
inline bool join_output(sequence_output& o, sequence_output& more) {
  auto next = o.index + static_cast<uint32_t>(o.tokens.size());
  if (o.seq != more.seq || o.epoch != more.epoch || more.index != next
      || o.reason != finish_reason::none || more.code != errc::none
      || o.preempted != put_away::no || more.preempted != put_away::no
      || more.queue_ns != 0 || more.cached_tokens != 0 || !more.state.empty())
    return false;
  o.tokens.insert(o.tokens.end(), more.tokens.begin(), more.tokens.end());
  std::move(more.details.begin(), more.details.end(),
            std::back_inserter(o.details));
  o.reason = more.reason;
  return true;
}

/// Joins those from `kept` on with those of their sequences before, the last
/// each.
inline void join_outputs(routed_outputs& outputs, size_t kept) {
  auto all = kept;
  for (auto i = kept; i < outputs.size(); ++i) {
    auto& [stream, o] = outputs[i];
    auto seq = o.seq;
    auto before = std::find_if(outputs.rend() - static_cast<ptrdiff_t>(all),
                               outputs.rend(),
                               [seq](auto& x) { return x.second.seq == seq; });
    if (before != outputs.rend() && before->first == stream
        && join_output(before->second, o))
      continue;
    if (all != i)
      outputs[all] = std::move(outputs[i]);
    ++all;
  }
  outputs.erase(outputs.begin() + static_cast<ptrdiff_t>(all), outputs.end());
}

/// Sends all outputs of a step, one message a destination.
template <class Self>
void flush_outputs(Self* self, routed_outputs outputs) {
  if (outputs.size() == 1) {
    auto& [stream, o] = outputs.front();
    auto step = step_output{};
    step.sequences.push_back(std::move(o));
    return self->send(stream, std::move(step));
  }
  auto by_stream = std::map<stream_actor, step_output>{};
  for (auto& [stream, o] : outputs)
    by_stream[stream].sequences.push_back(std::move(o));
  for (auto& [stream, step] : by_stream)
    self->send(stream, std::move(step));
}

/// Sends what a kv_sender wants sent; an offer goes with the sequence's
/// specification and handles.
template <class Self>
void send_to_destination(Self* self, const kv_destination_actor& to,
                         kv_message& m,
                         const std::map<seq_id, sequence_spec>& specs,
                         const std::map<seq_id, stream_actor>& streams) {
  if (auto* offer = std::get_if<kv_offer>(&m)) {
    auto x = handoff_offer{};
    x.spec = specs.at(offer->seq);
    x.stream = streams.at(offer->seq);
    x.source = caf::actor_cast<kv_source_actor>(self);
    x.offer = std::move(*offer);
    self->send(to, std::move(x));
  } else if (auto* chunk = std::get_if<kv_chunk>(&m)) {
    self->send(to, std::move(*chunk));
  } else if (auto* commit = std::get_if<kv_commit>(&m)) {
    self->send(to, std::move(*commit));
  } else if (auto* abort = std::get_if<kv_abort>(&m)) {
    self->send(to, std::move(*abort));
  }
}

/// Sends what a kv_receiver wants sent.
template <class Self>
void send_to_source(Self* self, const kv_source_actor& to, kv_message& m) {
  if (auto* grant = std::get_if<kv_grant>(&m))
    self->send(to, std::move(*grant));
  else if (auto* credit = std::get_if<kv_credit>(&m))
    self->send(to, std::move(*credit));
  else if (auto* accepted = std::get_if<kv_accepted>(&m))
    self->send(to, std::move(*accepted));
  else if (auto* abort = std::get_if<kv_abort>(&m))
    self->send(to, std::move(*abort));
}

/// A node's notes to itself: at most one step and one deadline under way.
/// Ticks are numbered, so that one from elsewhere starts no second chain.
class node_timers {
public:
  /// Whether this is the tick that was armed last.
  bool due(const step_tick& t) { return take(step_, t.number); }
  bool due(const deadline_tick& t) { return take(deadline_, t.number); }

  template <class Self>
  void arm_step(Self* self, bool wanted) {
    if (wanted && step_ == 0)
      self->send(self, step_tick{step_ = ++last_});
  }
  template <class Self>
  void arm_deadline(Self* self, bool wanted) {
    if (wanted && deadline_ == 0)
      self->delayed_send(self, std::chrono::milliseconds{250},
                         deadline_tick{deadline_ = ++last_});
  }

private:
  static bool take(uint64_t& armed, uint64_t number) {
    if (number == 0 || number != armed)
      return false;
    armed = 0;
    return true;
  }

  uint64_t last_ = 0;
  uint64_t step_ = 0;     ///< number of the tick under way, or 0
  uint64_t deadline_ = 0; ///< the same
};

} // namespace troupe
