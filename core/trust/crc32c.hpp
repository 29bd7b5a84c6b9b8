#pragma once

#include <cstdint>

#include "core/base/bytes.hpp"

namespace troupe {

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4) of bytes: tells writes that
/// were cut short, and is no protection from whoever means it.
uint32_t crc32c(const_bytes bytes);

/// The same, a byte at a time, without this machine's instructions.
uint32_t crc32c_portable(const_bytes bytes);

} // namespace troupe
