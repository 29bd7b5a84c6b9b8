#pragma once

#include <optional>

#include "actors/protocol/messages.hpp"
#include "core/base/time.hpp"
#include "core/observe/spans.hpp"

namespace troupe {

/// How a request gets from stage to stage, if somebody wants to know.
class request_path {
public:
  /// Nothing is noted before.
  void begin(const generate_request& r, time_point now);

  void admitted(time_point now);
  void asks_cache(time_point now);
  void cache_answered(time_point now);
  void asks_for_place(time_point now);
  /// `split`: one node computes the prompt, another one the rest.
  void placed(bool split, time_point now);
  void got(const sequence_output& o, time_point now);

  /// Once, after the end.
  std::optional<request_profile> take(time_point now);

private:
  std::optional<request_trace> trace_;
  time_point placed_ = {};
  bool placing_ = false;
  bool split_ = false;
  bool prompt_done_ = false; ///< of this placement
  bool handed_over_ = false;
};

} // namespace troupe
