#include "core/text/spm_tokenizer.hpp"

#include <algorithm>

#include "core/text/check_vocabulary.hpp"
#include "core/text/spaces.hpp"
#include "core/text/utf8.hpp"

namespace troupe {

namespace {

constexpr auto none = UINT32_MAX;

struct candidate {
  float score;
  uint32_t at;
  uint32_t size; // of the whole, in bytes

  // The best on top: the highest score, then the leftmost.
  bool operator<(const candidate& other) const {
    return score != other.score ? score < other.score : at > other.at;
  }
};

} // namespace

// -- merging ------------------------------------------------------------------

// Encodes words into `out`, one after another; keeps its memory between them.
class spm_tokenizer::merger {
public:
  merger(const spm_tokenizer& text, std::vector<token_id>& out)
      : text_(text), out_(out) {}

  void run(std::string_view word) {
    word_ = word;
    start();
    while (!queue_.empty()) {
      std::pop_heap(queue_.begin(), queue_.end());
      auto top = queue_.back();
      queue_.pop_back();
      auto& left = symbols_[top.at];
      // One of them may have been joined to another since.
      if (left.size == 0 || left.after == none
          || left.size + symbols_[left.after].size != top.size)
        continue;
      auto& right = symbols_[left.after];
      left.size = top.size;
      left.after = right.after;
      right.size = 0;
      if (left.after != none)
        symbols_[left.after].before = top.at;
      consider(left.before);
      consider(top.at);
    }
    for (auto i = uint32_t{0}; i != none; i = symbols_[i].after)
      finish(word_.substr(symbols_[i].begin, symbols_[i].size));
  }

private:
  struct symbol {
    uint32_t begin;
    uint32_t size; // 0: joined to the one before
    uint32_t before;
    uint32_t after;
  };

  // One symbol a character; of what is not UTF-8, one a byte.
  void start() {
    symbols_.clear();
    halves_.clear();
    for (auto at = size_t{0}; at < word_.size();) {
      auto step = step_utf8(word_, at);
      auto size = step.state == utf8_state::whole ? uint32_t{step.size} : 1u;
      auto i = static_cast<uint32_t>(symbols_.size());
      symbols_.push_back(
          {static_cast<uint32_t>(at), size, i == 0 ? none : i - 1, i + 1});
      at += size;
    }
    symbols_.back().after = none;
    for (auto i = uint32_t{0}; i < symbols_.size(); ++i)
      consider(i);
  }

  void consider(uint32_t at) {
    if (at == none || symbols_[at].after == none)
      return;
    auto& left = symbols_[at];
    auto size = left.size + symbols_[left.after].size;
    auto whole = word_.substr(left.begin, size);
    auto found = text_.find_piece(whole);
    if (found == nullptr)
      return;
    queue_.push_back({found->score, at, size});
    std::push_heap(queue_.begin(), queue_.end());
    if (text_.kind(found->id) == token_kind::unused)
      halves_[whole] = left.size;
  }

  // Unused tokens fall apart again.
  void finish(std::string_view part) {
    auto todo = std::vector<std::string_view>{};
    for (;;) {
      auto half = halves_.empty() ? halves_.end() : halves_.find(part);
      if (half != halves_.end()) {
        todo.push_back(part.substr(half->second));
        part = part.substr(0, half->second);
        continue;
      }
      text_.emit(part, out_);
      if (todo.empty())
        return;
      part = todo.back();
      todo.pop_back();
    }
  }

