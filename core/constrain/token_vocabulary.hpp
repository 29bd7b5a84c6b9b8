#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/ids.hpp"
#include "core/base/result.hpp"
#include "core/constrain/byte_set.hpp"
#include "core/constrain/token_tree.hpp"

namespace troupe {
class tokenizer;
}

namespace troupe::constrain {

/// A model's tokens as byte strings; built once a model, immutable and
/// thread-safe. Control tokens, and others that have no bytes, are in none of
/// its trees: no mask allows them, but for those that end a text.
class token_vocabulary {
public:
  /// `pieces` by token; those that are empty are not in the trees, nor are
  /// `ends`. invalid_argument if there is no end token, or one out of range.
  static result<std::shared_ptr<const token_vocabulary>>
  make(std::vector<std::string> pieces, std::vector<token_id> ends);
  static result<std::shared_ptr<const token_vocabulary>>
  make(const tokenizer& from);

  uint32_t size() const { return static_cast<uint32_t>(pieces_.size()); }
  /// Of a mask with a bit a token.
  size_t words() const { return (pieces_.size() + 63) / 64; }
  /// Empty for what is not in a tree, and out of range.
  std::string_view piece(token_id id) const {
    return in_range(id) ? pieces_[static_cast<size_t>(id)] : std::string_view{};
  }
  bool in_range(token_id id) const {
    return id >= 0 && static_cast<size_t>(id) < pieces_.size();
  }
  /// Ascending.
  std::span<const token_id> ends() const { return ends_; }
  bool is_end(token_id id) const;
  /// Of the longest token.
  size_t longest() const { return longest_; }
  /// Bytes that are tokens by themselves.
  const byte_set& bytes() const { return bytes_; }

  // -- plain tokens
  // ------------------------------------------------------------
  //
  // Most tokens are whole characters that a JSON string may hold as they are,
  // and not too many. Where a string may go on with any of them they need not
  // be looked at one by one (llguidance calls such sets slices).

  /// Characters that a plain token has at most.
  static constexpr auto most_plain = uint32_t{32};
  /// The mask of plain tokens of at most so many characters.
  std::span<const uint64_t> plain(uint32_t characters) const {
    return plain_[std::min(characters, most_plain)];
  }
  const token_tree& plain_tree() const { return plain_tree_; }
  /// All that are not plain.
  const token_tree& rest() const { return rest_; }

private:
  void plant();

  std::vector<std::string> pieces_;
  std::vector<token_id> ends_;
  token_tree plain_tree_;
  token_tree rest_;
  std::vector<std::vector<uint64_t>> plain_; // by characters
  size_t longest_ = 0;
  byte_set bytes_;
};

/// Characters of a text that a JSON string can hold as it is; 0 if it can't,
/// or is not whole UTF-8.
uint32_t plain_length(std::string_view text);

} // namespace troupe::constrain
