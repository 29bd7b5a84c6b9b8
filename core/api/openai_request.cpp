#include "core/api/openai_request.hpp"

#include "core/api/object_reader.hpp"
#include "core/api/response_format.hpp"
#include "core/text/bounded_json.hpp"

namespace troupe::api {

namespace {

using nlohmann::json;

constexpr auto most_tokens = int64_t{1} << 24;
constexpr auto most_dimensions = int64_t{1} << 20;

// -- what all share ----------------------------------------------------------

std::optional<api_error> parse(std::string_view body,
                               const request_limits& limits, json& to) {
  auto parsed = parse_object(body, "the body",
                             {limits.bytes, limits.depth, limits.values});
  if (!parsed)
    return api_error{400, parsed.failure().message, {}, "invalid_json"};
  to = std::move(*parsed);
  return {};
}

void read_ids(object_reader& r, const std::string& name, const json& list,
              std::vector<token_id>& to) {
  to.reserve(list.size());
  for (auto& j : list) {
    if (!j.is_number_unsigned()
        || j.get<uint64_t>() > std::numeric_limits<token_id>::max())
      return r.complain(name, "must hold token ids");
    to.push_back(j.get<token_id>());
  }
}

void read_stop(object_reader& r, const request_limits& limits,
               std::vector<std::string>& to) {
  auto* j = r.take("stop");
  if (!j)
    return;
  if (j->is_string())
    to.push_back(j->get<std::string>());
  else if (!j->is_array())
    return r.complain("stop", "must be a string or an array of strings");
  else if (j->size() > limits.stops)
    return r.complain("stop", "must hold at most "
                                  + std::to_string(limits.stops) + " strings");
  else
    for (auto& s : *j) {
      if (!s.is_string())
        return r.complain("stop", "must be a string or an array of strings");
      to.push_back(s.get<std::string>());
    }
  for (auto& s : to)
    if (s.empty() || s.size() > limits.stop_bytes)
      r.complain("stop", "must hold strings of 1 to "
                             + std::to_string(limits.stop_bytes) + " bytes");
}

void read_bias(object_reader& r, const request_limits& limits,
               sampling_params& to) {
  auto* j = r.take("logit_bias");
  if (!j)
    return;
  if (!j->is_object())
    return r.complain("logit_bias", "must be an object");
  if (j->size() > limits.biases)
    return r.complain("logit_bias", "must hold at most "
                                        + std::to_string(limits.biases)
                                        + " tokens");
  for (auto& [key, value] : j->items()) {
    auto digits = !key.empty() && key.size() <= 9
                  && key.find_first_not_of("0123456789") == std::string::npos;
    auto bias = value.is_number() ? value.get<double>() : 1e9;
    if (!digits || !(bias >= -100 && bias <= 100))
      return r.complain("logit_bias",
                        "must map token ids to numbers from -100 to 100");
    to.logit_bias.emplace_back(static_cast<token_id>(std::stol(key)),
                               static_cast<float>(bias));
  }
}

void read_seed(object_reader& r, std::optional<uint64_t>& to) {
  auto* j = r.take("seed");
  if (!j)
    return;
  // Negative ones are as good as others.
  if (j->is_number_unsigned())
    to = j->get<uint64_t>();
  else if (j->is_number_integer())
    to = static_cast<uint64_t>(j->get<int64_t>());
  else
    r.complain("seed", "must be an integer");
}

void read_stream(object_reader& r, common_request& to) {
  r.flag("stream", to.stream);
  auto* j = r.take("stream_options");
  if (!j)
    return;
  if (!j->is_object())
    return r.complain("stream_options", "must be an object");
  if (!to.stream)
    return r.complain("stream_options", "is for streams alone");
  auto why = std::optional<api_error>{};
  auto inner = object_reader{*j, why, "stream_options."};
  inner.flag("include_usage", to.include_usage);
  if (why)
    r.complain("stream_options.include_usage", "must be true or false");
}

void read_sampling(object_reader& r, const request_limits& limits,
                   sampling_params& to) {
  r.number("temperature", 0, 2, to.temperature);
  r.number("top_p", 0, 1, to.top_p);
  r.number("min_p", 0, 1, to.min_p);
  r.number("presence_penalty", -2, 2, to.presence_penalty);
  r.number("frequency_penalty", -2, 2, to.frequency_penalty);
  r.number("repetition_penalty", 0.01f, 100, to.repetition_penalty);
  auto k = int64_t{0};
  if (r.integer("top_k", -1, most_tokens, k))
    to.top_k = k < 0 ? 0 : static_cast<uint32_t>(k);
  read_bias(r, limits, to);
}

void read_common(object_reader& r, const request_limits& limits,
                 common_request& to) {
  r.text("model", to.model);
  r.text("user", to.user);
  read_sampling(r, limits, to.sampling);
  read_seed(r, to.seed);
  to.sampling.seed = to.seed.value_or(0);
  r.integer("n", 1, limits.choices, to.n);
  r.integer("max_tokens", 1, most_tokens, to.max_tokens);
  read_stop(r, limits, to.stop);
  read_stream(r, to);
  r.flag("ignore_eos", to.ignore_end);
  if (r.take("cache"))
    r.flag("cache", to.cache.emplace(false));
}

// What changes the answer must not be ignored.
void refuse_if_asked(object_reader& r,
                     std::initializer_list<const char*> keys) {
  for (auto* key : keys)
    if (auto* j = r.take(key))
      if (!((j->is_array() || j->is_string() || j->is_object()) && j->empty())
          && !(j->is_boolean() && !j->get<bool>()))
        r.unsupported(key, "is not supported");
}

// -- messages ----------------------------------------------------------------

// A string, or an array of parts that are text.
void read_content(object_reader& r, const json* content, std::string& to) {
  if (!content)
    return;
  if (content->is_string()) {
    to = content->get_ref<const std::string&>();
    return;
  }
  if (!content->is_array())
    return r.complain("content", "must be a string or an array of parts");
  for (auto& part : *content) {
    if (!part.is_object())
      return r.complain("content", "must be a string or an array of parts");
    if (string_of(part, "type") != "text")
      return r.unsupported("content", "can only hold parts of type text");
    auto& text = member(part, "text");
    if (!text.is_string())
      return r.complain("content", "has a part without text");
    to += text.get_ref<const std::string&>();
  }
}

void read_message(object_reader& r, const json& j, chat_message& to) {
  r.text("role", to.role);
  if (to.role == "developer")
    to.role = "system";
  if (to.role == "tool" || to.role == "function")
    return r.unsupported("role", "cannot be of tools, which are not supported");
  if (to.role != "system" && to.role != "user" && to.role != "assistant")
    return r.complain("role", "must be system, developer, user or assistant");
  auto* content = r.take("content");
  if (!content && to.role != "assistant")
    return r.complain("content", "is missing");
  if (member(j, "tool_calls").size() > 0)
    return r.unsupported("tool_calls", "is not supported");
  read_content(r, content, to.content);
}

void read_messages(object_reader& r, std::optional<api_error>& why,
                   const request_limits& limits,
                   std::vector<chat_message>& to) {
  auto* list = r.take("messages");
  if (!list)
    return r.complain("messages", "is missing");
  if (!list->is_array() || list->empty() || list->size() > limits.messages)
    return r.complain("messages", "must be an array of 1 to "
                                      + std::to_string(limits.messages)
                                      + " messages");
  for (size_t i = 0; i < list->size(); ++i) {
    auto name = "messages[" + std::to_string(i) + "]";
    auto& j = (*list)[i];
    if (!j.is_object())
      return r.complain(name, "must be an object");
    auto inner = object_reader{j, why, name + "."};
    read_message(inner, j, to.emplace_back());
    if (inner.failed())
      return;
  }
}

// -- prompts -----------------------------------------------------------------

// A string, its tokens, or an array of either.
void read_prompts(object_reader& r, const char* key, std::vector<prompt>& to) {
  auto* j = r.take(key);
  if (!j)
    return r.complain(key, "is missing");
  if (j->is_string()) {
    to.emplace_back(j->get<std::string>());
  } else if (!j->is_array() || j->empty()) {
    r.complain(key, "must be a string, an array of token ids, or an array of "
                    "such");
  } else if (j->front().is_number()) {
    read_ids(r, key, *j, std::get<1>(to.emplace_back(std::vector<token_id>{})));
  } else {
    for (auto& one : *j) {
      if (one.is_string())
        to.emplace_back(one.get<std::string>());
      else if (one.is_array())
        read_ids(r, key, one,
                 std::get<1>(to.emplace_back(std::vector<token_id>{})));
      else
        return r.complain(key, "must hold strings or arrays of token ids");
    }
  }
}

} // namespace

// -- requests ----------------------------------------------------------------

std::optional<api_error> read_request(std::string_view body,
                                      const request_limits& limits,
                                      completion_request& to) {
  auto j = json{};
  if (auto bad = parse(body, limits, j))
    return bad;
  auto why = std::optional<api_error>{};
  auto r = object_reader{j, why};
  to.max_tokens = 16; // as OpenAI's
  read_prompts(r, "prompt", to.prompts);
  read_common(r, limits, to);
  r.flag("parse_special", to.parse_special);
  auto top = int64_t{0};
  if (r.integer("logprobs", 0, sampling_params::max_logprobs, top)) {
    to.sampling.want_logprob = true;
    to.sampling.logprobs = static_cast<uint32_t>(top);
  }
  auto best = int64_t{0};
  if (r.integer("best_of", 1, limits.choices, best) && best != to.n)
    r.unsupported("best_of", "can only be what 'n' is");
  refuse_if_asked(r, {"echo", "suffix"});
  read_form(r, body, to);
  if (to.prompts.size() > limits.choices
      || to.prompts.size() * to.n > limits.choices)
    r.complain("n", "times the number of prompts must be at most "
                        + std::to_string(limits.choices));
  return why;
}

std::optional<api_error> read_request(std::string_view body,
                                      const request_limits& limits,
                                      chat_request& to) {
  auto j = json{};
  if (auto bad = parse(body, limits, j))
    return bad;
  auto why = std::optional<api_error>{};
  auto r = object_reader{j, why};
  read_messages(r, why, limits, to.messages);
  read_common(r, limits, to);
  // The newer name of the same counts.
  r.integer("max_completion_tokens", 1, most_tokens, to.max_tokens);
  r.flag("logprobs", to.sampling.want_logprob);
  auto top = int64_t{0};
  if (r.integer("top_logprobs", 0, sampling_params::max_logprobs, top)) {
    to.sampling.logprobs = static_cast<uint32_t>(top);
    if (!to.sampling.want_logprob)
      r.complain("top_logprobs", "needs 'logprobs' to be true");
  }
  if (string_of(j, "tool_choice") != "none")
    refuse_if_asked(r, {"tools", "functions"});
  refuse_if_asked(r, {"audio"});
  read_form(r, body, to);
  return why;
}

std::optional<api_error> read_request(std::string_view body,
                                      const request_limits& limits,
                                      embedding_request& to) {
  auto j = json{};
  if (auto bad = parse(body, limits, j))
    return bad;
  auto why = std::optional<api_error>{};
  auto r = object_reader{j, why};
  r.text("model", to.model);
  r.text("user", to.user);
  read_prompts(r, "input", to.inputs);
  if (to.inputs.size() > limits.inputs)
    r.complain("input",
               "must hold at most " + std::to_string(limits.inputs) + " texts");
  r.integer("dimensions", 1, most_dimensions, to.dimensions);
  auto format = std::string{"float"};
  r.text("encoding_format", format);
  if (format != "float" && format != "base64")
    r.complain("encoding_format", "must be float or base64");
  to.base64 = format == "base64";
  return why;
}

std::optional<api_error> read_request(std::string_view body,
                                      const request_limits& limits,
                                      tokenize_request& to) {
  auto j = json{};
  if (auto bad = parse(body, limits, j))
    return bad;
  auto why = std::optional<api_error>{};
  auto r = object_reader{j, why};
  r.text("model", to.model);
  r.text("prompt", to.prompt);
  if (r.take("messages"))
    read_messages(r, why, limits, to.messages);
  else if (!r.take("prompt"))
    r.complain("prompt", "is missing, and so is 'messages'");
  r.flag("add_special_tokens", to.add_special);
  r.flag("parse_special", to.parse_special);
  return why;
}

std::optional<api_error> read_request(std::string_view body,
                                      const request_limits& limits,
                                      detokenize_request& to) {
  auto j = json{};
  if (auto bad = parse(body, limits, j))
    return bad;
  auto why = std::optional<api_error>{};
  auto r = object_reader{j, why};
  r.text("model", to.model);
  auto* list = r.take("tokens");
  if (!list || !list->is_array())
    r.complain("tokens", "must be an array of token ids");
  else
    read_ids(r, "tokens", *list, to.tokens);
  return why;
}

} // namespace troupe::api
