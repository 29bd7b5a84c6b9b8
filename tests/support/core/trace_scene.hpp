#pragma once

#include "tests/support/core/trace_builder.hpp"

namespace troupe::testing {

/// Types of messages of the scene.
enum scene_type : uint16_t {
  scene_generate = 20,
  scene_submit,
  scene_tick,
  scene_output,
  scene_token,
  scene_finish,
  scene_query,
  scene_status,
};

inline constexpr auto scene_client = traced{0, 1}; ///< is not recorded
inline constexpr auto scene_gateway = traced{0, 2};
inline constexpr auto scene_session = traced{0, 3};
inline constexpr auto scene_node = traced{0, 4};

/// Names them.
void name_scene(trace_builder& b);

/// Request 7 of a client: gateway, session, a node that steps all the time, and
/// makes a token of it in each of `tokens` steps. All times are multiples of
/// 1 µs. With `finish` the client hears of the end.
std::vector<std::byte> scene_of(uint32_t tokens, bool finish = true);

} // namespace troupe::testing
