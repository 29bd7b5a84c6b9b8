#pragma once

#include <vector>

#include "actors/protocol/interfaces.hpp"

namespace troupe {

/// Has the tokens of a text embedded by a version of the model, and tells the
/// cache: once, whatever becomes of it. Counts against nobody's limits.
client_actor::behavior_type
text_embedder(client_actor::pointer self, response_cache_actor cache,
              gateway_actor gateway, uint64_t number,
              std::vector<token_id> tokens, version_id version);

} // namespace troupe
