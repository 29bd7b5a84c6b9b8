#pragma once

#include <array>
#include <string>
#include <vector>

#include "core/text/utf8.hpp"
#include "core/text/vocabulary.hpp"

namespace troupe::test {

inline void add_token(vocabulary& v, std::string text,
                      token_kind kind = token_kind::normal, float score = 0) {
  v.tokens.push_back(std::move(text));
  v.kinds.push_back(kind);
  if (v.model == "llama")
    v.scores.push_back(score);
}

/// How GPT-2's vocabulary spells a byte: written down here a second time.
inline std::string spell_byte(int byte) {
  auto next = 256, code = byte;
  for (auto b = 0; b <= byte; ++b) {
    auto printable = (b >= '!' && b <= '~') || (b >= 161 && b <= 172)
                     || (b >= 174 && b <= 255);
    if (b == byte && !printable)
      code = next;
    if (!printable)
      ++next;
  }
  auto s = std::string{};
  append_utf8(static_cast<char32_t>(code), s);
  return s;
}

/// Ids 0..255 are the bytes; then what the merges make, then special tokens:
/// <|endoftext|> <|im_start|> <|im_end|> as control, <tool> as user-defined.
inline vocabulary
small_bpe(std::string pre,
          std::vector<std::string> merges = {
              "t h",  "th e",  "h e",  "l l",     "he ll", "hell o", "Ġ w",
              "o r",  "Ġw or", "l d",  "Ġwor ld", "Ġ Ġ",   "ĠĠ ĠĠ",  "i n",
              "in g", "Ġ the", "a n",  "an d",    "Ġ and", "1 2",    "12 3",
              "Ċ Ċ",  "u s",   "us e", "use r",   "' s"}) {
  auto v = vocabulary{};
  v.model = "gpt2";
  v.pre = std::move(pre);
  for (auto b = 0; b < 256; ++b)
    add_token(v, spell_byte(b));
  for (auto& line : merges) {
    auto cut = line.find(' ');
    auto whole = line.substr(0, cut) + line.substr(cut + 1);
    auto known = false;
    for (auto& text : v.tokens)
      known = known || text == whole;
    if (!known)
      add_token(v, whole);
  }
  v.merges = std::move(merges);
  add_token(v, "<|endoftext|>", token_kind::control);
  v.eos = static_cast<token_id>(v.tokens.size()) - 1;
  add_token(v, "<|im_start|>", token_kind::control);
  add_token(v, "<|im_end|>", token_kind::control);
  add_token(v, "<tool>", token_kind::user_defined);
  return v;
}

/// <unk> <s> </s>, 256 byte tokens (ids 3..258) if wanted, then pieces, the
/// better ones first, and <sep> as user-defined.
inline vocabulary
small_spm(bool bytes = true,
          std::vector<std::string> pieces = {
              "▁the", "hello", "▁hello", "▁world", "hell", "ell", "▁wor", "▁w",
              "ld",   "or",    "he",     "ll",     "lo",   "▁▁",  "the",  "in",
              "ing",  "é",     "你",     "▁",      "a",    "d",   "e",    "g",
              "h",    "i",     "l",      "n",      "o",    "r",   "s",    "t",
              "w",    "x",     "<",      ">",      "/"}) {
  auto v = vocabulary{};
  v.model = "llama";
  add_token(v, "<unk>", token_kind::unknown);
  add_token(v, "<s>", token_kind::control);
  add_token(v, "</s>", token_kind::control);
  v.unk = 0;
  v.bos = 1;
  v.eos = 2;
  v.add_bos = true;
  constexpr auto digits = std::string_view{"0123456789ABCDEF"};
  for (auto b = 0u; bytes && b < 256; ++b)
    add_token(v, std::string{"<0x"} + digits[b / 16] + digits[b % 16] + ">",
              token_kind::byte);
  auto score = 0.f;
  for (auto& text : pieces)
    add_token(v, text, token_kind::normal, score--);
  add_token(v, "<sep>", token_kind::user_defined);
  return v;
}

} // namespace troupe::test
