#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/sampling/fused_sampler.hpp"
#include "core/text/tokenizer.hpp"

namespace troupe::api {

enum class answer_kind : uint8_t { completion, chat };

/// What every part of one answer repeats.
struct answer_head {
  answer_kind kind = answer_kind::chat;
  std::string id;
  int64_t created = 0; ///< Unix time in seconds
  std::string model;
};

struct token_usage {
  uint32_t prompt = 0;
  uint32_t completion = 0;
  uint32_t cached = 0; ///< of the prompt
};

/// One of an answer's choices, whole.
struct answer_choice {
  std::string text;
  std::string_view finish_reason;
  std::string logprobs; ///< as JSON; empty: none were asked for
};

/// The answer to a request that does not stream, as JSON.
std::string whole_answer(const answer_head& head,
                         std::span<const answer_choice> choices,
                         const token_usage& usage);

/// An answer in server-sent events, which are appended to `out`.
class stream_writer {
public:
  /// `usage_follows`: `usage` will be called.
  stream_writer(const answer_head& head, bool usage_follows);

  /// Says who speaks; once for each choice of a chat, for completions nothing.
  void begin(std::string& out, uint32_t choice) const;
  /// `logprobs` as JSON; empty: none were asked for.
  void text(std::string& out, uint32_t choice, std::string_view text,
            std::string_view logprobs) const;
  void finish(std::string& out, uint32_t choice, std::string_view reason) const;
  void usage(std::string& out, const token_usage& usage) const;

private:
  void open(std::string& out, uint32_t choice) const;
  void close(std::string& out, std::string_view logprobs,
             std::string_view reason) const;

  answer_kind kind_;
  std::string head_; ///< of each event, up to its choices
  std::string tail_; ///< from the end of its choices on
};

/// Log-probabilities as JSON. They come in pieces where an answer streams, each
/// a whole object.
class logprob_writer {
public:
  logprob_writer(answer_kind kind, const tokenizer& text)
      : kind_(kind), text_(text) {}

  std::string write(std::span<const sampled> tokens);

private:
  std::string write_chat(std::span<const sampled> tokens) const;
  std::string write_completion(std::span<const sampled> tokens);

  answer_kind kind_;
  const tokenizer& text_;
  size_t offset_ = 0; ///< characters of the tokens so far
};

/// {"count":…, "max_model_len":…, "tokens":[…]}
std::string tokenized(std::span<const token_id> tokens, uint32_t context);

/// {"prompt":…}
std::string detokenized(std::string_view text);

struct model_card {
  std::string id;
  int64_t created = 0;
  uint32_t context = 0;
};

std::string to_json(const model_card& card);
/// {"object":"list", "data":[CARD]}
std::string model_list(const model_card& card);

} // namespace troupe::api
