#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.hpp"
#include "core/trust/sha256.hpp"

namespace troupe {

// Ed25519 (RFC 8032): signatures that anyone can check and few can make.

using ed25519_public_key = std::array<uint8_t, 32>;
using ed25519_seed = std::array<uint8_t, 32>; ///< all of a private key
using ed25519_signature = std::array<uint8_t, 64>;

/// The first 16 digits of its SHA-256: how texts name a key.
std::string key_name(const ed25519_public_key& key);

/// Signs. Of any thread.
class signing_key {
public:
  /// The seed is 32 random bytes, which the caller draws. unsupported, where
  /// OpenSSL has no Ed25519.
  static result<signing_key> from_seed(const ed25519_seed& seed);
  /// "PRIVATE KEY" (PKCS #8), without a password. bad_file, with `name`.
  static result<signing_key> from_pem(std::string_view pem,
                                      const std::string& name);

  const ed25519_public_key& public_key() const { return public_key_; }
  result<ed25519_signature> sign(const_bytes message) const;
  std::string to_pem() const;

private:
  explicit signing_key(std::shared_ptr<void> key);

  std::shared_ptr<void> key_; ///< an EVP_PKEY
  ed25519_public_key public_key_{};
};

/// Checks signatures of one key, which is expanded once. Of any thread.
class signature_checker {
public:
  explicit signature_checker(const ed25519_public_key& key);

  const ed25519_public_key& key() const { return public_key_; }
  bool check(const_bytes message, const ed25519_signature& signature) const;

private:
  std::shared_ptr<void> key_; ///< an EVP_PKEY; null: nothing is right
  ed25519_public_key public_key_;
};

/// "PUBLIC KEY" (RFC 8410).
std::string to_pem(const ed25519_public_key& key);
/// bad_file, with `name`.
result<ed25519_public_key> public_key_from_pem(std::string_view pem,
                                               const std::string& name);

} // namespace troupe
