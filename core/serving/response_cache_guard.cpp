#include "core/serving/response_cache_guard.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace troupe {

namespace {

// Ascending, for the search.
constexpr auto negations = std::to_array<std::string_view>(
    {"aint",    "cannot",  "cant",   "couldnt",  "didnt",  "doesnt", "dont",
     "except",  "hadnt",   "hasnt",  "havent",   "isnt",   "mustnt", "neither",
     "never",   "no",      "nobody", "non",      "none",   "nor",    "not",
     "nothing", "nowhere", "shant",  "shouldnt", "unless", "wasnt",  "werent",
     "without", "wont",    "wouldnt"});

constexpr auto beginnings = std::to_array<std::string_view>(
    {"a",       "all",     "am",     "an",        "and",       "any",
     "are",     "as",      "at",     "but",       "by",        "can",
     "compare", "could",   "define", "describe",  "did",       "do",
     "does",    "explain", "find",   "for",       "from",      "give",
     "had",     "has",     "have",   "hello",     "help",      "hi",
     "how",     "i",       "if",     "im",        "in",        "is",
     "it",      "its",     "ive",    "list",      "make",      "may",
     "my",      "name",    "of",     "on",        "or",        "please",
     "say",     "should",  "show",   "so",        "summarise", "summarize",
     "tell",    "thanks",  "that",   "the",       "there",     "these",
     "they",    "this",    "to",     "translate", "was",       "we",
     "were",    "what",    "whats",  "when",      "where",     "which",
     "who",     "whose",   "why",    "will",      "with",      "would",
     "write",   "you",     "your"});

static_assert(std::ranges::is_sorted(negations));
static_assert(std::ranges::is_sorted(beginnings));

template <class List>
bool is_in(const List& list, std::string_view word) {
  return std::ranges::binary_search(list, word);
}

struct features {
  std::vector<std::string> words; ///< in lower case
  std::vector<std::string> numbers;
  std::vector<std::string> names;
  size_t negations = 0;
};

bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return is_upper(c) || (c >= 'a' && c <= 'z')
         || static_cast<unsigned char>(c) >= 0x80;
}

// Apostrophes, typographic ones too, are no part of a word but do not end it.
size_t apostrophe(std::string_view s) {
  if (s.starts_with('\''))
    return 1;
  return s.starts_with("\xe2\x80\x99") ? 3 : 0;
}

features features_of(std::string_view s) {
  auto f = features{};
  while (!s.empty()) {
    auto word = std::string{};
    auto capital = is_upper(s[0]);
    auto digits = is_digit(s[0]);
    auto sign = s[0] == '-' && s.size() > 1 && is_digit(s[1]);
    if (sign) {
      word = '-';
      digits = true;
      s.remove_prefix(1);
    }
    while (!s.empty()) {
      if (auto n = apostrophe(s); n > 0 && !word.empty() && !digits) {
        s.remove_prefix(n);
        continue;
      }
      auto c = s[0];
      // 1,000.5 is one number; a comma or point at its end is not of it.
      auto inside =
          digits && (c == '.' || c == ',') && s.size() > 1 && is_digit(s[1]);
      if (!inside && !is_digit(c) && !is_letter(c))
        break;
      if (!inside || c == '.')
        word += is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
      s.remove_prefix(1);
    }
    if (word.empty()) {
      s.remove_prefix(1);
      continue;
    }
    f.negations += is_in(negations, word);
    if (std::ranges::any_of(word, is_digit))
      f.numbers.push_back(word);
    else if (capital && !is_in(beginnings, word))
      f.names.push_back(word);
    f.words.push_back(std::move(word));
  }
  return f;
}

} // namespace

bool may_mean_the_same(std::string_view a, std::string_view b) {
  auto x = features_of(a);
  auto y = features_of(b);
  if (x.numbers != y.numbers || x.names != y.names
      || x.negations != y.negations)
    return false;
  if (x.words == y.words)
    return true;
  std::ranges::sort(x.words);
  std::ranges::sort(y.words);
  return x.words != y.words; // only in another order
}

} // namespace troupe
