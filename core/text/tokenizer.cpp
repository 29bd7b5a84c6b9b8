#include "core/text/tokenizer.hpp"

#include <algorithm>
#include <array>

#include "core/text/bpe_tokenizer.hpp"
#include "core/text/check_vocabulary.hpp"
#include "core/text/jinja/parser.hpp"
#include "core/text/spaces.hpp"
#include "core/text/spm_tokenizer.hpp"
#include "core/text/utf8.hpp"

namespace troupe {

namespace {

// Tokens that end a turn in some model family, whichever of them a file calls
// eos.
constexpr auto end_names = std::array<std::string_view, 14>{
    "<|im_end|>",    "<|eot_id|>",
    "<|eom_id|>",    "<|end|>",
    "<|endoftext|>", "<|end_of_text|>",
    "<end_of_turn>", "<|end_of_turn|>",
    "<|eot|>",       "<EOT>",
    "<|EOT|>",       "<|return|>",
    "</s>",          "<｜end▁of▁sentence｜>",
};

} // namespace

// -- construction -------------------------------------------------------------

result<std::shared_ptr<const tokenizer>> tokenizer::make(vocabulary vocab) {
  if (vocab.model != "gpt2" && vocab.model != "llama" && vocab.model != "bpe")
    return fail(errc::unsupported,
                "tokenizer model " + quoted(vocab.model)
                    + "; this build has \"gpt2\", \"llama\" and \"bpe\"");
  if (auto done = check_vocabulary(vocab); !done)
    return done.failure();
  auto made = std::shared_ptr<tokenizer>{};
  if (vocab.model == "llama") {
    made = std::make_shared<spm_tokenizer>(std::move(vocab));
  } else {
    if (!vocab.patterns || !vocab.ignore_merges) {
      auto rules = find_pre_tokenizer(vocab.pre);
      if (!rules)
        return fail(errc::unsupported, "pre-tokenizer " + quoted(vocab.pre));
      if (!vocab.patterns)
        vocab.patterns = std::move(rules->patterns);
      if (!vocab.ignore_merges)
        vocab.ignore_merges = rules->ignore_merges;
    }
    auto pre = pre_tokenizer::make(*vocab.patterns);
    if (!pre)
      return pre.failure();
    made = std::make_shared<bpe_tokenizer>(std::move(vocab), *std::move(pre));
  }
  if (auto done = made->index(); !done)
    return done.failure();
  if (!made->vocab_.chat_template.empty())
    made->chat_template_ = jinja::parse(made->vocab_.chat_template);
  return std::shared_ptr<const tokenizer>{std::move(made)};
}

tokenizer::tokenizer(vocabulary vocab) : vocab_(std::move(vocab)) {
  std::sort(vocab_.lstrip.begin(), vocab_.lstrip.end());
  std::sort(vocab_.rstrip.begin(), vocab_.rstrip.end());
}

result<void> tokenizer::index() {
  ids_.reserve(vocab_.tokens.size());
  for (auto id = token_id{0}; in_range(id); ++id) {
    if (kind(id) == token_kind::unused)
      continue;
    if (auto [at, fresh] = ids_.emplace(spelling(id), id); !fresh)
      return fail(errc::bad_file, "vocabulary: tokens "
                                      + std::to_string(at->second) + " and "
                                      + std::to_string(id) + " are both "
                                      + quoted(spelling(id)));
    if (kind(id) == token_kind::control || kind(id) == token_kind::unknown
        || kind(id) == token_kind::user_defined)
      special_.insert(spelling(id), id);
  }
  index_ends();
  return {};
}

void tokenizer::index_ends() {
  end_tokens_ = vocab_.ends;
  for (auto id : {vocab_.eos, vocab_.eot})
    if (id >= 0)
      end_tokens_.push_back(id);
  for (auto name : end_names)
    if (auto id = find(name); id && is_control(*id))
      end_tokens_.push_back(*id);
  std::sort(end_tokens_.begin(), end_tokens_.end());
  end_tokens_.erase(std::unique(end_tokens_.begin(), end_tokens_.end()),
                    end_tokens_.end());
}

result<bool> tokenizer::index_bytes(std::array<token_id, 256>& ids) const {
  auto bad = [](const std::string& reason) {
    return fail(errc::bad_file, "vocabulary: " + reason);
  };
  ids.fill(-1);
  auto bytes = size_t{0};
  for (auto id = token_id{0}; in_range(id); ++id) {
    if (kind(id) != token_kind::byte)
      continue;
    auto byte = parse_byte_token(spelling(id));
    if (byte < 0)
      return bad("byte token " + std::to_string(id) + " is spelled "
                 + quoted(spelling(id)));
    auto& to = ids[static_cast<size_t>(byte)];
    if (to >= 0)
      return bad("tokens " + std::to_string(to) + " and " + std::to_string(id)
                 + " are both the byte " + std::to_string(byte));
    to = id;
    ++bytes;
  }
  if (bytes > 0 && bytes != ids.size())
    return bad(std::to_string(bytes) + " of 256 byte tokens");
  return bytes > 0;
}

// -- text to tokens -----------------------------------------------------------

size_t tokenizer::end_before(token_id id, std::string_view text, size_t begin,
                             size_t end) const {
  if (!std::binary_search(vocab_.lstrip.begin(), vocab_.lstrip.end(), id))
    return end;
  return begin + trimmed_right(text.substr(begin, end - begin)).size();
}

size_t tokenizer::begin_after(token_id id, std::string_view text,
                              size_t end) const {
  if (!std::binary_search(vocab_.rstrip.begin(), vocab_.rstrip.end(), id))
    return end;
  return text.size() - trimmed_left(text.substr(end)).size();
}

std::vector<token_id> tokenizer::encode(std::string_view text,
                                        encode_options options) const {
  auto ids = std::vector<token_id>{};
  if (options.add_special && vocab_.add_bos)
    ids.push_back(vocab_.bos);
  auto whole = text_range{0, text.size()};
  encode_into(text, {&whole, options.parse_special ? 1u : 0u}, ids);
  if (options.add_special && vocab_.add_eos)
    ids.push_back(vocab_.eos);
  return ids;
}

std::vector<token_id>
tokenizer::encode(std::string_view text,
                  std::span<const text_range> trusted) const {
  auto ids = std::vector<token_id>{};
  encode_into(text, trusted, ids);
  return ids;
}

void tokenizer::encode_into(std::string_view text,
                            std::span<const text_range> trusted,
                            std::vector<token_id>& ids) const {
  auto section = size_t{0};
  for (auto range : trusted) {
    auto at = std::max(range.begin, section);
    while (at < range.end) {
      auto hit = special_.find(text.substr(0, range.end), at);
      if (!hit)
        break;
      at = hit->end;
      // User-defined ones are looked for here only because one of them may
      // hold the spelling of a control token; they stay in their section.
      if (kind(hit->id) == token_kind::user_defined)
        continue;
      auto end = end_before(hit->id, text, section, hit->begin);
      if (end > section)
        encode_section(text.substr(section, end - section), section == 0, ids);
      ids.push_back(hit->id);
      at = section = begin_after(hit->id, text, hit->end);
    }
  }
  if (section < text.size())
    encode_section(text.substr(section), section == 0, ids);
}

// -- tokens to text -----------------------------------------------------------

void tokenizer::append_piece(token_id id, std::string& out,
                             bool with_control) const {
  if (!in_range(id))
    return;
  if (kind(id) != token_kind::control)
    append_text(id, out);
  else if (with_control)
    out += spelling(id);
}

std::string tokenizer::decode(std::span<const token_id> ids,
                              bool with_control) const {
  auto text = std::string{};
  auto first = adds_space_;
  for (auto id : ids) {
    auto before = text.size();
    append_piece(id, text, with_control);
    if (first && text.size() > before && !is_control(id)) {
      first = false;
      if (text[before] == ' ')
        text.erase(before, 1);
    }
  }
  return text;
}

// -- properties ---------------------------------------------------------------

bool tokenizer::is_control(token_id id) const {
  return in_range(id) && kind(id) == token_kind::control;
}

bool tokenizer::is_end(token_id id) const {
  return std::binary_search(end_tokens_.begin(), end_tokens_.end(), id);
}

std::optional<token_id> tokenizer::find(std::string_view text) const {
  auto at = ids_.find(text);
  if (at == ids_.end())
    return {};
  return at->second;
}

} // namespace troupe
