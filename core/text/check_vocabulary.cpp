#include "core/text/check_vocabulary.hpp"

#include <cmath>

#include "core/text/utf8.hpp"

namespace troupe {

namespace {

// Far beyond any real model; they bound what is allocated.
constexpr auto most_tokens = size_t{1} << 22;
constexpr auto most_merges = size_t{1} << 23;
constexpr auto most_token_bytes = size_t{4096};
constexpr auto most_template_bytes = size_t{1} << 20;

error bad(std::string reason) {
  return fail(errc::bad_file, "vocabulary: " + reason);
}

std::string name_of(const vocabulary& vocab, size_t id) {
  return "token " + std::to_string(id) + " " + quoted(vocab.tokens[id]);
}

result<void> check_sizes(const vocabulary& vocab) {
  auto n = vocab.tokens.size();
  if (n == 0)
    return bad("no tokens");
  if (n > most_tokens)
    return bad(std::to_string(n) + " tokens, more than "
               + std::to_string(most_tokens));
  if (vocab.merges.size() > most_merges)
    return bad(std::to_string(vocab.merges.size()) + " merges, more than "
               + std::to_string(most_merges));
  if (vocab.chat_template.size() > most_template_bytes)
    return bad("a chat template of "
               + std::to_string(vocab.chat_template.size()) + " bytes");
  if (!vocab.scores.empty() && vocab.scores.size() != n)
    return bad(std::to_string(vocab.scores.size()) + " scores for "
               + std::to_string(n) + " tokens");
  if (!vocab.kinds.empty() && vocab.kinds.size() != n)
    return bad(std::to_string(vocab.kinds.size()) + " token types for "
               + std::to_string(n) + " tokens");
  return {};
}

result<void> check_ids(const vocabulary& vocab) {
  struct named {
    const char* name;
    token_id id;
  };
  for (auto [name, id] : {named{"bos", vocab.bos}, named{"eos", vocab.eos},
                          named{"eot", vocab.eot}, named{"unk", vocab.unk},
                          named{"pad", vocab.pad}})
    if (id >= 0 && static_cast<size_t>(id) >= vocab.tokens.size())
      return bad(std::string{name} + " is " + std::to_string(id) + " of "
                 + std::to_string(vocab.tokens.size()) + " tokens");
  for (auto* ids : {&vocab.lstrip, &vocab.rstrip, &vocab.ends})
    for (auto id : *ids)
      if (id < 0 || static_cast<size_t>(id) >= vocab.tokens.size())
        return bad("refers to token " + std::to_string(id) + " of "
                   + std::to_string(vocab.tokens.size()));
  if (vocab.add_bos && vocab.bos < 0)
    return bad("asks to add a bos token and names none");
  if (vocab.add_eos && vocab.eos < 0)
    return bad("asks to add an eos token and names none");
  return {};
}

void fill_kinds(vocabulary& vocab) {
  vocab.kinds.assign(vocab.tokens.size(), token_kind::normal);
  if (vocab.model != "gpt2")
    for (auto i = size_t{0}; i < vocab.tokens.size(); ++i)
      if (parse_byte_token(vocab.tokens[i]) >= 0)
        vocab.kinds[i] = token_kind::byte;
  for (auto id : {vocab.bos, vocab.eos, vocab.eot, vocab.pad})
    if (id >= 0)
      vocab.kinds[static_cast<size_t>(id)] = token_kind::control;
  if (vocab.unk >= 0 && vocab.model != "gpt2")
    vocab.kinds[static_cast<size_t>(vocab.unk)] = token_kind::unknown;
}

} // namespace

int parse_byte_token(std::string_view text) {
  if (text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>')
    return -1;
  auto digit = [](char c) {
    if (c >= '0' && c <= '9')
      return c - '0';
    if (c >= 'A' && c <= 'F')
      return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
      return c - 'a' + 10;
    return -1;
  };
  auto high = digit(text[3]), low = digit(text[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

result<void> check_vocabulary(vocabulary& vocab) {
  if (auto done = check_sizes(vocab); !done)
    return done;
  if (auto done = check_ids(vocab); !done)
    return done;
  if (vocab.kinds.empty())
    fill_kinds(vocab);
  for (auto i = size_t{0}; i < vocab.tokens.size(); ++i) {
    auto& text = vocab.tokens[i];
    auto kind = vocab.kinds[i];
    if (kind < token_kind::normal || kind > token_kind::byte)
      return bad(name_of(vocab, i) + " has type "
                 + std::to_string(static_cast<int>(kind)));
    if (text.empty() && kind != token_kind::unused)
      return bad("token " + std::to_string(i) + " is empty");
    if (text.size() > most_token_bytes)
      return bad("token " + std::to_string(i) + " is "
                 + std::to_string(text.size()) + " bytes long");
    if (!vocab.scores.empty() && !std::isfinite(vocab.scores[i]))
      return bad(name_of(vocab, i) + " has a score that is no number");
  }
  return {};
}

} // namespace troupe
