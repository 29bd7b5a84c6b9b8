#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace troupe {

constexpr auto longest_tenant_name = size_t{256};

/// What is kept of a key: enough to know it again, not to make it.
struct key_hash {
  std::string id; ///< 16 hexadecimal digits, part of the key
  uint32_t iterations = 0;
  std::array<uint8_t, 16> salt{};
  std::array<uint8_t, 32> digest{}; ///< PBKDF2 with HMAC-SHA-256
};

/// Who has a key.
struct api_key {
  std::string organisation;
  std::string name;
  key_hash hash;
};

/// "pbkdf2-sha256:ID:ITERATIONS:SALT:DIGEST"
std::string to_string(const key_hash& h);
/// Errors: invalid_argument.
result<key_hash> parse_key_hash(std::string_view text);

struct new_key {
  std::string secret; ///< "troupe-ID-64 hexadecimal digits"
  key_hash hash;
};

/// A key of 256 random bits. Errors: unsupported, if there is no randomness.
result<new_key> make_key();

/// Knows keys. Of any thread.
class key_ring {
public:
  /// Ids are unique.
  explicit key_ring(std::vector<api_key> keys);

  enum class verdict : uint8_t {
    known,
    unknown,
    /// Nobody had it before: `verify` takes long, and says.
    ask,
  };
  struct answer {
    verdict is = verdict::unknown;
    const api_key* who = nullptr; ///< if known; as long as the ring
  };

  /// At once.
  answer find(std::string_view secret) const;

  /// Null: it is not one of them. What is found is known from then on.
  const api_key* verify(std::string_view secret);

private:
  using digest = std::array<uint8_t, 32>;

  const api_key* claimed(std::string_view secret) const;
  digest quick(std::string_view secret) const;

  std::map<std::string, api_key, std::less<>> keys_; ///< by id
  digest process_key_{};                             ///< of `quick`
  mutable std::mutex mutex_;
  std::map<digest, const api_key*> known_; ///< no more than there are keys
};

} // namespace troupe
