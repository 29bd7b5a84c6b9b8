#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/ids.hpp"
#include "core/sampling/answer_form.hpp"
#include "core/sampling/fused_sampler.hpp"
#include "core/sampling/params.hpp"
#include "core/serving/finish_reason.hpp"

namespace troupe {

// Requests, and the tokens that become of them.

/// Bytes of a request's cache salt at most.
inline constexpr size_t max_salt_bytes = 256;

/// Bytes of the name of an organisation, a key or a model at most.
inline constexpr size_t max_name_bytes = 256;

/// Whether an answer that others have got will do.
enum class cache_wish : uint8_t {
  usual,  ///< if it is the only one that there is: at temperature 0
  always, ///< also one that it could have been
  never,
};

/// Where an answer comes from.
enum class cache_use : uint8_t {
  none,     ///< computed; the cache was not asked
  miss,     ///< computed, and kept for others
  semantic, ///< that of a request in other words
  hit,
};

/// What a client asks for.
struct generate_request {
  /// 0: the gateway picks one.
  request_id request = 0;
  std::vector<token_id> prompt;
  sampling_params sampling;
  /// Tokens to generate at most; 0: as many as the context holds.
  uint32_t max_tokens = 0;
  /// Generation ends before any of these would appear in the text.
  std::vector<std::string> stop;
  /// Go on past end tokens (for tests and benchmarks).
  bool ignore_end = false;
  /// Classes for the preempt scheduler: 0 is the most urgent.
  uint8_t priority = 1;
  /// Prompts share KV with those of the same salt alone: hosts that serve
  /// several tenants give each its own, so that none learns from response
  /// times what others have asked.
  std::string cache_salt;
  /// Whose limits the request counts against: names that the host, or whoever
  /// has checked the client's key, vouches for.
  std::string organisation;
  std::string key;
  /// As the client calls it; for limits alone.
  std::string model;
  /// Requests of one session stay on one version of the model; empty: of none.
  std::string session;
  /// That it has to run on; 0: what the session gets. Such requests are no part
  /// of a comparison.
  version_id version = 0;
  /// Counts against nobody's limits: the operator's own.
  bool unlimited = false;
  /// Where there is a response cache.
  cache_wish cache = cache_wish::usual;
  /// What the request says, if the answer to another that says it in other
  /// words will do; empty: none will. And all else that the answer depends on:
  /// the turns before, say.
  std::string cache_text;
  std::string cache_scope;
  /// In place of an answer: the mean of the states of the prompt's tokens
  /// (finish_event::state). The prompt may fill the context.
  bool embed = false;
  /// The trace that it belongs to, and the span there that it comes from, as
  /// W3C's traceparent has them; 0: it begins one.
  uint64_t trace_high = 0;
  uint64_t trace_low = 0;
  uint64_t trace_parent = 0;
  answer_form form;
  auto fields() {
    return std::tie(request, prompt, sampling, max_tokens, stop, ignore_end,
                    priority, cache_salt, organisation, key, model, session,
                    version, unlimited, cache, cache_text, cache_scope, embed,
                    trace_high, trace_low, trace_parent, form);
  }
};

/// What a client asks for who wants vectors of texts.
struct embed_request {
  /// 0: the gateway picks one.
  request_id request = 0;
  /// At least one, and none of them empty.
  std::vector<std::vector<token_id>> inputs;
  /// Values of each vector: so many of the first ones; 0: as many as the model
  /// has.
  uint32_t dimensions = 0;
  // As of a generate_request. It counts as one request, with all its tokens.
  uint8_t priority = 1;
  std::string organisation;
  std::string key;
  std::string model;
  std::string session;
  version_id version = 0; ///< of all inputs
  bool unlimited = false;

  static constexpr size_t max_inputs = 2048;
  /// Tokens of all inputs at most.
  static constexpr size_t max_tokens = 300'000;

