#pragma once

#include "core/base/time.hpp"

namespace troupe {

/// When a node that decodes sends the tokens of its steps. With a small model
/// it takes longer to bring a token to its client than to compute it, so those
/// of quick steps leave several at a time.
class output_pace {
public:
  /// `within`: how old a token that is kept may become; 0: none is kept.
  explicit output_pace(duration within = {}) : within_(within) {}

  bool keeps_any() const { return within_ > duration{}; }

  /// A step that took `took` has given tokens at `ended`, and another one
  /// follows. Whether they, and those kept before, may wait for its end: if it
  /// takes as long, none of them is older than `within` by then.
  bool may_keep(time_point ended, duration took) {
    if (!keeps_)
      oldest_ = ended;
    keeps_ = true;
    return ended - oldest_ + took <= within_;
  }

  /// Nothing is kept any more.
  void sent() { keeps_ = false; }

private:
  duration within_;
  bool keeps_ = false;
  time_point oldest_{}; ///< when the oldest token came, if it keeps any
};

} // namespace troupe
