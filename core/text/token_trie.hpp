#pragma once

#include <bitset>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/ids.hpp"

namespace troupe {

/// Finds whole tokens in a text: the leftmost, and of those that begin there
/// the longest.
class token_trie {
public:
  struct hit {
    size_t begin;
    size_t end;
    token_id id;
  };

  /// REQUIRES: `text` is not empty.
  void insert(std::string_view text, token_id id);

  bool empty() const { return ids_.size() == 1; }

  /// The longest token that begins at `at`.
  std::optional<hit> match(std::string_view text, size_t at) const;

  /// The first token at or after `at`.
  std::optional<hit> find(std::string_view text, size_t at) const;

private:
  std::bitset<256> first_; // bytes that a token begins with
  std::vector<token_id> ids_{-1};
  std::unordered_map<uint64_t, uint32_t> edges_; // node << 8 | byte -> node
};

} // namespace troupe
