#pragma once

#include <optional>
#include <span>

#include "actors/protocol/messages.hpp"

namespace troupe {

/// A session's part in the response cache: whether its answer came from there,
/// or is to be kept there.
class cache_turn {
public:
  void on(const cache_reply& r);

  cache_use use() const { return use_; }

  /// Tokens went to the client, with what is known of each if it asked for
  /// that.
  void delivered(std::span<const token_id> tokens,
                 std::span<const sampled> details);

  /// What others may have, if this session computed it whole. Once.
  std::optional<cache_fill> fill(finish_reason reason, bool cut_short);

private:
  cache_use use_ = cache_use::none;
  cache_fill fill_;
};

} // namespace troupe
