#include "tests/support/core/made_vocabulary.hpp"

#include <set>
#include <string_view>

#include "core/text/utf8.hpp"

namespace troupe::constrain {

namespace {

constexpr std::string_view marks[] = {
    "\"",     "\":",    "\":\"", "\": ",  "\": \"", "\",",  "\",\"", "\", ",
    "\", \"", "\"}",    "\"},",  "\"},{", "\"]",    "\"],", "{\"",   "{\n",
    "[\"",    "[{",     "[{\"",  "}]",    "}]}",    "}}",   "},",    "},{",
    "},{\"",  ",\"",    ", \"",  ",\n",   ": ",     ":\"",  ":{",    ":{\"",
    ":[",     ":[{",    ":[\"",  "[]",    "{}",     "\\n",  "\\\"",  "\\u",
    "\\\\",   "...",    "--",    "://",   "https",  "true", "false", "null",
    " true",  " false", " null", "e-",    ".\"",    ".\",", "?\"",   "!\"",
    "():",    "();",    "</",    "/>",    "==",     "!=",   "->",    "\"\"",
};

constexpr std::string_view onsets[] = {
    "",  "b", "c", "d", "f",  "g",  "h",  "j",  "l",  "m",  "n",  "p",  "r",
    "s", "t", "v", "w", "st", "tr", "pr", "ch", "sh", "th", "cl", "gr", "qu"};
constexpr std::string_view vowels[] = {"a", "e",  "i",  "o",
                                       "u", "ea", "io", "ou"};
constexpr std::string_view codas[] = {"",  "n",  "r",  "s",  "t",   "l",  "d",
                                      "m", "ng", "nt", "st", "ing", "er", "ed"};

class collector {
public:
  explicit collector(size_t size) : size_(size) {}

  void add(std::string text) {
    if (pieces.size() < size_ && seen_.insert(text).second)
      pieces.push_back(std::move(text));
  }
  void add_word(std::string word) {
    add(word);
    add(" " + word);
    word[0] = static_cast<char>(word[0] & ~0x20);
    add(word);
    add(" " + word);
  }
  bool full() const { return pieces.size() >= size_; }

  std::vector<std::string> pieces;

private:
  size_t size_;
  std::set<std::string> seen_;
};

} // namespace

std::vector<std::string> made_pieces(size_t size) {
  auto c = collector{size};
  c.pieces.push_back("</s>");
  for (auto b = 0; b < 256; ++b)
    c.add(std::string(1, static_cast<char>(b)));
  for (auto m : marks)
    c.add(std::string{m});
  for (auto n = size_t{2}; n <= 64; n += n < 16 ? 1 : 16) {
    c.add(std::string(n, ' '));
    c.add("\n" + std::string(n, ' '));
  }
  for (auto n = 0; n < 1000; ++n) {
    c.add(std::to_string(n));
    if (n < 100)
      c.add(std::string(n < 10 ? "0" : "") + std::to_string(n));
  }
  for (auto code = char32_t{0x4e00}; code < 0x4e00 + 3000; ++code) {
    auto text = std::string{};
    append_utf8(code, text);
    c.add(text);
    if (code % 7 == 0)
      c.add(text.substr(0, 2));
  }
  for (auto code = char32_t{0xc0}; code < 0x250; ++code) {
    auto text = std::string{};
    append_utf8(code, text);
    c.add(text);
  }
  auto syllables = std::vector<std::string>{};
  for (auto o : onsets)
    for (auto v : vowels)
      for (auto d : codas)
        syllables.push_back(std::string{o} + std::string{v} + std::string{d});
  // What no JSON string can hold as it is: quotes, ends of lines, backslashes.
  for (auto i = size_t{0}; i < syllables.size(); i += 4) {
    c.add("\"" + syllables[i]);
    c.add(" \"" + syllables[i]);
  }
  for (auto m : marks)
    for (auto end : {"\n", "\n\n", "\n  ", "\n    ", "\r\n"})
      c.add(std::string{m} + end);
  for (auto letter = 'a'; letter <= 'z'; ++letter)
    for (auto before : {"\\", " \\", "/\\", "(\\"})
      c.add(std::string{before} + letter);
  for (auto& s : syllables)
    c.add_word(s);
  // Pairs in an order that mixes all of them, whatever the size.
  auto n = syllables.size();
  for (auto k = size_t{1}; k < n && !c.full(); ++k)
    for (auto i = size_t{0}; i < n && !c.full(); i += 1 + k % 7)
      c.add_word(syllables[i] + syllables[(i * 31 + k * 577) % n]);
  return c.pieces;
}

} // namespace troupe::constrain
