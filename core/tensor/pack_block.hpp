#pragma once

#include <cstddef>
#include <cstdint>

#include "core/tensor/matrix.hpp"

namespace troupe {

/// Writes one block of a matrix's row, output `o` of a panel, to where the
/// panel has the inputs of that block; packed_matrix says how.
using pack_block = void (*)(const std::byte* block, uint32_t o, std::byte* to);

/// Null where there is none.
pack_block packer_of(dtype t);

} // namespace troupe
