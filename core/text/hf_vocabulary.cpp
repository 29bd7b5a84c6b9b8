#include "core/text/hf_vocabulary.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/text/hf_config.hpp"
#include "core/text/hf_tokenizer_json.hpp"
#include "core/text/sentencepiece_model.hpp"
#include "core/text/utf8.hpp"

namespace troupe {

namespace {

constexpr auto most_file_bytes = uintmax_t{128} << 20;

token_id find_token(const vocabulary& v, const std::string& text) {
  auto at = std::find(v.tokens.begin(), v.tokens.end(), text);
  return at == v.tokens.end() || text.empty()
             ? -1
             : static_cast<token_id>(at - v.tokens.begin());
}

// Special tokens by name, where the files beside the tokenizer name them.
void name_tokens(const hf_config& config, vocabulary& v) {
  auto in_range = [&](token_id id) {
    return id >= 0 && static_cast<size_t>(id) < v.tokens.size();
  };
  auto name = [&](const std::optional<std::string>& text, token_id& id) {
    if (text)
      if (auto found = find_token(v, *text); found >= 0)
        id = found;
  };
  name(config.bos, v.bos);
  name(config.eos, v.eos);
  name(config.unk, v.unk);
  name(config.pad, v.pad);
  if (v.bos < 0 && config.bos_id && in_range(*config.bos_id))
    v.bos = *config.bos_id;
  if (v.pad < 0 && config.pad_id && in_range(*config.pad_id))
    v.pad = *config.pad_id;
  for (auto id : config.ends)
    if (in_range(id))
      v.ends.push_back(id);
  if (v.eos < 0 && !v.ends.empty())
    v.eos = v.ends.front();
  // What bounds a text is not to be spelled in it.
  for (auto id : {v.bos, v.eos})
    if (id >= 0) {
      auto& kind = v.kinds[static_cast<size_t>(id)];
      if (kind == token_kind::user_defined
          || (kind == token_kind::normal
              && looks_special(v.tokens[static_cast<size_t>(id)])))
        kind = token_kind::control;
    }
}

// As many tokens as the model has. Added ones beyond have no embedding, and so
// could not be used.
result<void> fit(uint32_t model_vocab, vocabulary& v) {
  auto n = size_t{model_vocab};
  for (auto i = n; n > 0 && i < v.tokens.size(); ++i)
    if (v.kinds[i] == token_kind::normal || v.kinds[i] == token_kind::byte)
      return fail(errc::bad_file, "token " + std::to_string(i) + " "
                                      + troupe::quoted(v.tokens[i])
                                      + " is beyond the model's "
                                      + std::to_string(model_vocab));
  if (n == 0)
    return {};
  v.tokens.resize(n);
  v.kinds.resize(n, token_kind::unused);
  if (!v.scores.empty())
    v.scores.resize(n);
  auto beyond = [n](token_id id) { return static_cast<size_t>(id) >= n; };
  std::erase_if(v.lstrip, beyond);
  std::erase_if(v.rstrip, beyond);
  for (auto* id : {&v.bos, &v.eos, &v.unk, &v.pad})
    if (*id >= 0 && beyond(*id))
      *id = -1;
  return {};
}

result<vocabulary> parse_tokenizer(const hf_files& files,
                                   const hf_config& config) {
  if (files.tokenizer_json)
    return parse_tokenizer_json(*files.tokenizer_json);
  if (!files.tokenizer_model)
    return fail(errc::bad_file,
                "tokenizer.json: is missing, and so is tokenizer.model");
  auto v = parse_sentencepiece(*files.tokenizer_model);
  if (!v)
    return fail(v.failure().code, "tokenizer.model: " + v.failure().message);
  v->add_bos = v->bos >= 0;
  v->prefix_first_only = !config.legacy;
  if (auto done = add_tokens(config.added, *v); !done)
    return fail(done.failure().code,
                "tokenizer_config.json: " + done.failure().message);
  return v;
}

// No value if there is no such file.
result<std::optional<std::string>> read_file(const std::string& path) {
  auto problem = std::error_code{};
  auto size = std::filesystem::file_size(path, problem);
  if (problem == std::errc::no_such_file_or_directory)
    return std::optional<std::string>{};
  if (problem)
    return fail(errc::io_error, path + ": " + problem.message());
  if (size > most_file_bytes)
    return fail(errc::bad_file, path + ": is larger than "
                                    + std::to_string(most_file_bytes)
                                    + " bytes");
  auto bytes = std::string(size, '\0');
  auto in = std::ifstream{path, std::ios::binary};
  if (!in.read(bytes.data(), static_cast<std::streamsize>(size)))
    return fail(errc::io_error, path + ": cannot be read");
  return std::optional{std::move(bytes)};
}

} // namespace

result<vocabulary> parse_hf_vocabulary(const hf_files& files,
                                       uint32_t model_vocab) {
  auto config = parse_hf_config(files);
  if (!config)
    return config.failure();
  auto v = parse_tokenizer(files, *config);
  if (!v)
    return v;
  if (auto done = fit(model_vocab, *v); !done)
    return fail(
        done.failure().code,
        (files.tokenizer_json ? "tokenizer.json: " : "tokenizer.model: ")
            + done.failure().message);
  name_tokens(*config, *v);
  if (config->add_bos)
    v->add_bos = *config->add_bos && v->bos >= 0;
  if (config->add_eos)
    v->add_eos = *config->add_eos && v->eos >= 0;
  v->add_bos = v->add_bos && v->bos >= 0;
  v->add_eos = v->add_eos && v->eos >= 0;
  v->chat_template = config->chat_template;
  return v;
}

result<vocabulary> read_hf_vocabulary(const std::string& dir,
                                      uint32_t model_vocab) {
  auto files = hf_files{};
  struct entry {
    const char* name;
    std::optional<std::string>& to;
  };
  for (auto [name, to] :
       {entry{"tokenizer.json", files.tokenizer_json},
        entry{"tokenizer.model", files.tokenizer_model},
        entry{"tokenizer_config.json", files.tokenizer_config},
        entry{"special_tokens_map.json", files.special_tokens_map},
        entry{"added_tokens.json", files.added_tokens},
        entry{"generation_config.json", files.generation_config},
        entry{"chat_template.jinja", files.chat_template}}) {
    auto bytes = read_file(dir + "/" + name);
    if (!bytes)
      return bytes.failure();
    to = *std::move(bytes);
  }
  auto v = parse_hf_vocabulary(files, model_vocab);
  if (!v) {
    auto& e = v.failure();
    return fail(e.code, dir + "/" + e.message);
  }
  return v;
}

} // namespace troupe
