#pragma once

#include <variant>
#include <vector>

#include "core/api/openai_answer.hpp"
#include "runtime/http/message.hpp"
#include "runtime/http/state.hpp"

namespace troupe::http {

/// What is to be generated for one request.
struct answer_plan {
  api::answer_kind kind = api::answer_kind::chat;
  std::vector<generate_request> choices; ///< those of a prompt side by side
  uint32_t per_prompt = 1;
  bool stream = false;
  bool include_usage = false;
  tenant who;             ///< of all of them
  std::string_view param; ///< that is to blame for what nodes refuse; a literal
};

/// What is to be embedded for one request.
struct embed_plan {
  embed_request request;
  bool base64 = false;
  tenant who;
};

using plan = std::variant<answer_plan, embed_plan, response>;

// Each reads a body, and says what follows from it. They run on any thread, and
// take as long as it takes to make tokens of it.

plan plan_completion(server_state& server, const std::string& body);
plan plan_chat(server_state& server, const std::string& body);
plan plan_embeddings(server_state& server, const std::string& body);
plan plan_tokenize(server_state& server, const std::string& body);
plan plan_detokenize(server_state& server, const std::string& body);

} // namespace troupe::http
