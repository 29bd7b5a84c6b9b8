#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/base/ids.hpp"

namespace troupe {

/// A digest for each full block of `tokens`, chained over those before, so that
/// equal ones mean equal prefixes. Other `salt`, other digests.
std::vector<uint64_t> prefix_chain(std::string_view salt,
                                   std::span<const token_id> tokens,
                                   uint32_t block_tokens);

} // namespace troupe
