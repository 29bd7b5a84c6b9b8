#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/ids.hpp"
#include "core/base/result.hpp"
#include "core/schema/byte_set.hpp"

namespace troupe {
class tokenizer;
}

namespace troupe::constrain {

/// A model's tokens as byte strings, in a tree of their bytes; built once a
/// model, immutable and thread-safe. Control tokens, and others that have no
/// bytes, are not in it: no mask allows them, but for those that end a text.
class token_vocabulary {
public:
  /// A node of the tree in preorder: its first child, if it has any, is the
  /// next one; its children end where it ends.
  struct node {
    uint32_t end;    ///< behind all that is below it
    uint32_t tokens; ///< in `spelled`: where those that end here begin
    uint8_t byte;    ///< of the way to it
  };

  /// `pieces` by token; those that are empty are not in the tree, nor are
  /// `ends`. invalid_argument if there is no end token, or one out of range.
  static result<std::shared_ptr<const token_vocabulary>>
  make(std::vector<std::string> pieces, std::vector<token_id> ends);
  static result<std::shared_ptr<const token_vocabulary>>
  make(const tokenizer& from);

  uint32_t size() const { return static_cast<uint32_t>(pieces_.size()); }
  /// Of a mask with a bit a token.
  size_t words() const { return (pieces_.size() + 63) / 64; }
  /// Empty for what is not in the tree.
  std::string_view piece(token_id id) const {
    return pieces_[static_cast<size_t>(id)];
  }
  std::span<const token_id> ends() const { return ends_; }
  bool is_end(token_id id) const;
  /// Of the longest token.
  size_t longest() const { return longest_; }
  /// Bytes that are tokens by themselves.
  const byte_set& bytes() const { return bytes_; }

  std::span<const node> nodes() const { return nodes_; }
  /// Tokens whose bytes lead to this node.
  std::span<const token_id> tokens_at(uint32_t n) const {
    return {spelled_.data() + nodes_[n].tokens,
            spelled_.data() + tokens_end(n)};
  }
  static constexpr auto none = ~uint32_t{0};
  /// The child by that byte, or `none`.
  uint32_t child(uint32_t n, uint8_t byte) const;

private:
  uint32_t tokens_end(uint32_t n) const {
    return n + 1 < nodes_.size() ? nodes_[n + 1].tokens
                                 : static_cast<uint32_t>(spelled_.size());
  }
  void plant();

  std::vector<std::string> pieces_;
  std::vector<token_id> ends_; // ascending
  std::vector<node> nodes_;    // the first is the root
  std::vector<token_id> spelled_; // by their bytes
  size_t longest_ = 0;
  byte_set bytes_;
};

} // namespace troupe::constrain
