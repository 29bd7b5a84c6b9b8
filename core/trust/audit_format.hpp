#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "core/trust/audit_chain.hpp"
#include "core/trust/ed25519.hpp"

namespace troupe {

// The files of an audit log: docs/audit_format.md has them in prose.

using audit_log_id = std::array<uint8_t, 16>;

enum class audit_frame_type : uint8_t { record = 1, checkpoint = 2 };

// -- headers ------------------------------------------------------------------

/// What a file of the log begins with.
struct audit_header {
  audit_log_id log{};
  uint32_t segment = 0; ///< which of its files, from 0
  audit_time time;
  ed25519_public_key key{}; ///< that signs from here on
  audit_chain before;       ///< up to the end of the file before
};

inline constexpr auto audit_header_version = uint32_t{1};
/// With the most subtrees that a tree may have.
inline constexpr auto most_header_bytes = size_t{192 + 64 * 32};

/// Signed. unsupported, where it cannot be signed.
result<raw_bytes> encode(const audit_header& h, const signing_key& key);

/// The bytes of the header that a file begins with: nothing if they are too
/// few, or not those of a header.
std::optional<const_bytes> header_bytes(const_bytes file);

/// Whether a file is the beginning of a header: nothing more was written.
bool is_torn_header(const_bytes file);

/// `bytes` as above. bad_file, unsupported; the signature is not looked at.
result<audit_header> parse_header(const_bytes bytes);
bool check_signature(const_bytes header, const signature_checker& key);

// -- checkpoints --------------------------------------------------------------

/// Says, signed, what the log holds.
struct audit_checkpoint {
  audit_time time;
  ed25519_public_key key{};
  audit_chain chain; ///< up to, not with this
  ed25519_signature signature{};

  uint64_t records() const { return chain.records(); }
};

/// The body of its frame.
raw_bytes encode(const audit_checkpoint& c);
std::optional<audit_checkpoint> parse_checkpoint(const_bytes body);

/// What is signed: `root` is that of the tree.
std::array<std::byte, 168> signed_bytes(const audit_log_id& log,
                                        uint64_t records, audit_time time,
                                        const ed25519_public_key& key,
                                        const sha256_digest& chain,
                                        const sha256_digest& root);

result<audit_checkpoint> make_checkpoint(const audit_log_id& log,
                                         const audit_chain& chain,
                                         audit_time time,
                                         const signing_key& key);
bool check_signature(const audit_log_id& log, const audit_checkpoint& c,
                     const signature_checker& key);

// -- frames -------------------------------------------------------------------

/// What is before the body: CRC-32C of what follows it, u32; size of the body,
/// u32; link, u64.
inline constexpr auto frame_head_bytes = size_t{16};

struct audit_frame {
  uint64_t offset = 0; ///< in its file
  uint64_t link = 0;
  audit_frame_type type = audit_frame_type::record;
  const_bytes body;

  uint64_t end() const { return offset + frame_head_bytes + body.size(); }
};

/// Appends room for a frame's head; the body follows, then `end_frame`, with
/// what `begin_frame` gave.
size_t begin_frame(raw_bytes& to);
void end_frame(raw_bytes& to, size_t begin, uint64_t link);

/// The frame at `offset`. Nothing if no whole one is there: it goes beyond the
/// end, has no size that a frame may have, or, where `checked`, its checksum is
/// not right.
std::optional<audit_frame> frame_at(const_bytes file, uint64_t offset,
                                    bool checked = true);

} // namespace troupe
