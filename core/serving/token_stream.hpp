#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "core/base/ids.hpp"

namespace troupe {

/// Puts the tokens of one answer in order, each once, whatever node, epoch or
/// repetition they come from. Positions count from 0 over the whole answer;
/// since a token is a function of its position, two nodes that both report
/// position 7 report the same token.
class token_stream {
public:
  /// Takes tokens [index, index + tokens.size()) and returns how many tokens
  /// have become ready by that.
  uint32_t accept(uint32_t index, const std::vector<token_id>& tokens);

  /// All tokens up to the first gap.
  const std::vector<token_id>& ready() const { return ready_; }

  /// True if tokens wait behind a gap.
  bool has_gap() const { return !early_.empty(); }

private:
  std::vector<token_id> ready_;
  std::map<uint32_t, token_id> early_;
};

} // namespace troupe
