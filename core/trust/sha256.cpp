// The plain functions are deprecated in favour of EVP, which costs a fifth of a
// microsecond a call; the hashes of records are hardly longer.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "core/trust/sha256.hpp"

namespace troupe {

namespace {

SHA256_CTX* context(std::array<std::byte, 112>& state) {
  static_assert(sizeof(SHA256_CTX) <= 112 && alignof(SHA256_CTX) <= 8);
  return reinterpret_cast<SHA256_CTX*>(state.data());
}

int digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

} // namespace

sha256::sha256() {
  SHA256_Init(context(state_));
}

sha256::sha256(const sha256& other) = default;
sha256& sha256::operator=(const sha256& other) = default;
sha256::~sha256() = default;

sha256& sha256::add(const_bytes bytes) {
  SHA256_Update(context(state_), bytes.data(), bytes.size());
  return *this;
}

sha256_digest sha256::finish() {
  auto d = sha256_digest{};
  SHA256_Final(d.data(), context(state_));
  return d;
}

sha256_digest sha256_of(const_bytes bytes) {
  return sha256{}.add(bytes).finish();
}

hmac_sha256::hmac_sha256(const_bytes key) {
  auto block = std::array<std::byte, 64>{};
  auto hashed = sha256_of(key);
  auto used = key.size() <= block.size() ? key : as_bytes(hashed);
  for (size_t i = 0; i < used.size(); ++i)
    block[i] = used[i];
  for (auto& b : block)
    b ^= std::byte{0x36};
  inner_.add(block);
  for (auto& b : block)
    b ^= std::byte{0x36 ^ 0x5c};
  outer_.add(block);
}

sha256_digest hmac_sha256::of(std::string_view label, const_bytes bytes) const {
  auto inside = sha256{inner_}.add(label).add(bytes).finish();
  return sha256{outer_}.add(as_bytes(inside)).finish();
}

std::string to_hex(const_bytes bytes) {
  auto text = std::string{};
  text.reserve(2 * bytes.size());
  for (auto b : bytes) {
    text += "0123456789abcdef"[std::to_integer<unsigned>(b) >> 4];
    text += "0123456789abcdef"[std::to_integer<unsigned>(b) & 15];
  }
  return text;
}

bool from_hex(std::string_view text, std::span<uint8_t> to) {
  if (text.size() != 2 * to.size())
    return false;
  for (size_t i = 0; i < to.size(); ++i) {
    auto high = digit(text[2 * i]);
    auto low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0)
      return false;
    to[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return true;
}

} // namespace troupe
