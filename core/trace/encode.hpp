#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "core/trace/format.hpp"

namespace troupe {

/// The first bytes of a file.
trace_file_header make_trace_header(uint64_t process, uint32_t file,
                                    uint32_t flags);

/// The header of a chunk of these records, checksum included.
trace_chunk_header make_trace_chunk(uint64_t number, const trace_moment& moment,
                                    uint64_t dropped, const_bytes records);

/// What the header of a file or a chunk must say.
uint64_t checksum_of(const trace_file_header& h);
uint64_t checksum_of(const trace_chunk_header& h, const_bytes records);

/// Appends a record of kind `about`, `type` or `node`.
void append_text(raw_bytes& to, trace_kind kind, uint16_t type, uint32_t number,
                 std::string_view text, uint64_t ticks);

/// Appends a record of kind `actor` or `gone`.
void append_actor(raw_bytes& to, trace_actor_record r, std::string_view name,
                  const_bytes payload);

/// Appends what follows a record, and fills up to a multiple of 8.
void append_padded(raw_bytes& to, const_bytes bytes);

/// Puts a record and what follows it where there is room for `size` and
/// `padded(extra.size())` bytes.
void put_record(std::byte* at, const void* record, uint32_t size,
                const_bytes extra);

/// Has the record of a message tell what follows it, which is returned: its
/// content, or of one too large for a record the digest (XXH3, 64 bits), which
/// is put there.
const_bytes settle_payload(trace_sent& r, const_bytes content,
                           uint64_t& digest);

/// Appends to the notes of a handling.
void append_note(std::vector<char>& notes, trace_note kind, const void* bytes,
                 size_t n);

constexpr uint32_t padded(size_t n) {
  return static_cast<uint32_t>((n + 7) & ~size_t{7});
}

} // namespace troupe
