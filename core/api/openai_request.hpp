#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/api/api_error.hpp"
#include "core/sampling/answer_form.hpp"
#include "core/sampling/params.hpp"
#include "core/text/chat_template.hpp"

namespace troupe::api {

/// What a body may ask for at most.
struct request_limits {
  size_t bytes = size_t{8} << 20;
  size_t depth = 128; ///< schemas are deeper than what else there is
  size_t values = size_t{1} << 20;
  size_t messages = 4096;
  uint32_t choices = 128; ///< answers of one request, over all its prompts
  size_t stops = 16;
  size_t stop_bytes = 256;
  size_t biases = 1024;
  size_t inputs = 2048; ///< texts to embed
};

/// Text, or the tokens that it was before.
using prompt = std::variant<std::string, std::vector<token_id>>;

/// What completions and chats have in common.
struct common_request {
  std::string model; ///< empty: whichever is served
  std::string user;  ///< whose request it is, if the client says so
  /// Its seed is `seed`, or 0.
  sampling_params sampling;
  std::optional<uint64_t> seed;
  uint32_t n = 1; ///< answers to each prompt
  /// 0: until the context is full.
  uint32_t max_tokens = 0;
  std::vector<std::string> stop;
  bool stream = false;
  bool include_usage = false; ///< of a stream
  bool ignore_end = false;
  /// Whether others' answers to the same request will do, where answers are
  /// kept; by default only if there is one that it can have.
  std::optional<bool> cache;
  answer_form form; ///< response_format
};

/// POST /v1/completions
struct completion_request : common_request {
  std::vector<prompt> prompts; ///< at least one
  /// Read control tokens where a prompt spells them.
  bool parse_special = false;
};

/// POST /v1/chat/completions
struct chat_request : common_request {
  std::vector<chat_message> messages; ///< at least one
};

/// POST /v1/embeddings
struct embedding_request {
  std::string model;          ///< empty: whichever is served
  std::string user;           ///< whose request it is, if the client says so
  std::vector<prompt> inputs; ///< at least one
  uint32_t dimensions = 0;    ///< 0: as many as the model has
  bool base64 = false;        ///< how vectors are written
};

/// POST /tokenize
struct tokenize_request {
  std::string model;
  std::string prompt;
  std::vector<chat_message> messages; ///< in place of `prompt`
  bool add_special = true;
  bool parse_special = false;
};

/// POST /detokenize
struct detokenize_request {
  std::string model;
  std::vector<token_id> tokens;
};

// Each reads a body into `to`, or says what is wrong with it: status 400, and
// `param` names the field; nothing if all is well. Fields that are null count
// as left out. Unknown ones are ignored, those that would change the answer but
// are not implemented here are refused. `to` is of no use after an error.

std::optional<api_error> read_request(std::string_view body,
                                      const request_limits& limits,
                                      completion_request& to);
std::optional<api_error> read_request(std::string_view body,
                                      const request_limits& limits,
                                      chat_request& to);
std::optional<api_error> read_request(std::string_view body,
                                      const request_limits& limits,
                                      embedding_request& to);
std::optional<api_error> read_request(std::string_view body,
                                      const request_limits& limits,
                                      tokenize_request& to);
std::optional<api_error> read_request(std::string_view body,
                                      const request_limits& limits,
                                      detokenize_request& to);

} // namespace troupe::api
