#include <boost/test/unit_test.hpp>

#include "core/base/random.hpp"
#include "core/trust/crc32c.hpp"
#include "core/trust/ed25519.hpp"
#include "core/trust/sha256.hpp"

using namespace troupe;

namespace {

std::string hex(const sha256_digest& d) {
  return to_hex(as_bytes(d));
}

template <size_t N>
std::array<uint8_t, N> bytes_of(std::string_view hex) {
  auto b = std::array<uint8_t, N>{};
  BOOST_REQUIRE(from_hex(hex, b));
  return b;
}

} // namespace

BOOST_AUTO_TEST_SUITE(digests)

// FIPS 180-4's examples.
BOOST_AUTO_TEST_CASE(sha256_is_sha256) {
  BOOST_TEST(
      hex(sha256_of(as_bytes("abc")))
      == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  auto twice = std::string_view{
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"};
  auto expected = std::string{
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"};
  BOOST_TEST(hex(sha256_of(as_bytes(twice))) == expected);
  for (size_t cut = 0; cut <= twice.size(); ++cut)
    BOOST_TEST(
        hex(sha256{}.add(twice.substr(0, cut)).add(twice.substr(cut)).finish())
        == expected);
}

// RFC 4231, cases 1, 2 and 6.
BOOST_AUTO_TEST_CASE(hmac_is_hmac) {
  auto key = std::string(20, '\x0b');
  BOOST_TEST(
      hex(hmac_sha256{as_bytes(key)}.of(as_bytes("Hi There")))
      == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  auto jefe = hmac_sha256{as_bytes("Jefe")};
  auto expected = std::string{
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"};
  BOOST_TEST(hex(jefe.of(as_bytes("what do ya want for nothing?")))
             == expected);
  BOOST_TEST(hex(jefe.of("what do ya ", as_bytes("want for nothing?")))
             == expected);
  auto large = std::string(131, '\xaa');
  BOOST_TEST(
      hex(hmac_sha256{as_bytes(large)}.of(
          as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")))
      == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

// RFC 3720, B.4.
BOOST_AUTO_TEST_CASE(crc32c_is_crc32c) {
  BOOST_TEST(crc32c(as_bytes(std::string(32, '\0'))) == 0x8a9136aau);
  BOOST_TEST(crc32c(as_bytes(std::string(32, '\xff'))) == 0x62a8ab43u);
  BOOST_TEST(crc32c(as_bytes("123456789")) == 0xe3069283u);
  auto bytes = std::vector<uint64_t>(40);
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = random_bits(1, i);
  auto all = std::as_bytes(std::span{bytes});
  for (size_t begin = 0; begin < 16; ++begin)
    for (size_t n = 0; begin + n <= 100; ++n)
      BOOST_REQUIRE(crc32c(all.subspan(begin, n))
                    == crc32c_portable(all.subspan(begin, n)));
}

// RFC 8032, 7.1, tests 1 and 2.
BOOST_AUTO_TEST_CASE(ed25519_is_ed25519) {
  struct vector {
    const char* seed;
    const char* key;
    std::string message;
    const char* signature;
  };
  for (auto& v : std::vector<vector>{
           {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
           {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "\x72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c0"
            "0"}}) {
    auto key = signing_key::from_seed(bytes_of<32>(v.seed));
    BOOST_REQUIRE(key.ok());
    BOOST_TEST((key->public_key() == bytes_of<32>(v.key)));
    auto s = key->sign(as_bytes(v.message));
    BOOST_REQUIRE(s.ok());
    BOOST_TEST((*s == bytes_of<64>(v.signature)));
    auto checker = signature_checker{key->public_key()};
    BOOST_TEST(checker.check(as_bytes(v.message), *s));
    BOOST_TEST(!checker.check(as_bytes("other"), *s));
    for (auto& b : *s) {
      b ^= 1;
      BOOST_TEST(!checker.check(as_bytes(v.message), *s));
      b ^= 1;
    }
  }
}

BOOST_AUTO_TEST_CASE(keys_survive_their_files) {
  auto seed = ed25519_seed{};
  seed[5] = 9;
  auto key = *signing_key::from_seed(seed);
  auto again = signing_key::from_pem(key.to_pem(), "f.key");
  BOOST_REQUIRE(again.ok());
  BOOST_TEST((again->public_key() == key.public_key()));
  BOOST_TEST((*again->sign(as_bytes("x")) == *key.sign(as_bytes("x"))));
  auto pem = to_pem(key.public_key());
  BOOST_TEST((*public_key_from_pem(pem, "f.pub") == key.public_key()));
  // One is not taken for the other.
  BOOST_TEST(!signing_key::from_pem(pem, "f.pub").ok());
  BOOST_TEST(!public_key_from_pem(key.to_pem(), "f.key").ok());
  for (auto* text : {"", "-----BEGIN PRIVATE KEY-----\n", "\0\xff"}) {
    auto bad = signing_key::from_pem(text, "f.key");
    BOOST_REQUIRE(!bad.ok());
    BOOST_TEST((bad.failure().code == errc::bad_file));
    BOOST_TEST(bad.failure().message.starts_with("f.key: "));
    BOOST_TEST(!public_key_from_pem(text, "f.pub").ok());
  }
}

BOOST_AUTO_TEST_CASE(a_key_that_is_no_point_signs_nothing) {
  auto key = ed25519_public_key{};
  key.fill(0xff);
  BOOST_TEST(!signature_checker{key}.check(as_bytes("x"), {}));
}

BOOST_AUTO_TEST_CASE(hexadecimal_is_exact) {
  auto b = std::array<uint8_t, 2>{};
  BOOST_TEST(from_hex("0aff", b));
  BOOST_TEST(to_hex(std::as_bytes(std::span{b})) == "0aff");
  for (auto* text : {"", "0a", "0aff0", "0AFF", "0afg", "0af "})
    BOOST_TEST(!from_hex(text, b));
}

BOOST_AUTO_TEST_SUITE_END()
