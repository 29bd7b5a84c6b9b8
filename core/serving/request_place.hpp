#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/ids.hpp"
#include "core/base/time.hpp"

namespace troupe {

struct place_policy {
  /// Placements of one request before it is given up.
  uint32_t most = 4;
  /// Wait before the second one; doubled for each further one.
  std::chrono::milliseconds backoff{5};
  /// How long a request may wait while there is no node for it.
  std::chrono::milliseconds node_patience{0};
};

/// What a node is to a request.
enum class place_part : uint8_t {
  prefill, ///< its prompt is computed there
  decode,  ///< it goes there from that one
  holder,  ///< it has moved there since
};

/// On which nodes a request is, which of them it needs yet, and whether it may
/// be placed once more when they fail it.
class request_place {
public:
  explicit request_place(const place_policy& policy = {}) : policy_(policy) {}

  /// In place of a constructor's. REQUIRES: nothing has happened yet.
  void begin(const place_policy& policy) { policy_ = policy; }

  // -- before it is on a node -------------------------------------------------

  /// Begins another placement, under that epoch. False: there were too many.
  bool ask(epoch_t epoch);

  /// There is no node for it now, so that was none. False: it has waited long
  /// enough.
  bool wait(time_point now);

  /// How long to wait before the next placement.
  std::chrono::milliseconds backoff() const;

  // -- while it is ------------------------------------------------------------

  /// It goes to `decode` from `prefill` if it is `split`; else `decode` is only
  /// what it might have had.
  void placed(node_id prefill, node_id decode, bool split);

  /// It generates on `node` now, of a life of that epoch. False: that is old
  /// news, since it has moved on.
  bool moved(node_id node, epoch_t epoch);

  /// The node that generates has been heard of.
  void heard() { decoding_ = true; }

  /// Where it generates, or will. REQUIRES: it is placed.
  node_id held_by() const;

  /// A node is gone; `gap`: tokens are missing before some that are here. Why
  /// the request cannot go on where it is, if so. REQUIRES: it has such a node.
  std::optional<error> lost(place_part part, bool gap);

  /// A node gave it up. Whether another one may do better.
  bool failed(error why);

  // -- so far -----------------------------------------------------------------

  uint32_t placements() const { return placements_; }
  /// Nodes that died or failed under it.
  const std::vector<node_id>& avoided() const { return avoided_; }
  const error& last_error() const { return last_error_; }
  bool decoding() const { return decoding_; }

private:
  error gone(node_id node, const char* why);

  place_policy policy_;
  uint32_t placements_ = 0;
  node_id prefill_ = 0;
  node_id decode_ = 0;
  bool split_ = false;
  std::optional<node_id> holder_; ///< where it has moved since
  epoch_t held_since_ = 0; ///< epoch of the last move, or of the placement
  bool decoding_ = false;  ///< in this placement
  std::vector<node_id> avoided_;
  error last_error_;
  std::optional<time_point> without_node_; ///< since then
};

} // namespace troupe
