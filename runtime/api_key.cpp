#include "runtime/api_key.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <charconv>
#include <span>

namespace troupe {

namespace {

constexpr auto scheme = std::string_view{"pbkdf2-sha256"};
constexpr auto prefix = std::string_view{"troupe-"};
constexpr auto id_digits = size_t{16};
constexpr auto secret_digits = size_t{64};
/// Secrets are 256 random bits, which no number of guesses finds: this only
/// keeps a stolen configuration from being tried cheaply.
constexpr auto default_iterations = uint32_t{10'000};
constexpr auto most_iterations = uint32_t{10'000'000};

std::string to_hex(std::span<const uint8_t> bytes) {
  auto text = std::string{};
  for (auto b : bytes) {
    text += "0123456789abcdef"[b >> 4];
    text += "0123456789abcdef"[b & 15];
  }
  return text;
}

int digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool is_hex(std::string_view text) {
  for (auto c : text)
    if (digit(c) < 0)
      return false;
  return true;
}

bool from_hex(std::string_view text, std::span<uint8_t> to) {
  if (text.size() != 2 * to.size() || !is_hex(text))
    return false;
  for (size_t i = 0; i < to.size(); ++i)
    to[i] =
        static_cast<uint8_t>(digit(text[2 * i]) * 16 + digit(text[2 * i + 1]));
  return true;
}

bool derive(std::string_view secret, const key_hash& h,
            std::array<uint8_t, 32>& to) {
  return PKCS5_PBKDF2_HMAC(secret.data(), static_cast<int>(secret.size()),
                           h.salt.data(), static_cast<int>(h.salt.size()),
                           static_cast<int>(h.iterations), EVP_sha256(),
                           static_cast<int>(to.size()), to.data())
         == 1;
}

// The id that a secret claims; empty if it has not the form of one.
std::string_view id_of(std::string_view secret) {
  if (secret.size() != prefix.size() + id_digits + 1 + secret_digits
      || !secret.starts_with(prefix))
    return {};
  auto id = secret.substr(prefix.size(), id_digits);
  auto rest = secret.substr(prefix.size() + id_digits);
  return is_hex(id) && rest[0] == '-' && is_hex(rest.substr(1))
             ? id
             : std::string_view{};
}

} // namespace

std::string to_string(const key_hash& h) {
  return std::string{scheme} + ":" + h.id + ":" + std::to_string(h.iterations)
         + ":" + to_hex(h.salt) + ":" + to_hex(h.digest);
}

result<key_hash> parse_key_hash(std::string_view text) {
  auto bad = fail(errc::invalid_argument,
                  "not what troupe keys add prints as the hash of a key");
  auto parts = std::vector<std::string_view>{};
  while (parts.size() < 5) {
    auto end = text.find(':');
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos)
      break;
    text.remove_prefix(end + 1);
    if (parts.size() == 5)
      return bad;
  }
  if (parts.size() != 5 || parts[0] != scheme || parts[1].size() != id_digits
      || !is_hex(parts[1]))
    return bad;
  auto h = key_hash{};
  h.id = parts[1];
  auto end = parts[2].data() + parts[2].size();
  auto [at, ec] = std::from_chars(parts[2].data(), end, h.iterations);
  if (ec != std::errc{} || at != end || h.iterations == 0
      || h.iterations > most_iterations || !from_hex(parts[3], h.salt)
      || !from_hex(parts[4], h.digest))
    return bad;
  return h;
}

result<new_key> make_key() {
  auto id = std::array<uint8_t, id_digits / 2>{};
  auto bits = std::array<uint8_t, secret_digits / 2>{};
  auto k = new_key{};
  k.hash.iterations = default_iterations;
  if (RAND_bytes(id.data(), static_cast<int>(id.size())) != 1
      || RAND_bytes(bits.data(), static_cast<int>(bits.size())) != 1
      || RAND_bytes(k.hash.salt.data(), static_cast<int>(k.hash.salt.size()))
             != 1)
    return fail(errc::unsupported, "there is no randomness for a key");
  k.hash.id = to_hex(id);
  k.secret = std::string{prefix} + k.hash.id + "-" + to_hex(bits);
  if (!derive(k.secret, k.hash, k.hash.digest))
    return fail(errc::unsupported, "OpenSSL has no PBKDF2");
  return k;
}

// -- key_ring ----------------------------------------------------------------

key_ring::key_ring(std::vector<api_key> keys) {
  for (auto& k : keys) {
    auto id = k.hash.id;
    keys_.emplace(std::move(id), std::move(k));
  }
  // Without randomness all are asked the long way, since none is remembered.
  if (RAND_bytes(process_key_.data(), static_cast<int>(process_key_.size()))
      != 1)
    process_key_ = {};
}

const api_key* key_ring::claimed(std::string_view secret) const {
  auto i = keys_.find(id_of(secret));
  return i != keys_.end() ? &i->second : nullptr;
}

key_ring::digest key_ring::quick(std::string_view secret) const {
  auto d = digest{};
  auto size = 0u;
  HMAC(EVP_sha256(), process_key_.data(), static_cast<int>(process_key_.size()),
       reinterpret_cast<const unsigned char*>(secret.data()), secret.size(),
       d.data(), &size);
  return d;
}

key_ring::answer key_ring::find(std::string_view secret) const {
  if (!claimed(secret))
    return {};
  auto d = quick(secret);
  auto guard = std::scoped_lock{mutex_};
  auto i = known_.find(d);
  if (i == known_.end())
    return {verdict::ask, nullptr};
  return {verdict::known, i->second};
}

const api_key* key_ring::verify(std::string_view secret) {
  auto* k = claimed(secret);
  auto d = digest{};
  if (!k || !derive(secret, k->hash, d)
      || CRYPTO_memcmp(d.data(), k->hash.digest.data(), d.size()) != 0)
    return nullptr;
  if (process_key_ == digest{})
    return k;
  auto fast = quick(secret);
  auto guard = std::scoped_lock{mutex_};
  known_.emplace(fast, k);
  return k;
}

} // namespace troupe
