#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/base/ids.hpp"

namespace troupe::constrain {

/// Tokens by their bytes: a tree in preorder. The first child of a node, if it
/// has any, is the next node; its children end where it ends.
class token_tree {
public:
  struct node {
    uint32_t end;    ///< behind all that is below it
    uint32_t tokens; ///< in `spelled_`: where those that end here begin
    uint8_t byte;    ///< of the way to it
  };
  static constexpr auto none = ~uint32_t{0};

  token_tree() = default;
  /// Of some of the pieces, which are not empty and must live as long.
  token_tree(std::span<const std::string> pieces, std::vector<token_id> some);

  /// The first is the root.
  std::span<const node> nodes() const { return nodes_; }
  /// Tokens whose bytes lead to this node.
  std::span<const token_id> tokens_at(uint32_t n) const {
    return {spelled_.data() + nodes_[n].tokens,
            spelled_.data() + tokens_end(n)};
  }
  /// Those, and all whose bytes go on from there.
  std::span<const token_id> tokens_from(uint32_t n) const;
  /// The node to which bytes lead, or `none`.
  uint32_t find(std::string_view bytes) const;

private:
  uint32_t tokens_end(uint32_t n) const {
    return n + 1 < nodes_.size() ? nodes_[n + 1].tokens
                                 : static_cast<uint32_t>(spelled_.size());
  }

  std::vector<node> nodes_{{1, 0, 0}};
  std::vector<token_id> spelled_; // by their bytes
};

} // namespace troupe::constrain
