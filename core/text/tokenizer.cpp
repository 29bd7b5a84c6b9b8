#include "core/text/tokenizer.hpp"

#include <algorithm>
#include <array>

#include "core/text/bpe_tokenizer.hpp"
#include "core/text/check_vocabulary.hpp"
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
  if (vocab.model != "gpt2" && vocab.model != "llama")
    return fail(errc::unsupported,
                "tokenizer model " + quoted(vocab.model)
                    + "; this build has \"gpt2\" and \"llama\"");
  if (auto done = check_vocabulary(vocab); !done)
    return done.failure();
  auto made = std::shared_ptr<tokenizer>{};
  if (vocab.model == "llama") {
    made = std::make_shared<spm_tokenizer>(std::move(vocab));
  } else {
    auto pre = find_pre_tokenizer(vocab.pre);
    if (!pre)
      return fail(errc::unsupported,
                  "pre-tokenizer " + quoted(vocab.pre)
                      + "; this build has \"gpt-2\", \"llama-bpe\" and "
                        "\"qwen2\"");
    made = std::make_shared<bpe_tokenizer>(std::move(vocab), *pre);
  }
  if (auto done = made->index(); !done)
    return done.failure();
  return std::shared_ptr<const tokenizer>{std::move(made)};
}

tokenizer::tokenizer(vocabulary vocab) : vocab_(std::move(vocab)) {}

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

// -- text to tokens -----------------------------------------------------------

std::vector<token_id> tokenizer::encode(std::string_view text,
                                        encode_options options) const {
  auto ids = std::vector<token_id>{};
  if (options.add_special && vocab_.add_bos)
    ids.push_back(vocab_.bos);
  auto section = size_t{0};
  for (auto at = size_t{0}; options.parse_special;) {
    auto hit = special_.find(text, at);
    if (!hit)
      break;
    at = hit->end;
    // User-defined ones are looked for here only because one of them may hold
    // the spelling of a control token; they stay in their section.
    if (kind(hit->id) == token_kind::user_defined)
      continue;
    if (hit->begin > section)
      encode_section(text.substr(section, hit->begin - section), ids);
    ids.push_back(hit->id);
    section = at;
  }
  if (section < text.size())
    encode_section(text.substr(section), ids);
  if (options.add_special && vocab_.add_eos)
    ids.push_back(vocab_.eos);
  return ids;
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
