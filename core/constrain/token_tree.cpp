#include "core/constrain/token_tree.hpp"

#include <algorithm>

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

// From the tokens in the order of their bytes, as a walk through the tree
// meets them.
token_tree::token_tree(std::span<const std::string> pieces,
                       std::vector<token_id> some) {
  auto piece = [&](token_id id) -> std::string_view {
    return pieces[static_cast<size_t>(id)];
  };
  std::stable_sort(some.begin(), some.end(),
                   [&](token_id a, token_id b) { return piece(a) < piece(b); });
  auto path = std::vector<uint32_t>{0}; // nodes on the way to the last one
  auto text = std::string_view{};
  auto leave = [&](size_t depth) {
    for (; path.size() > depth + 1; path.pop_back())
      nodes_[path.back()].end = static_cast<uint32_t>(nodes_.size());
  };
  for (auto id : some) {
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
  }
  leave(0);
  nodes_[0].end = static_cast<uint32_t>(nodes_.size());
}

std::span<const token_id> token_tree::tokens_from(uint32_t n) const {
  auto end = nodes_[n].end;
  return {spelled_.data() + nodes_[n].tokens,
          spelled_.data()
              + (end < nodes_.size() ? nodes_[end].tokens : spelled_.size())};
}

uint32_t token_tree::find(std::string_view bytes) const {
  auto n = uint32_t{0};
  for (auto c : bytes) {
    auto child = n + 1;
    while (child < nodes_[n].end
           && nodes_[child].byte != static_cast<uint8_t>(c))
      child = nodes_[child].end;
    if (child >= nodes_[n].end)
      return none;
    n = child;
  }
  return n;
}

} // namespace troupe::constrain
