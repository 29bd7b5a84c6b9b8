#include "core/text/bpe_tokenizer.hpp"

#include <bit>
#include <queue>

#include "core/text/check_vocabulary.hpp"
#include "core/text/spaces.hpp"
#include "core/text/utf8.hpp"

namespace troupe {

namespace {

// -- the spelling of bytes ----------------------------------------------------

// GPT-2's bytes_to_unicode: printable Latin-1 spells itself, the others are
// spelled by U+0100 and on.
struct byte_alphabet {
  std::array<std::string, 256> spelling;
  std::array<int16_t, 0x144> byte; // of a code point, or -1

  byte_alphabet() {
    byte.fill(-1);
    auto next = char32_t{0x100};
    for (auto b = 0; b < 256; ++b) {
      auto code = static_cast<char32_t>(b);
      if (b <= 0x20 || (b >= 0x7F && b <= 0xA0) || b == 0xAD)
        code = next++;
      append_utf8(code, spelling[static_cast<size_t>(b)]);
      byte[code] = static_cast<int16_t>(b);
    }
  }
};

const byte_alphabet& alphabet() {
  static const auto& instance = *new byte_alphabet; // runtimes may be static
  return instance;
}

// These stand nowhere in UTF-8, and some vocabularies have no token for them.
bool is_never_utf8(uint8_t b) {
  return b == 0xC0 || b == 0xC1 || b >= 0xF5;
}

// -- merging ------------------------------------------------------------------

// Up to here, looking for the best merge again and again beats a heap.
constexpr auto most_short = size_t{32};

struct symbol {
  token_id id; // -1: joined to the one before
  uint32_t before;
  uint32_t after;
};

constexpr auto none = UINT32_MAX;

struct candidate {
  uint32_t rank;
  uint32_t at;
  token_id left;
  token_id right;
  token_id whole;

