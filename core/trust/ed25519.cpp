#include "core/trust/ed25519.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

namespace troupe {

namespace {

constexpr auto longest_pem = size_t{4096};

struct free_bio {
  void operator()(BIO* b) const { BIO_free(b); }
};
using bio = std::unique_ptr<BIO, free_bio>;

struct free_context {
  void operator()(EVP_MD_CTX* c) const { EVP_MD_CTX_free(c); }
};
using context = std::unique_ptr<EVP_MD_CTX, free_context>;

std::shared_ptr<void> own(EVP_PKEY* key) {
  return {key, [](void* k) { EVP_PKEY_free(static_cast<EVP_PKEY*>(k)); }};
}

EVP_PKEY* raw(const std::shared_ptr<void>& key) {
  return static_cast<EVP_PKEY*>(key.get());
}

const unsigned char* bytes_of(const_bytes b) {
  return reinterpret_cast<const unsigned char*>(b.data());
}

bio reader(std::string_view pem) {
  return bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
}

template <class Write>
std::string written(Write write) {
  auto out = bio{BIO_new(BIO_s_mem())};
  if (!out || write(out.get()) != 1)
    return {};
  char* data = nullptr;
  auto size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<size_t>(size)};
}

// A key with a password would ask for it on the terminal.
int no_password(char*, int, int, void*) {
  return -1;
}

bool is_ed25519(const std::shared_ptr<void>& key) {
  return key && EVP_PKEY_get_base_id(raw(key)) == EVP_PKEY_ED25519;
}

std::shared_ptr<void> public_part(const ed25519_public_key& key) {
  return own(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(),
                                         key.size()));
}

ed25519_public_key public_bytes(const std::shared_ptr<void>& key) {
  auto bytes = ed25519_public_key{};
  auto size = bytes.size();
  EVP_PKEY_get_raw_public_key(raw(key), bytes.data(), &size);
  return bytes;
}

} // namespace

std::string key_name(const ed25519_public_key& key) {
  return to_hex(as_bytes(sha256_of(std::as_bytes(std::span{key}))))
      .substr(0, 16);
}

// -- signing_key --------------------------------------------------------------

signing_key::signing_key(std::shared_ptr<void> key)
    : key_(std::move(key)), public_key_(public_bytes(key_)) {}

result<signing_key> signing_key::from_seed(const ed25519_seed& seed) {
  auto key = own(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                              seed.data(), seed.size()));
  if (!key)
    return fail(errc::unsupported, "OpenSSL has no Ed25519 here");
  return signing_key{std::move(key)};
}

result<signing_key> signing_key::from_pem(std::string_view pem,
                                          const std::string& name) {
  auto key = std::shared_ptr<void>{};
  if (pem.size() <= longest_pem)
    key = own(PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, no_password,
                                      nullptr));
  ERR_clear_error();
  if (!is_ed25519(key))
    return fail(errc::bad_file,
                name
                    + ": not an Ed25519 private key without a password; "
                      "openssl genpkey -algorithm ed25519 makes one");
  return signing_key{std::move(key)};
}

result<ed25519_signature> signing_key::sign(const_bytes message) const {
  auto s = ed25519_signature{};
  auto size = s.size();
  auto c = context{EVP_MD_CTX_new()};
  if (!c
      || EVP_DigestSignInit(c.get(), nullptr, nullptr, nullptr, raw(key_)) != 1
      || EVP_DigestSign(c.get(), s.data(), &size, bytes_of(message),
                        message.size())
             != 1)
    return fail(errc::unsupported, "OpenSSL does not sign with Ed25519");
  return s;
}

std::string signing_key::to_pem() const {
  return written([this](BIO* out) {
    return PEM_write_bio_PKCS8PrivateKey(out, raw(key_), nullptr, nullptr, 0,
                                         nullptr, nullptr);
  });
}

// -- signature_checker --------------------------------------------------------

signature_checker::signature_checker(const ed25519_public_key& key)
    : key_(public_part(key)), public_key_(key) {}

bool signature_checker::check(const_bytes message,
                              const ed25519_signature& signature) const {
  auto c = context{EVP_MD_CTX_new()};
  auto good =
      key_ && c
      && EVP_DigestVerifyInit(c.get(), nullptr, nullptr, nullptr, raw(key_))
             == 1
      && EVP_DigestVerify(c.get(), signature.data(), signature.size(),
                          bytes_of(message), message.size())
             == 1;
  ERR_clear_error();
  return good;
}

std::string to_pem(const ed25519_public_key& key) {
  auto k = public_part(key);
  return written([&](BIO* out) { return PEM_write_bio_PUBKEY(out, raw(k)); });
}

result<ed25519_public_key> public_key_from_pem(std::string_view pem,
                                               const std::string& name) {
  auto key = std::shared_ptr<void>{};
  if (pem.size() <= longest_pem)
    key =
        own(PEM_read_bio_PUBKEY(reader(pem).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!is_ed25519(key))
    return fail(errc::bad_file,
                name
                    + ": not an Ed25519 public key; openssl pkey -pubout makes "
                      "one of the private key");
  return public_bytes(key);
}

} // namespace troupe
