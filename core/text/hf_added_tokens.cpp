#include "core/text/hf_added_tokens.hpp"

#include <algorithm>
#include <array>

#include "core/text/bounded_json.hpp"
#include "core/text/utf8.hpp"

namespace troupe {

namespace {

constexpr auto most_tokens = size_t{1} << 22;

constexpr auto well_known = std::array<std::string_view, 9>{
    "<s>",   "</s>",   "<unk>",           "<pad>",        "<bos>",
    "<eos>", "<mask>", "<start_of_turn>", "<end_of_turn>"};

bool is_between(std::string_view text, std::string_view begin,
                std::string_view end) {
  return text.size() > begin.size() + end.size()
         && text.substr(0, begin.size()) == begin
         && text.substr(text.size() - end.size()) == end;
}

} // namespace

bool looks_special(std::string_view text) {
  return is_between(text, "<|", "|>") || is_between(text, "<｜", "｜>")
         || std::find(well_known.begin(), well_known.end(), text)
                != well_known.end();
}

result<hf_added_token> parse_added_token(const nlohmann::json& from,
                                         int64_t id) {
  auto& content = member(from, "content");
  if (!content.is_string() || id < 0)
    return fail(errc::bad_file, "an added token has no content or no id");
  auto token = hf_added_token{};
  token.id = static_cast<token_id>(id);
  token.content = content.get<std::string>();
  token.special = flag_of(from, "special", false);
  token.normalized = flag_of(from, "normalized", !token.special);
  token.lstrip = flag_of(from, "lstrip", false);
  token.rstrip = flag_of(from, "rstrip", false);
  token.single_word = flag_of(from, "single_word", false);
  return token;
}

result<void> add_tokens(const std::vector<hf_added_token>& added,
                        vocabulary& to) {
  for (auto& token : added) {
    if (token.content.empty())
      continue;
    auto id = static_cast<size_t>(token.id);
    if (id >= most_tokens)
      return fail(errc::bad_file, "the added token "
                                      + troupe::quoted(token.content)
                                      + " has id " + std::to_string(id));
    if (id >= to.tokens.size()) {
      to.tokens.resize(id + 1);
      to.kinds.resize(id + 1, token_kind::unused);
      if (to.model == "llama")
        to.scores.resize(id + 1);
    }
    auto& kind = to.kinds[id];
    if (to.tokens[id] != token.content && !to.tokens[id].empty())
      return fail(errc::bad_file, "the added token "
                                      + troupe::quoted(token.content)
                                      + " has the id " + std::to_string(id)
                                      + " of " + troupe::quoted(to.tokens[id]));
    to.tokens[id] = token.content;
    if (token.single_word)
      return fail(errc::unsupported, "the added token "
                                         + troupe::quoted(token.content)
                                         + " is read only as a word");
    if (kind == token_kind::unknown || kind == token_kind::byte)
      continue; // SentencePiece's own
    kind = token.special || looks_special(token.content)
               ? token_kind::control
               : token_kind::user_defined;
    if (token.lstrip)
      to.lstrip.push_back(token.id);
    if (token.rstrip)
      to.rstrip.push_back(token.id);
  }
  return {};
}

} // namespace troupe
