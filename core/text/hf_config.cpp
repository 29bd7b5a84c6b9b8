#include "core/text/hf_config.hpp"

#include <charconv>

#include "core/text/bounded_json.hpp"
#include "core/text/utf8.hpp"

namespace troupe {

namespace {

using nlohmann::json;

constexpr auto most_tokens = int64_t{1} << 22;

// A token is a string, or an object with its flags.
void take_token(const json& file, const char* name,
                std::optional<std::string>& to) {
  auto& value = member(file, name);
  if (to)
    return;
  if (value.is_string())
    to = value.get<std::string>();
  else if (auto& content = member(value, "content"); content.is_string())
    to = content.get<std::string>();
}

void take_tokens(const json& file, hf_config& to) {
  take_token(file, "bos_token", to.bos);
  take_token(file, "eos_token", to.eos);
  take_token(file, "unk_token", to.unk);
  take_token(file, "pad_token", to.pad);
}

void take_flag(const json& file, const char* name, std::optional<bool>& to) {
  auto& value = member(file, name);
  if (value.is_boolean())
    to = value.get<bool>();
}

std::string default_template(const json& value) {
  if (value.is_string())
    return value.get<std::string>();
  if (value.is_array())
    for (auto& one : value)
      if (string_of(one, "name") == "default")
        return string_of(one, "template");
  return {};
}

result<void> read_tokenizer_config(const json& file, hf_config& to) {
  take_tokens(file, to);
  take_flag(file, "add_bos_token", to.add_bos);
  take_flag(file, "add_eos_token", to.add_eos);
  to.legacy = flag_of(file, "legacy", true);
  to.chat_template = default_template(member(file, "chat_template"));
  auto& added = member(file, "added_tokens_decoder");
  if (!added.is_object())
    return {};
  for (auto& [key, value] : added.items()) {
    auto id = int64_t{-1};
    auto [end, problem] =
        std::from_chars(key.data(), key.data() + key.size(), id);
    if (problem != std::errc{} || end != key.data() + key.size()
        || id >= most_tokens)
      id = -1;
    auto token = parse_added_token(value, id);
    if (!token)
      return fail(token.failure().code,
                  "tokenizer_config.json: " + token.failure().message);
    to.added.push_back(*std::move(token));
  }
  return {};
}

void read_added_tokens(const json& file, hf_config& to) {
  if (!to.added.empty())
    return;
  for (auto& [text, value] : file.items())
    if (auto id = integer_of(value, most_tokens - 1); id >= 0) {
      auto token = hf_added_token{};
      token.id = static_cast<token_id>(id);
      token.content = text;
      to.added.push_back(std::move(token));
    }
}

void read_generation_config(const json& file, hf_config& to) {
  auto take_id = [&](const char* name, std::optional<token_id>& id) {
    if (auto n = integer_of(member(file, name), most_tokens); n >= 0)
      id = static_cast<token_id>(n);
  };
  take_id("bos_token_id", to.bos_id);
  take_id("pad_token_id", to.pad_id);
  auto take_end = [&](const json& value) {
    if (auto n = integer_of(value, most_tokens); n >= 0)
      to.ends.push_back(static_cast<token_id>(n));
  };
  auto& eos = member(file, "eos_token_id");
  if (!eos.is_array())
    return take_end(eos);
  for (auto i = size_t{0}; i < eos.size() && i < 64; ++i)
    take_end(eos[i]);
}

} // namespace

result<hf_config> parse_hf_config(const hf_files& files) {
  auto to = hf_config{};
  if (files.tokenizer_config) {
    auto file = parse_object(*files.tokenizer_config, "tokenizer_config.json");
    if (!file)
      return file.failure();
    if (auto done = read_tokenizer_config(*file, to); !done)
      return done.failure();
  }
  if (files.special_tokens_map) {
    auto file =
        parse_object(*files.special_tokens_map, "special_tokens_map.json");
    if (!file)
      return file.failure();
    take_tokens(*file, to);
  }
  if (files.added_tokens) {
    auto file = parse_object(*files.added_tokens, "added_tokens.json");
    if (!file)
      return file.failure();
    read_added_tokens(*file, to);
  }
  if (files.generation_config) {
    auto file =
        parse_object(*files.generation_config, "generation_config.json");
    if (!file)
      return file.failure();
    read_generation_config(*file, to);
  }
  if (files.chat_template)
    to.chat_template = *files.chat_template;
  return to;
}

} // namespace troupe
