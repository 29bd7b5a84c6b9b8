#include <boost/test/unit_test.hpp>

#include "runtime/api_key.hpp"

using namespace troupe;

BOOST_AUTO_TEST_SUITE(api_key_suite)

BOOST_AUTO_TEST_CASE(a_hash_reads_as_it_was_written) {
  auto k = make_key();
  BOOST_REQUIRE(k.ok());
  auto text = to_string(k->hash);
  BOOST_TEST(text.find(k->secret.substr(24)) == std::string::npos);
  auto read = parse_key_hash(text);
  BOOST_REQUIRE(read.ok());
  BOOST_TEST(to_string(*read) == text);
  // Of each prefix, and with one byte changed, none reads as the same.
  for (size_t i = 0; i < text.size(); ++i) {
    BOOST_TEST(!parse_key_hash(text.substr(0, i)).ok());
    auto other = text;
    other[i] = other[i] == 'x' ? 'y' : 'x';
    BOOST_TEST(!parse_key_hash(other).ok());
  }
  BOOST_TEST(!parse_key_hash(text + "0").ok());
  BOOST_TEST(!parse_key_hash(text + ":").ok());
}

BOOST_AUTO_TEST_CASE(iterations_are_bounded) {
  auto text = [](const std::string& n) {
    return "pbkdf2-sha256:0123456789abcdef:" + n + ":" + std::string(32, '0')
           + ":" + std::string(64, '0');
  };
  BOOST_TEST(parse_key_hash(text("1")).ok());
  BOOST_TEST(parse_key_hash(text("10000000")).ok());
  for (auto n : {"", "0", "-1", "+1", "10000001", "99999999999", "1 ", "0x1"})
    BOOST_TEST(!parse_key_hash(text(n)).ok());
}

BOOST_AUTO_TEST_CASE(a_ring_knows_its_keys_and_no_other) {
  auto a = make_key(), b = make_key(), c = make_key();
  BOOST_REQUIRE((a.ok() && b.ok() && c.ok()));
  auto ring = key_ring{{{"acme", "laptop", a->hash}, {"other", "x", b->hash}}};
  using verdict = key_ring::verdict;
  BOOST_TEST((ring.find(a->secret).is == verdict::ask));
  auto* who = ring.verify(a->secret);
  BOOST_REQUIRE(who);
  BOOST_TEST(who->organisation == "acme");
  BOOST_TEST(who->name == "laptop");
  auto again = ring.find(a->secret);
  BOOST_TEST((again.is == verdict::known));
  BOOST_TEST(again.who == who);
  BOOST_TEST((ring.find(b->secret).is == verdict::ask));
  // What has the id of none costs nothing.
  for (auto& s : {c->secret, std::string{}, std::string{"troupe-"},
                  a->secret + "0", a->secret.substr(1)}) {
    BOOST_TEST((ring.find(s).is == verdict::unknown));
    BOOST_TEST(!ring.verify(s));
  }
  // The right id with the wrong rest.
  auto wrong = a->secret.substr(0, 24) + b->secret.substr(24);
  BOOST_TEST((ring.find(wrong).is == verdict::ask));
  BOOST_TEST(!ring.verify(wrong));
  BOOST_TEST((ring.find(wrong).is == verdict::ask));
}

BOOST_AUTO_TEST_CASE(keys_differ) {
  auto a = make_key(), b = make_key();
  BOOST_REQUIRE((a.ok() && b.ok()));
  BOOST_TEST(a->secret != b->secret);
  BOOST_TEST(a->hash.id != b->hash.id);
  BOOST_TEST((a->hash.salt != b->hash.salt));
}

BOOST_AUTO_TEST_SUITE_END()
