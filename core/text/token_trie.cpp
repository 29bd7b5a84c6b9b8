#include "core/text/token_trie.hpp"

namespace troupe {

namespace {

uint64_t edge(uint32_t node, char c) {
  return uint64_t{node} << 8 | static_cast<uint8_t>(c);
}

} // namespace

void token_trie::insert(std::string_view text, token_id id) {
  first_.set(static_cast<uint8_t>(text.front()));
  auto node = uint32_t{0};
  for (auto c : text) {
    auto next = static_cast<uint32_t>(ids_.size());
    auto [at, fresh] = edges_.try_emplace(edge(node, c), next);
    if (fresh)
      ids_.push_back(-1);
    node = at->second;
  }
  ids_[node] = id;
}

std::optional<token_trie::hit> token_trie::match(std::string_view text,
                                                 size_t at) const {
  auto best = std::optional<hit>{};
  if (!first_.test(static_cast<uint8_t>(text[at])))
    return best;
  auto node = uint32_t{0};
  for (auto i = at; i < text.size(); ++i) {
    auto next = edges_.find(edge(node, text[i]));
    if (next == edges_.end())
      break;
    node = next->second;
    if (ids_[node] >= 0)
      best = hit{at, i + 1, ids_[node]};
  }
  return best;
}

std::optional<token_trie::hit> token_trie::find(std::string_view text,
                                                size_t at) const {
  if (empty())
    return {};
  for (; at < text.size(); ++at)
    if (auto found = match(text, at))
      return found;
  return {};
}

} // namespace troupe