  const spm_tokenizer& text_;
  std::vector<token_id>& out_;
  std::string_view word_;
  std::vector<symbol> symbols_;
  std::vector<candidate> queue_; // a heap
  // Of the unused tokens met, the size of their left half.
  std::unordered_map<std::string_view, uint32_t> halves_;
};

// -- construction -------------------------------------------------------------

spm_tokenizer::spm_tokenizer(vocabulary vocab) : tokenizer(std::move(vocab)) {
  adds_space_ = vocab_.add_space_prefix;
}

result<void> spm_tokenizer::index() {
  if (auto done = tokenizer::index(); !done)
    return done;
  auto bad = [](const std::string& reason) {
    return fail(errc::bad_file, "vocabulary: " + reason);
  };
  if (vocab_.scores.empty())
    return bad("no scores");
  for (auto id = token_id{0}; in_range(id) && vocab_.unk < 0; ++id)
    if (kind(id) == token_kind::unknown)
      vocab_.unk = id;
  auto bytes = index_bytes(byte_ids_);
  if (!bytes)
    return bytes.failure();
  has_bytes_ = *bytes;
  // One that is a control token as well would let a text speak for it.
  if (!has_bytes_
      && (vocab_.unk < 0 || kind(vocab_.unk) != token_kind::unknown))
    return bad("neither byte tokens nor an unknown token");
  index_pieces();
  return {};
}

void spm_tokenizer::index_pieces() {
  pieces_.reserve(vocab_.tokens.size());
  // Unused ones take part in merges, but not in what comes out. A spelling
  // that another token has as well is that token.
  for (auto wanted : {token_kind::normal, token_kind::unused})
    for (auto id = token_id{0}; in_range(id); ++id) {
      auto& text = spelling(id);
      if (kind(id) != wanted || text.empty())
        continue;
      pieces_.emplace(text, piece{id, vocab_.scores[static_cast<size_t>(id)]});
      longest_ = std::max(longest_, text.size());
      if (has_inner_space(text))
        splits_at_spaces_ = false;
    }
  for (auto id = token_id{0}; in_range(id); ++id)
    if (kind(id) == token_kind::user_defined) {
      auto spelled = std::string{};
      append_escaped(spelling(id), spelled);
      user_defined_.insert(spelled, id);
    }
}

const spm_tokenizer::piece*
spm_tokenizer::find_piece(std::string_view text) const {
  if (text.size() > longest_)
    return nullptr;
  auto at = pieces_.find(text);
  return at == pieces_.end() ? nullptr : &at->second;
}

// -- text to tokens -----------------------------------------------------------

void spm_tokenizer::encode_section(std::string_view text, bool first,
                                   std::vector<token_id>& out) const {
  auto spelled = std::string{};
  spelled.reserve(text.size() + text.size() / 2 + space_mark.size());
  if (adds_space_ && (first || !vocab_.prefix_first_only)
      && !(vocab_.prefix_unless_space && begins_with_space(text)))
    spelled += space_mark;
  append_escaped(text, spelled);
  auto all = std::string_view{spelled};
  auto merge = merger{*this, out};
  auto begin = size_t{0};
  while (auto hit = user_defined_.find(all, begin)) {
    encode_words(all.substr(begin, hit->begin - begin), merge);
    out.push_back(hit->id);
    begin = hit->end;
  }
  encode_words(all.substr(begin), merge);
}

void spm_tokenizer::encode_words(std::string_view text, merger& merge) const {
  for (auto begin = size_t{0}; begin < text.size();) {
    auto end = splits_at_spaces_ ? end_of_spaced(text, begin) : text.size();
    merge.run(text.substr(begin, end - begin));
    begin = end;
  }
}

void spm_tokenizer::emit(std::string_view text,
                         std::vector<token_id>& out) const {
  if (auto found = find_piece(text)) {
    out.push_back(found->id);
  } else if (has_bytes_) {
    for (auto c : text)
      out.push_back(byte_ids_[static_cast<uint8_t>(c)]);
  } else if (out.empty() || out.back() != vocab_.unk) {
    // A run of unknown characters is one unknown token.
    out.push_back(vocab_.unk);
  }
}

// -- tokens to text -----------------------------------------------------------

void spm_tokenizer::append_text(token_id id, std::string& out) const {
  if (kind(id) == token_kind::byte) {
    out += static_cast<char>(parse_byte_token(spelling(id)));
    return;
  }
  if (kind(id) == token_kind::unknown) {
    out += " \u2047 "; // as SentencePiece shows it
    return;
  }
  append_unescaped(spelling(id), out);
}

} // namespace troupe
