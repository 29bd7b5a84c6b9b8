#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/bytes.hpp"

namespace troupe {

/// What SHA-256 (FIPS 180-4) makes of bytes.
using sha256_digest = std::array<uint8_t, 32>;

/// As the bytes that the next hash is made of.
inline const_bytes as_bytes(const sha256_digest& d) {
  return std::as_bytes(std::span{d});
}

inline const_bytes as_bytes(std::string_view text) {
  return std::as_bytes(std::span{text});
}

/// Hashes bytes that come in parts. Without a call into a library of digests by
/// name: for short inputs that costs more than the hash.
class sha256 {
public:
  sha256();
  sha256(const sha256& other);
  sha256& operator=(const sha256& other);
  ~sha256();

  sha256& add(const_bytes bytes);
  sha256& add(std::string_view text) { return add(as_bytes(text)); }

  /// Of all that was added. REQUIRES: nothing is added after it.
  sha256_digest finish();

private:
  // Of OpenSSL, whose headers stay out of ours.
  alignas(8) std::array<std::byte, 112> state_;
};

sha256_digest sha256_of(const_bytes bytes);

/// HMAC-SHA-256 (RFC 2104) under one key, which is expanded once. Of any
/// thread.
class hmac_sha256 {
public:
  explicit hmac_sha256(const_bytes key);

  sha256_digest of(const_bytes bytes) const { return of({}, bytes); }
  /// Of both, one after the other.
  sha256_digest of(std::string_view label, const_bytes bytes) const;

private:
  sha256 inner_;
  sha256 outer_;
};

/// Lower-case digits, two a byte.
std::string to_hex(const_bytes bytes);
/// False unless `text` is exactly the digits of `to`.
bool from_hex(std::string_view text, std::span<uint8_t> to);

} // namespace troupe