  size_t tokens() const {
    auto n = size_t{0};
    for (auto& input : inputs)
      n += input.size();
    return n;
  }
  auto fields() {
    return std::tie(request, inputs, dimensions, priority, organisation, key,
                    model, session, version, unlimited);
  }
};

/// The vector of one input. They come in any order, each once, before the
/// finish_event, whose reason is `stop` if all have come.
struct embedding_event {
  request_id request = 0;
  uint32_t index = 0; ///< of the input
  /// [dimensions]: of length 1.
  std::vector<float> vector;
  auto fields() { return std::tie(request, index, vector); }
};

/// Tokens as a client sees them.
struct token_event {
  request_id request = 0;
  /// Position of tokens[0] in the answer.
  uint32_t index = 0;
  std::vector<token_id> tokens;
  /// Whole UTF-8; may lag behind the tokens by an unfinished character or a
  /// possible stop string.
  std::string text;
  /// One a token if log-probabilities were asked for.
  std::vector<sampled> details;
  cache_use cache = cache_use::none;
  auto fields() {
    return std::tie(request, index, tokens, text, details, cache);
  }
};

/// The one end of every request.
struct finish_event {
  request_id request = 0;
  finish_reason reason = finish_reason::none;
  /// For finish_reason::error.
  errc code = errc::none;
  std::string message;
  /// Text held back until now.
  std::string text;
  uint32_t prompt_tokens = 0;
  uint32_t completion_tokens = 0;
  /// Tokens of the prompt whose KV an earlier request left behind.
  uint32_t cached_tokens = 0;
  /// With errc::overloaded: nanoseconds until it is worth another try; 0 if
  /// that is not known.
  int64_t retry_after_ns = 0;
  version_id version = 0; ///< of the model; 0: it came to none
  cache_use cache = cache_use::none;
  /// [n_embd]: what generate_request::embed asked for, with reason `stop`.
  std::vector<float> state = {};
  auto fields() {
    return std::tie(request, reason, code, message, text, prompt_tokens,
                    completion_tokens, cached_tokens, retry_after_ns, version,
                    cache, state);
  }
};

/// The gateway took the request; its events follow.
struct admitted {
  request_id request = 0;
  auto fields() { return std::tie(request); }
};

struct cancel_request {
  request_id request = 0;
  auto fields() { return std::tie(request); }
};

/// Everything a node needs to run one sequence, from nothing but tokens: the
/// sampler's state is a function of (seed, position, tokens).
struct sequence_spec {
  // Out of line: it is moved at many places, and each would have the code.
  sequence_spec() noexcept;
  sequence_spec(const sequence_spec&);
  sequence_spec(sequence_spec&&) noexcept;
  sequence_spec& operator=(const sequence_spec&);
  sequence_spec& operator=(sequence_spec&&) noexcept;
  ~sequence_spec();

  request_id request = 0;
  seq_id seq = 0;
  epoch_t epoch = 0;
  std::vector<token_id> prompt;
  /// Tokens that an earlier placement already generated.
  std::vector<token_id> emitted;
  sampling_params sampling;
  /// Over the whole answer, `emitted` included.
  uint32_t max_tokens = 0;
  std::vector<token_id> end_tokens;
  /// See generate_request.
  uint8_t priority = 1;
  std::string cache_salt;
  /// See generate_request; then max_tokens is 0.
  bool embed = false;
  answer_form form;

  /// Tokens that the sequence can ever hold KV for.
  uint32_t max_length() const {
    return static_cast<uint32_t>(prompt.size()) + max_tokens;
  }
  auto fields() {
    return std::tie(request, seq, epoch, prompt, emitted, sampling, max_tokens,
                    end_tokens, priority, cache_salt, embed, form);
  }
};

/// What has become of a sequence that was preempted.
enum class put_away : uint8_t {
  no,      ///< it was not
  swapped, ///< its KV went to the store
  dropped, ///< its KV will be computed again
};

/// New tokens of one sequence, from whichever node made them.
struct sequence_output {
  // Out of line, as those of a sequence_spec.
  sequence_output() noexcept;
  sequence_output(const sequence_output&);
  sequence_output(sequence_output&&) noexcept;
  sequence_output& operator=(const sequence_output&);
  sequence_output& operator=(sequence_output&&) noexcept;
  ~sequence_output();

  request_id request = 0;
  seq_id seq = 0;
  epoch_t epoch = 0;
  /// Position of tokens[0] in the answer: lets the receiver drop repeats.
  uint32_t index = 0;
  std::vector<token_id> tokens;
  std::vector<sampled> details;
  /// Other than none: nothing follows in this epoch.
  finish_reason reason = finish_reason::none;
  errc code = errc::none;
  std::string message;
  /// Beside the first token of an epoch: how many of the tokens before it were
  /// not computed, but found.
  uint32_t cached_tokens = 0;
  /// With the first token: how long the prompt waited at its node.
  int64_t queue_ns = 0;
  /// [n_embd]: what a sequence with `embed` is for, with reason `stop`.
  std::vector<float> state = {};
  /// Other than no: it was preempted just now, and that is all there is to say.
  put_away preempted = put_away::no;
  auto fields() {
    return std::tie(request, seq, epoch, index, tokens, details, reason, code,
                    message, cached_tokens, queue_ns, state, preempted);
  }
};

/// All that one step of a node has for one destination.
struct step_output {
  std::vector<sequence_output> sequences;
  auto fields() { return std::tie(sequences); }
};

/// Forget a sequence, whatever it is doing. Idempotent, no answer.
struct cancel_sequence {
  seq_id seq = 0;
  /// This life of it and all before.
  epoch_t epoch = 0;
  auto fields() { return std::tie(seq, epoch); }
};

/// A session's last word to its gateway.
struct session_done {
  request_id request = 0;
  auto fields() { return std::tie(request); }
};

} // namespace troupe
