#include "core/schema/token_vocabulary.hpp"

#include <algorithm>
#include <numeric>

#include "core/text/tokenizer.hpp"

namespace troupe::constrain {

namespace {

size_t common_prefix(std::string_view a, std::string_view b) {
  auto n = std::min(a.size(), b.size());
  auto i = size_t{0};
  while (i < n && a[i] == b[i])
    ++i;
  return i;
}

} // namespace

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
      return fail(errc::invalid_argument,
                  "the end token " + std::to_string(id)
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

// From the tokens in the order of their bytes, as a walk through the tree
// meets them.
void token_vocabulary::plant() {
  auto order = std::vector<token_id>{};
  for (auto i = size_t{0}; i < pieces_.size(); ++i)
    if (!pieces_[i].empty())
      order.push_back(static_cast<token_id>(i));
  std::stable_sort(order.begin(), order.end(), [&](token_id a, token_id b) {
    return piece(a) < piece(b);
  });
  nodes_.push_back({0, 0, 0});
  auto path = std::vector<uint32_t>{0}; // nodes on the way to the last one
  auto text = std::string_view{};
  auto leave = [&](size_t depth) {
    for (; path.size() > depth + 1; path.pop_back())
      nodes_[path.back()].end = static_cast<uint32_t>(nodes_.size());
  };
  for (auto id : order) {
    auto next = piece(id);
    auto shared = common_prefix(text, next);
    leave(shared);
    for (auto i = shared; i < next.size(); ++i) {
      path.push_back(static_cast<uint32_t>(nodes_.size()));
      nodes_.push_back({0, static_cast<uint32_t>(spelled_.size()),
                        static_cast<uint8_t>(next[i])});
    }
    spelled_.push_back(id);
    text = next;
    longest_ = std::max(longest_, next.size());
    if (next.size() == 1)
      bytes_.add(static_cast<uint8_t>(next[0]));
  }
  leave(0);
  nodes_[0].end = static_cast<uint32_t>(nodes_.size());
}

bool token_vocabulary::is_end(token_id id) const {
  return std::binary_search(ends_.begin(), ends_.end(), id);
}

uint32_t token_vocabulary::child(uint32_t n, uint8_t byte) const {
  for (auto c = n + 1; c < nodes_[n].end; c = nodes_[c].end)
    if (nodes_[c].byte == byte)
      return c;
  return none;
}

} // namespace troupe::constrain
