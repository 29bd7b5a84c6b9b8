#include "runtime/http/plan.hpp"

#include <chrono>
#include <span>

#include "core/api/openai_request.hpp"
#include "core/text/chat_template.hpp"

namespace troupe::http {

namespace {

using api::api_error;
using api::api_error_of;

api::request_limits limits_of(const server_state& server) {
  auto l = api::request_limits{};
  l.bytes = server.options.max_body_bytes;
  return l;
}

std::optional<api_error> check_model(const server_state& server,
                                     const std::string& name) {
  if (name.empty() || name == server.card.id)
    return {};
  return api_error{404, "no model '" + name.substr(0, 100) + "' is served here",
                   "model", "model_not_found"};
}

error too_long(const server_state& server, const std::string& how_long) {
  return {errc::context_exceeded,
          "the prompt has " + how_long + " tokens; the context holds "
              + std::to_string(server.card.context) + ", the answer included"};
}

// No tokenizer makes fewer tokens of a text than this, so that large ones need
// not be tried. Those that drop blanks may, of what is small.
bool is_surely_too_long(const server_state& server, size_t bytes) {
  return bytes > (size_t{1} << 20)
         && bytes / std::max<size_t>(server.longest_token, 1)
                > server.card.context;
}

result<std::vector<token_id>> encode(const server_state& server,
                                     const std::string& text,
                                     encode_options how) {
  if (is_surely_too_long(server, text.size()))
    return too_long(server, "too many");
  return server.rt.text().encode(text, how);
}

result<std::vector<token_id>> encode(const server_state& server,
                                     const std::vector<chat_message>& turns) {
  auto bytes = size_t{0};
  for (auto& t : turns)
    bytes += t.content.size();
  if (is_surely_too_long(server, bytes))
    return too_long(server, "too many");
  auto now = std::chrono::floor<std::chrono::seconds>(
      std::chrono::system_clock::now());
  return encode_chat(server.rt.text(), turns, now);
}

// One request for each choice of a prompt, of seeds that follow each other.
std::optional<api_error>
add_choices(const server_state& server, const api::common_request& r,
            uint64_t seed, result<std::vector<token_id>> ids, answer_plan& to) {
  if (ids && ids->size() >= server.card.context)
    ids = too_long(server, std::to_string(ids->size()));
  if (!ids)
    return api_error_of(ids.failure(), to.param);
  auto g = generate_request{};
  g.prompt = std::move(*ids);
  g.sampling = r.sampling;
  g.max_tokens = r.max_tokens;
  g.stop = r.stop;
  g.ignore_end = r.ignore_end;
  g.form = r.form;
  if (r.cache)
    g.cache = *r.cache ? cache_wish::always : cache_wish::never;
  g.session = r.user.substr(0, longest_tenant_name);
  for (uint32_t i = 0; i < r.n; ++i) {
    g.sampling.seed = seed + i;
    to.choices.push_back(g);
  }
  return {};
}

// Who takes another's answer draws none of its own.
uint64_t seed_of(server_state& server, const api::common_request& r) {
  if (r.seed)
    return *r.seed;
  return r.cache.value_or(false) ? 0 : server.random();
}

// What a chat says last, and all that it depends on: the turns before. Chats
// that do not end with their user have none.
void set_said(const std::vector<chat_message>& turns, answer_plan& p) {
  if (turns.empty() || turns.back().role != "user")
    return;
  auto before = std::string{};
  for (auto& t : std::span{turns}.first(turns.size() - 1))
    for (auto* part : {&t.role, &t.content})
      before += std::to_string(part->size()) + ':' + *part;
  for (auto& c : p.choices) {
    c.cache_text = turns.back().content;
    c.cache_scope = before;
  }
}

answer_plan plan_of(api::answer_kind kind, const api::common_request& r) {
  auto p = answer_plan{};
  p.kind = kind;
  p.per_prompt = r.n;
  p.stream = r.stream;
  p.include_usage = r.include_usage;
  return p;
}

} // namespace

plan plan_completion(server_state& server, const std::string& body) {
  auto r = api::completion_request{};
  if (auto bad = api::read_request(body, limits_of(server), r))
    return to_response(*bad);
  if (auto bad = check_model(server, r.model))
    return to_response(*bad);
  auto p = plan_of(api::answer_kind::completion, r);
  p.param = "prompt";
  auto seed = seed_of(server, r);
  for (auto& prompt : r.prompts) {
    auto* text = std::get_if<std::string>(&prompt);
    auto ids = text ? encode(server, *text, {true, r.parse_special})
                    : std::move(std::get<std::vector<token_id>>(prompt));
    auto first = p.choices.size();
    if (auto bad = add_choices(server, r, seed, std::move(ids), p))
      return to_response(*bad);
    for (auto i = first; text && i < p.choices.size(); ++i)
      p.choices[i].cache_text = *text;
  }
  return p;
}

plan plan_chat(server_state& server, const std::string& body) {
  auto r = api::chat_request{};
  if (auto bad = api::read_request(body, limits_of(server), r))
    return to_response(*bad);
  if (auto bad = check_model(server, r.model))
    return to_response(*bad);
  auto p = plan_of(api::answer_kind::chat, r);
  p.param = "messages";
  auto seed = seed_of(server, r);
  if (auto bad = add_choices(server, r, seed, encode(server, r.messages), p))
    return to_response(*bad);
  set_said(r.messages, p);
  return p;
}

plan plan_embeddings(server_state& server, const std::string& body) {
  auto r = api::embedding_request{};
  if (auto bad = api::read_request(body, limits_of(server), r))
    return to_response(*bad);
  if (auto bad = check_model(server, r.model))
    return to_response(*bad);
  if (auto most = server.rt.weights().params.hidden; r.dimensions > most)
    return to_response({400,
                        "'dimensions' must be at most " + std::to_string(most)
                            + " with this model",
                        "dimensions", "invalid_value"});
  auto p = embed_plan{};
  p.base64 = r.base64;
  p.request.dimensions = r.dimensions;
  p.request.session = r.user.substr(0, longest_tenant_name);
  auto tokens = size_t{0};
  for (auto& input : r.inputs) {
    auto* text = std::get_if<std::string>(&input);
    // With a token that begins each text it would not be empty any more.
    auto empty = error{errc::invalid_argument, "an input is empty"};
    auto ids = !text ? std::move(std::get<std::vector<token_id>>(input))
               : text->empty() ? result<std::vector<token_id>>{empty}
                               : encode(server, *text, {true, false});
    if (!ids)
      return to_response(api_error_of(ids.failure(), "input"));
    // No more is tokenized than will be taken.
    tokens += ids->size();
    p.request.inputs.push_back(std::move(*ids));
    if (tokens > embed_request::max_tokens)
      return to_response({400,
                          "the inputs have over "
                              + std::to_string(embed_request::max_tokens)
                              + " tokens together, as many as are allowed",
                          "input", "invalid_value"});
  }
  return p;
}

plan plan_tokenize(server_state& server, const std::string& body) {
  auto r = api::tokenize_request{};
  if (auto bad = api::read_request(body, limits_of(server), r))
    return to_response(*bad);
  if (auto bad = check_model(server, r.model))
    return to_response(*bad);
  auto chat = !r.messages.empty();
  auto ids = chat ? encode(server, r.messages)
                  : server.rt.text().encode(r.prompt,
                                            {r.add_special, r.parse_special});
  if (!ids)
    return to_response(
        api_error_of(ids.failure(), chat ? "messages" : "prompt"));
  return response{200, api::tokenized(*ids, server.card.context)};
}

plan plan_detokenize(server_state& server, const std::string& body) {
  auto r = api::detokenize_request{};
  if (auto bad = api::read_request(body, limits_of(server), r))
    return to_response(*bad);
  if (auto bad = check_model(server, r.model))
    return to_response(*bad);
  auto& text = server.rt.text();
  // No token is longer than that.
  if (r.tokens.size() > server.options.max_body_bytes / server.longest_token)
    return to_response({400,
                        std::to_string(r.tokens.size())
                            + " tokens may be too long a text for one answer",
                        "tokens", "invalid_value"});
  for (auto id : r.tokens)
    if (static_cast<uint32_t>(id) >= text.size())
      return to_response({400,
                          "token " + std::to_string(id)
                              + " is not of the vocabulary's "
                              + std::to_string(text.size()),
                          "tokens", "invalid_value"});
  return response{200, api::detokenized(text.decode(r.tokens, true))};
}

} // namespace troupe::http
