#include "core/constrain/token_vocabulary.hpp"

#include <algorithm>

#include "core/text/tokenizer.hpp"
#include "core/text/utf8.hpp"

namespace troupe::constrain {

result<std::shared_ptr<const token_vocabulary>>
token_vocabulary::make(std::vector<std::string> pieces,
                       std::vector<token_id> ends) {
  if (ends.empty())
    return fail(errc::invalid_argument,
                "the vocabulary has no token that ends a text");
  auto v = std::make_shared<token_vocabulary>();
  v->pieces_ = std::move(pieces);
  for (auto id : ends) {
    if (id < 0 || static_cast<size_t>(id) >= v->pieces_.size())
      return fail(errc::invalid_argument, "the end token " + std::to_string(id)
                                              + " is not in the vocabulary");
    v->pieces_[static_cast<size_t>(id)].clear();
  }
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  v->ends_ = std::move(ends);
  v->plant();
  return std::shared_ptr<const token_vocabulary>{std::move(v)};
}

result<std::shared_ptr<const token_vocabulary>>
token_vocabulary::make(const tokenizer& from) {
  auto pieces = std::vector<std::string>(from.size());
  for (auto i = size_t{0}; i < pieces.size(); ++i) {
    auto kind = from.vocab().kinds[i];
    if (kind == token_kind::normal || kind == token_kind::byte
        || kind == token_kind::user_defined)
      from.append_piece(static_cast<token_id>(i), pieces[i]);
  }
  return make(std::move(pieces), from.end_tokens());
}

void token_vocabulary::plant() {
  auto plain = std::vector<token_id>{}, special = plain;
  plain_.assign(most_plain + 1, std::vector<uint64_t>(words()));
  for (auto i = size_t{0}; i < pieces_.size(); ++i) {
    auto& text = pieces_[i];
    if (text.empty())
      continue;
    auto id = static_cast<token_id>(i);
    longest_ = std::max(longest_, text.size());
    if (text.size() == 1)
      bytes_.add(static_cast<uint8_t>(text[0]));
    auto length = plain_length(text);
    if (length == 0 || length > most_plain) {
      special.push_back(id);
      continue;
    }
    plain.push_back(id);
    for (auto n = length; n <= most_plain; ++n)
      plain_[n][i / 64] |= uint64_t{1} << (i % 64);
  }
  plain_tree_ = {pieces_, std::move(plain)};
  rest_ = {pieces_, std::move(special)};
}

bool token_vocabulary::is_end(token_id id) const {
  return std::binary_search(ends_.begin(), ends_.end(), id);
}

uint32_t plain_length(std::string_view text) {
  auto length = uint32_t{0};
  for (auto i = size_t{0}; i < text.size(); ++length) {
    auto c = step_utf8(text, i);
    if (c.state != utf8_state::whole || c.code < 0x20 || c.code == '"'
        || c.code == '\\')
      return 0;
    i += c.size;
  }
  return length;
}

} // namespace troupe::constrain
