#include "core/text/pre_tokenizer.hpp"

#include <array>
#include <unicode/uchar.h>

#include "core/text/utf8.hpp"

namespace troupe {

namespace {

enum class kind : uint8_t {
  letter,  // \p{L}
  number,  // \p{N}
  newline, // [\r\n]
  space,   // \s, but for the newlines
  symbol,  // anything else, and bytes that are not UTF-8
  end,
};

kind kind_of(char32_t code) {
  if (code == '\r' || code == '\n')
    return kind::newline;
  auto c = static_cast<UChar32>(code);
  auto mask = U_GET_GC_MASK(c);
  if (mask & U_GC_L_MASK)
    return kind::letter;
  if (mask & U_GC_N_MASK)
    return kind::number;
  return u_isUWhiteSpace(c) ? kind::space : kind::symbol;
}

std::array<kind, 128> make_ascii() {
  auto kinds = std::array<kind, 128>{};
  for (auto c = char32_t{0}; c < kinds.size(); ++c)
    kinds[c] = kind_of(c);
  return kinds;
}

// One character of the text.
struct glyph {
  kind what = kind::end;
  size_t size = 0;
};

class reader {
public:
  explicit reader(std::string_view text) : text_(text) {}

  glyph at(size_t i) const {
    static const auto ascii = make_ascii();
    if (i >= text_.size())
      return {};
    if (auto b = static_cast<uint8_t>(text_[i]); b < 0x80)
      return {ascii[b], 1};
    auto step = step_utf8(text_, i);
    if (step.state != utf8_state::whole)
      return {kind::symbol, 1};
    return {kind_of(step.code), step.size};
  }

  // The end of the longest run of `what` that begins at `i`.
  size_t run(kind what, size_t i, size_t most = SIZE_MAX) const {
    for (; most > 0; --most) {
      auto g = at(i);
      if (g.what != what)
        break;
      i += g.size;
    }
    return i;
  }

  // The end of a contraction such as 's, or `i` if there is none.
  size_t contraction(size_t i, bool ignore_case) const {
    auto lower = [&](size_t at) {
      auto c = at < text_.size() ? text_[at] : '\0';
      return ignore_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32)
                                                 : c;
    };
    if (lower(i) != '\'')
      return i;
    auto a = lower(i + 1), b = lower(i + 2);
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
      return i + 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e')
        || (a == 'l' && b == 'l'))
      return i + 3;
    // U+017F, the long s, is an s where case does not matter.
    if (ignore_case && text_.substr(i + 1, 2) == "\u017F")
      return i + 3;
    return i;
  }

  // \s+(?!\S)|\s+, and before it \s*[\r\n]+ if `at_newlines`.
  size_t white_space(size_t begin, bool at_newlines) const {
    auto end = begin, last = begin, after_newline = begin;
    for (;;) {
      auto g = at(end);
      if (g.what != kind::space && g.what != kind::newline)
        break;
      last = end;
      end += g.size;
      if (g.what == kind::newline)
        after_newline = end;
    }
    if (at_newlines && after_newline > begin)
      return after_newline;
    // The last one is left to the word that follows.
    return end < text_.size() && last > begin ? last : end;
  }

  char operator[](size_t i) const { return text_[i]; }

private:
  std::string_view text_;
};

size_t next_gpt2(const reader& s, size_t at) {
  if (auto end = s.contraction(at, false); end != at)
    return end;
  auto body = s[at] == ' ' ? at + 1 : at;
  switch (auto what = s.at(body).what) {
  case kind::letter:
  case kind::number:
  case kind::symbol:
    return s.run(what, body);
  default:
    return s.white_space(at, false);
  }
}

size_t next_llama(const reader& s, size_t at, size_t most_digits) {
  if (auto end = s.contraction(at, true); end != at)
    return end;
  auto first = s.at(at);
  if (first.what == kind::letter)
    return s.run(kind::letter, at);
  if (first.what == kind::number)
    return s.run(kind::number, at, most_digits);
  auto second = at + first.size;
  if (first.what != kind::newline && s.at(second).what == kind::letter)
    return s.run(kind::letter, second);
  auto body = s[at] == ' ' ? second : at;
  if (s.at(body).what == kind::symbol)
    return s.run(kind::newline, s.run(kind::symbol, body));
  return s.white_space(at, true);
}

} // namespace

result<pre_tokenizer>
pre_tokenizer::make(const std::vector<std::string>& patterns) {
  auto made = pre_tokenizer{};
  for (auto& pattern : patterns) {
    if (pattern == gpt2_words) {
      made.steps_.emplace_back(scanner::gpt2);
    } else if (pattern == llama3_words) {
      made.steps_.emplace_back(scanner::llama3);
    } else if (pattern == qwen2_words) {
      made.steps_.emplace_back(scanner::qwen2);
    } else {
      auto regex = word_regex::compile(pattern);
      if (!regex)
        return regex.failure();
      made.steps_.emplace_back(*std::move(regex));
    }
  }
  return made;
}

std::vector<size_t> pre_tokenizer::cut(std::string_view text) const {
  auto ends = std::vector<size_t>{};
  if (text.empty())
    return ends;
  auto memory = word_regex::threads{};
  auto before = std::vector<size_t>{};
  ends.push_back(text.size());
  for (auto& step : steps_) {
    std::swap(before, ends);
    ends.clear();
    auto begin = size_t{0};
    for (auto end : before) {
      auto piece = text.substr(begin, end - begin);
      if (auto* regex = std::get_if<word_regex>(&step))
        regex->cut(piece, begin, memory, ends);
      else
        cut_by(std::get<scanner>(step), piece, begin, ends);
      begin = end;
    }
  }
  return ends;
}

void pre_tokenizer::cut_by(scanner how, std::string_view text, size_t base,
                           std::vector<size_t>& ends) {
  auto s = reader{text};
  for (auto at = size_t{0}; at < text.size();) {
    switch (how) {
    case scanner::gpt2:
      at = next_gpt2(s, at);
      break;
    case scanner::llama3:
      at = next_llama(s, at, 3);
      break;
    case scanner::qwen2:
      at = next_llama(s, at, 1);
      break;
    }
    ends.push_back(base + at);
  }
}

} // namespace troupe
