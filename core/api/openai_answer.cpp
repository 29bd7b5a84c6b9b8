#include "core/api/openai_answer.hpp"

#include "core/api/json_text.hpp"

namespace troupe::api {

namespace {

std::string opening(const answer_head& head, bool streams) {
  auto out = std::string{R"({"id":)"};
  append_json_string(out, head.id);
  out += R"(,"object":")";
  if (head.kind == answer_kind::completion)
    out += "text_completion";
  else
    out += streams ? "chat.completion.chunk" : "chat.completion";
  out += R"(","created":)" + std::to_string(head.created) + R"(,"model":)";
  append_json_string(out, head.model);
  out += R"(,"choices":[)";
  return out;
}

void append_usage(std::string& out, const token_usage& u) {
  out += R"({"prompt_tokens":)" + std::to_string(u.prompt)
         + R"(,"completion_tokens":)" + std::to_string(u.completion)
         + R"(,"total_tokens":)"
         + std::to_string(uint64_t{u.prompt} + u.completion)
         + R"(,"prompt_tokens_details":{"cached_tokens":)"
         + std::to_string(u.cached) + "}}";
}

void append_or_null(std::string& out, std::string_view json) {
  out += json.empty() ? std::string_view{"null"} : json;
}

} // namespace

// -- whole -------------------------------------------------------------------

std::string whole_answer(const answer_head& head,
                         std::span<const answer_choice> choices,
                         const token_usage& usage) {
  auto out = opening(head, false);
  for (size_t i = 0; i < choices.size(); ++i) {
    auto& c = choices[i];
    out += i > 0 ? R"(,{"index":)" : R"({"index":)";
    out += std::to_string(i);
    if (head.kind == answer_kind::chat) {
      out += R"(,"message":{"role":"assistant","content":)";
      append_json_string(out, c.text);
      out += R"(,"refusal":null})";
    } else {
      out += R"(,"text":)";
      append_json_string(out, c.text);
    }
    out += R"(,"logprobs":)";
    append_or_null(out, c.logprobs);
    out += R"(,"finish_reason":)";
    append_json_string(out, c.finish_reason);
    out += '}';
  }
  out += R"(],"usage":)";
  append_usage(out, usage);
  out += '}';
  return out;
}

// -- streamed ----------------------------------------------------------------

stream_writer::stream_writer(const answer_head& head, bool usage_follows)
    : kind_(head.kind), head_("data: " + opening(head, true)),
      tail_(usage_follows ? "],\"usage\":null}\n\n" : "]}\n\n") {}

void stream_writer::open(std::string& out, uint32_t choice) const {
  out += head_;
  out += R"({"index":)";
  out += std::to_string(choice);
}

void stream_writer::close(std::string& out, std::string_view logprobs,
                          std::string_view reason) const {
  out += R"(,"logprobs":)";
  append_or_null(out, logprobs);
  out += R"(,"finish_reason":)";
  if (reason.empty())
    out += "null";
  else
    append_json_string(out, reason);
  out += '}';
  out += tail_;
}

void stream_writer::begin(std::string& out, uint32_t choice) const {
  if (kind_ != answer_kind::chat)
    return;
  open(out, choice);
  out += R"(,"delta":{"role":"assistant","content":""})";
  close(out, {}, {});
}

void stream_writer::text(std::string& out, uint32_t choice,
                         std::string_view text,
                         std::string_view logprobs) const {
  auto chat = kind_ == answer_kind::chat;
  open(out, choice);
  out += chat ? R"(,"delta":{"content":)" : R"(,"text":)";
  append_json_string(out, text);
  if (chat)
    out += '}';
  close(out, logprobs, {});
}

void stream_writer::finish(std::string& out, uint32_t choice,
                           std::string_view reason) const {
  open(out, choice);
  out += kind_ == answer_kind::chat ? R"(,"delta":{})" : R"(,"text":"")";
  close(out, {}, reason);
}

void stream_writer::usage(std::string& out, const token_usage& usage) const {
  out += head_;
  out += R"(],"usage":)";
  append_usage(out, usage);
  out += "}\n\n";
}

// -- text and models ---------------------------------------------------------

std::string tokenized(std::span<const token_id> tokens, uint32_t context) {
  auto out = R"({"count":)" + std::to_string(tokens.size())
             + R"(,"max_model_len":)" + std::to_string(context)
             + R"(,"tokens":[)";
  for (size_t i = 0; i < tokens.size(); ++i)
    out += (i > 0 ? "," : "") + std::to_string(tokens[i]);
  out += "]}";
  return out;
}

std::string detokenized(std::string_view text) {
  auto out = std::string{R"({"prompt":)"};
  append_json_string(out, text);
  out += '}';
  return out;
}

std::string to_json(const model_card& card) {
  auto out = std::string{R"({"id":)"};
  append_json_string(out, card.id);
  out += R"(,"object":"model","created":)" + std::to_string(card.created)
         + R"(,"owned_by":"troupe","max_model_len":)"
         + std::to_string(card.context) + '}';
  return out;
}

std::string model_list(const model_card& card) {
  return R"({"object":"list","data":[)" + to_json(card) + "]}";
}

} // namespace troupe::api