  // The best on top: the lowest rank, then the leftmost.
  bool operator<(const candidate& other) const {
    return rank != other.rank ? rank > other.rank : at > other.at;
  }
};

} // namespace

merge_table::merge_table(size_t merges)
    : slots_(std::bit_ceil(2 * merges + 2)) {}

size_t merge_table::slot_of(uint64_t pair) const {
  auto mask = slots_.size() - 1;
  auto hash = (pair ^ pair >> 32) * 0x9E3779B97F4A7C15u;
  auto at = (hash ^ hash >> 32) & mask;
  while (slots_[at].pair != UINT64_MAX && slots_[at].pair != pair)
    at = (at + 1) & mask;
  return at;
}

namespace {

uint64_t pair_of(token_id left, token_id right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32
         | static_cast<uint32_t>(right);
}

} // namespace

bool merge_table::insert(token_id left, token_id right, merge m) {
  auto& to = slots_[slot_of(pair_of(left, right))];
  if (to.pair != UINT64_MAX)
    return false;
  to = {pair_of(left, right), m};
  return true;
}

merge_table::merge merge_table::find(token_id left, token_id right) const {
  return slots_[slot_of(pair_of(left, right))].what;
}

// -- construction -------------------------------------------------------------

bpe_tokenizer::bpe_tokenizer(vocabulary vocab, pre_tokenizer pre)
    : tokenizer(std::move(vocab)), pre_(std::move(pre)),
      by_character_(vocab_.model == "bpe") {
  adds_space_ = by_character_ && vocab_.add_space_prefix;
}

result<void> bpe_tokenizer::index() {
  if (auto done = tokenizer::index(); !done)
    return done;
  if (auto done = index_alphabet(); !done)
    return done;
  for (auto id = token_id{0}; in_range(id); ++id)
    if (kind(id) == token_kind::user_defined)
      user_defined_.insert(spelling(id), id);
  return index_merges();
}

result<void> bpe_tokenizer::index_alphabet() {
  if (by_character_) {
    auto bytes = index_bytes(byte_ids_);
    if (!bytes)
      return bytes.failure();
    if (!*bytes)
      return fail(errc::bad_file, "vocabulary: no byte tokens");
    return {};
  }
  for (auto b = size_t{0}; b < 256; ++b) {
    auto id = find(alphabet().spelling[b]);
    if (id && kind(*id) == token_kind::normal)
      byte_ids_[b] = *id;
    else if (is_never_utf8(static_cast<uint8_t>(b)))
      lacking_ += static_cast<char>(b);
    else
      return fail(errc::bad_file,
                  "vocabulary: no token for the byte " + std::to_string(b));
  }
  return {};
}

result<void> bpe_tokenizer::index_merges() {
  merges_ = merge_table{vocab_.merges.size()};
  // Words are independent if no merge has a space after something else.
  splits_at_spaces_ = by_character_ && !*vocab_.ignore_merges;
  auto whole = std::string{};
  for (auto rank = uint32_t{0}; rank < vocab_.merges.size(); ++rank) {
    auto& line = vocab_.merges[rank];
    auto bad = [&](const std::string& reason) {
      return fail(errc::bad_file, "vocabulary: merge " + std::to_string(rank)
                                      + " " + quoted(line) + " " + reason);
    };
    // Spaces are spelled otherwise, so the only one is between the halves.
    auto cut = line.find(' ');
    if (cut == line.npos || line.find(' ', cut + 1) != line.npos)
      return bad("is not two tokens");
    auto left = find(std::string_view{line}.substr(0, cut));
    auto right = find(std::string_view{line}.substr(cut + 1));
    whole.assign(line, 0, cut).append(line, cut + 1);
    auto joined = find(whole);
    if (!left || !right || !joined)
      return bad("has a part that is no token");
    // Otherwise a text could spell a control token through merges.
    for (auto id : {*left, *right, *joined})
      if (kind(id) != token_kind::normal
          && kind(id) != token_kind::user_defined)
        return bad("has a part that is a special token");
    if (!merges_.insert(*left, *right, {rank, *joined}))
      return bad("is there twice");
    splits_at_spaces_ = splits_at_spaces_ && !has_inner_space(whole);
  }
  return {};
}

// -- text to tokens -----------------------------------------------------------

void bpe_tokenizer::encode_section(std::string_view text, bool first,
                                   std::vector<token_id>& out) const {
  auto begin = size_t{0};
  while (auto hit = user_defined_.find(text, begin)) {
    auto end = end_before(hit->id, text, begin, hit->begin);
    encode_piece(text.substr(begin, end - begin), first && begin == 0, out);
    out.push_back(hit->id);
    begin = begin_after(hit->id, text, hit->end);
  }
  encode_piece(text.substr(begin), first && begin == 0, out);
}

void bpe_tokenizer::encode_piece(std::string_view text, bool first,
                                 std::vector<token_id>& out) const {
  if (text.empty())
    return;
  auto normal = std::string{};
  if (vocab_.nfc)
    text = normal = to_nfc(text);
  auto spelled = std::string{};
  if (by_character_) {
    if (adds_space_ && (first || !vocab_.prefix_first_only)
        && !(vocab_.prefix_unless_space && begins_with_space(text)))
      spelled += space_mark;
    append_escaped(text, spelled);
    text = spelled;
  } else if (text.find_first_of(lacking_) != text.npos) {
    for (auto c : text)
      if (lacking_.find(c) == lacking_.npos)
        spelled += c;
      else
        spelled += "\uFFFD";
    text = spelled;
  }
  auto begin = size_t{0};
  for (auto end : pre_.cut(text)) {
    while (begin < end) {
      auto word = text.substr(begin, end - begin);
      if (splits_at_spaces_)
        word = word.substr(0, end_of_spaced(word, 0));
      encode_word(word, out);
      begin += word.size();
    }
  }
}

void bpe_tokenizer::encode_word(std::string_view word,
                                std::vector<token_id>& out) const {
  if (*vocab_.ignore_merges) {
    auto spelled = std::string{};
    for (auto c : word)
      if (by_character_)
        spelled += c;
      else
        spelled += alphabet().spelling[static_cast<uint8_t>(c)];
    if (auto id = find(spelled); id && kind(*id) == token_kind::normal) {
      out.push_back(*id);
      return;
    }
  }
  if (word.size() <= most_short)
    merge_short(word, out);
  else
    merge_long(word, out);
}

size_t bpe_tokenizer::start(std::string_view word, token_id* ids) const {
  auto n = size_t{0};
  for (auto at = size_t{0}; by_character_ && at < word.size();) {
    auto step = step_utf8(word, at);
    auto id = step.state == utf8_state::whole ? find(word.substr(at, step.size))
                                              : std::nullopt;
    if (id && kind(*id) == token_kind::normal)
      ids[n++] = *id;
    else
      for (auto c : word.substr(at, step.size))
        ids[n++] = byte_ids_[static_cast<uint8_t>(c)];
    at += step.size;
  }
  if (!by_character_)
    for (auto c : word)
      ids[n++] = byte_ids_[static_cast<uint8_t>(c)];
  return n;
}

void bpe_tokenizer::merge_short(std::string_view word,
                                std::vector<token_id>& out) const {
  auto ids = std::array<token_id, most_short>{};
  auto next =
      std::array<merge_table::merge, most_short>{}; // with the one after
  auto n = start(word, ids.data());
  for (auto i = size_t{0}; i + 1 < n; ++i)
    next[i] = merges_.find(ids[i], ids[i + 1]);
  while (n > 1) {
    auto best = size_t{0};
    for (auto i = size_t{1}; i + 1 < n; ++i)
      if (next[i].rank < next[best].rank)
        best = i;
    if (next[best].rank == UINT32_MAX)
      break;
    ids[best] = next[best].whole;
    --n;
    for (auto i = best + 1; i < n; ++i) {
      ids[i] = ids[i + 1];
      next[i] = next[i + 1];
    }
    if (best > 0)
      next[best - 1] = merges_.find(ids[best - 1], ids[best]);
    if (best + 1 < n)
      next[best] = merges_.find(ids[best], ids[best + 1]);
  }
  out.insert(out.end(), ids.begin(), ids.begin() + static_cast<ptrdiff_t>(n));
}

void bpe_tokenizer::merge_long(std::string_view word,
                               std::vector<token_id>& out) const {
  auto ids = std::vector<token_id>(word.size());
  auto n = static_cast<uint32_t>(start(word, ids.data()));
  auto symbols = std::vector<symbol>(n);
  for (auto i = uint32_t{0}; i < n; ++i)
    symbols[i] = {ids[i], i == 0 ? none : i - 1, i + 1 == n ? none : i + 1};
  auto queue = std::priority_queue<candidate>{};
  auto consider = [&](uint32_t at) {
    if (at == none || symbols[at].after == none)
      return;
    auto left = symbols[at].id, right = symbols[symbols[at].after].id;
    auto m = merges_.find(left, right);
    if (m.rank != UINT32_MAX)
      queue.push({m.rank, at, left, right, m.whole});
  };
  for (auto i = uint32_t{0}; i < n; ++i)
    consider(i);
  while (!queue.empty()) {
    auto top = queue.top();
    queue.pop();
    auto& left = symbols[top.at];
    // One of them may have been joined to another since.
    if (left.id != top.left || left.after == none
        || symbols[left.after].id != top.right)
      continue;
    auto& right = symbols[left.after];
    left.id = top.whole;
    left.after = right.after;
    right.id = -1;
    if (left.after != none)
      symbols[left.after].before = top.at;
    consider(left.before);
    consider(top.at);
  }
  for (auto i = uint32_t{0}; i != none; i = symbols[i].after)
    out.push_back(symbols[i].id);
}

// -- tokens to text -----------------------------------------------------------

void bpe_tokenizer::append_text(token_id id, std::string& out) const {
  auto& text = spelling(id);
  if (by_character_) {
    if (kind(id) == token_kind::byte)
      out += static_cast<char>(parse_byte_token(text));
    else
      append_unescaped(text, out);
    return;
  }
  // User-defined tokens are spelled as they are.
  if (kind(id) == token_kind::normal || kind(id) == token_kind::unused) {
    auto before = out.size();
    for (auto i = size_t{0}; i < text.size();) {
      auto step = step_utf8(text, i);
      auto known = step.state == utf8_state::whole
                   && step.code < alphabet().byte.size()
                   && alphabet().byte[step.code] >= 0;
      if (!known) {
        // Not in the alphabet: such a token never comes out of a text.
        out.resize(before);
        out += text;
        return;
      }
      out += static_cast<char>(alphabet().byte[step.code]);
      i += step.size;
    }
    return;
  }
  out += text;
}

} // namespace troupe
