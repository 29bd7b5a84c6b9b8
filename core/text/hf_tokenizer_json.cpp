#include "core/text/hf_tokenizer_json.hpp"

#include <unordered_set>

#include "core/text/bounded_json.hpp"
#include "core/text/check_vocabulary.hpp"
#include "core/text/hf_added_tokens.hpp"
#include "core/text/hf_pipeline.hpp"
#include "core/text/utf8.hpp"

namespace troupe {

namespace {

using nlohmann::json;

constexpr auto most_tokens = size_t{1} << 22;

error bad(std::string reason) {
  return fail(errc::bad_file, std::move(reason));
}

error unknown(std::string what) {
  return fail(errc::unsupported, std::move(what));
}

// What of the model is said beside its vocabulary.
result<void> check_model(const json& model) {
  if (!model.is_object())
    return bad("has no model");
  auto type = string_of(model, "type", "BPE");
  if (type != "BPE")
    return unknown("the tokenizer model " + troupe::quoted(type)
                   + "; this build has \"BPE\"");
  auto& dropout = member(model, "dropout");
  if (!dropout.is_null() && dropout != 0)
    return unknown("a BPE with dropout");
  for (auto name : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!string_of(model, name).empty())
      return unknown(std::string{"a BPE with "} + name);
  return {};
}

result<void> read_tokens(const json& model, vocabulary& v) {
  auto& vocab = member(model, "vocab");
  if (!vocab.is_object() || vocab.empty())
    return bad("has a model without a vocabulary");
  for (auto& [text, value] : vocab.items()) {
    auto id = integer_of(value, most_tokens - 1);
    if (id < 0)
      return bad("token " + troupe::quoted(text) + " has no sensible id");
    auto i = static_cast<size_t>(id);
    if (i >= v.tokens.size())
      v.tokens.resize(i + 1);
    if (!v.tokens[i].empty())
      return bad("tokens " + troupe::quoted(v.tokens[i]) + " and "
                 + troupe::quoted(text) + " both have the id "
                 + std::to_string(id));
    v.tokens[i] = text;
  }
  v.kinds.assign(v.tokens.size(), token_kind::unused);
  for (auto i = size_t{0}; i < v.tokens.size(); ++i)
    if (v.model == "bpe" && parse_byte_token(v.tokens[i]) >= 0)
      v.kinds[i] = token_kind::byte;
    else if (!v.tokens[i].empty())
      v.kinds[i] = token_kind::normal;
  return {};
}

result<void> read_added(const json& list, const hf_pipeline& pipeline,
                        vocabulary& v) {
  auto added = std::vector<hf_added_token>{};
  for (auto& one : list) {
    auto token =
        parse_added_token(one, integer_of(member(one, "id"), most_tokens - 1));
    if (!token)
      return token.failure();
    // Looked for in the text after a space was put in front.
    if (token->normalized && !token->special && !looks_special(token->content)
        && pipeline.prefix && !pipeline.prefix_unless_space)
      return unknown("the added token " + troupe::quoted(token->content)
                     + " that is normalized");
    added.push_back(*std::move(token));
  }
  return add_tokens(added, v);
}

// Merges with control tokens are left out: their spelling never gets as far
// as merges in the original, and a text must not make them here.
result<void> read_merges(const json& list, vocabulary& v) {
  auto control = std::unordered_set<std::string_view>{};
  for (auto i = size_t{0}; i < v.tokens.size(); ++i)
    if (v.kinds[i] == token_kind::control)
      control.insert(v.tokens[i]);
  if (!list.is_array())
    return bad("has a model without merges");
  for (auto& one : list) {
    auto line = std::string{};
    if (one.is_string())
      line = one.get<std::string>();
    else if (one.is_array() && one.size() == 2 && one[0].is_string()
             && one[1].is_string())
      line = one[0].get<std::string>() + " " + one[1].get<std::string>();
    auto cut = line.find(' ');
    if (cut == line.npos)
      return bad("merge " + std::to_string(v.merges.size())
                 + " is not two tokens");
    // No text has a space by then.
    if (line.find(' ', cut + 1) != line.npos || cut == 0
        || cut + 1 == line.size())
      continue;
    auto left = std::string_view{line}.substr(0, cut);
    auto right = std::string_view{line}.substr(cut + 1);
    if (control.contains(left) || control.contains(right)
        || control.contains(std::string{left}.append(right)))
      continue;
    v.merges.push_back(std::move(line));
  }
  return {};
}

} // namespace

result<vocabulary> parse_tokenizer_json(std::string_view text) {
  auto file = parse_object(text, "tokenizer.json");
  if (!file)
    return file.failure();
  auto name = [](const error& e) {
    return fail(e.code, "tokenizer.json: " + e.message);
  };
  auto& model = member(*file, "model");
  if (auto done = check_model(model); !done)
    return name(done.failure());
  auto pipeline = parse_pipeline(*file);
  if (!pipeline)
    return name(pipeline.failure());
  if (!pipeline->byte_level
      && !(pipeline->marks_spaces && flag_of(model, "byte_fallback", false)))
    return name(unknown("a BPE with neither ByteLevel nor byte_fallback"));
  auto v = vocabulary{};
  v.model = pipeline->byte_level ? "gpt2" : "bpe";
  v.patterns = pipeline->patterns;
  v.ignore_merges = flag_of(model, "ignore_merges", false);
  v.nfc = pipeline->nfc;
  v.add_space_prefix = pipeline->prefix;
  v.prefix_first_only = pipeline->prefix_first_only;
  v.prefix_unless_space = pipeline->prefix_unless_space;
  if (auto done = read_tokens(model, v); !done)
    return name(done.failure());
  if (auto done = read_added(member(*file, "added_tokens"), *pipeline, v);
      !done)
    return name(done.failure());
  if (auto done = read_merges(member(model, "merges"), v); !done)
    return name(done.failure());
  if (pipeline->begin >= static_cast<int64_t>(v.tokens.size())
      || pipeline->end >= static_cast<int64_t>(v.tokens.size()))
    return name(bad("puts a token around texts that is none"));
  v.bos = static_cast<token_id>(pipeline->begin);
  v.eos = static_cast<token_id>(pipeline->end);
  v.add_bos = v.bos >= 0;
  v.add_eos = v.eos >= 0;
  return v;
}

} // namespace troupe
