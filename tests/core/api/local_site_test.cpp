#include "core/api/local_site.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe::api;

BOOST_AUTO_TEST_SUITE(local_site)

BOOST_AUTO_TEST_CASE(this_machine_is_known_by_its_loopback_names) {
  for (auto host : {"localhost", "LocalHost:8081", "127.0.0.1", "127.0.0.1:1",
                    "127.9.8.7:65535", "[::1]", "[::1]:8081"})
    BOOST_TEST(is_local_host(host), host);
  for (auto host :
       {"", ":80", "example.org", "127.0.0.1.example.org", "127.0.0.1:80:80",
        "localhost.example.org", "10.0.0.1", "127.0.0", "[::2]", "::1",
        "localhost:", "127.0.0.1:8a", "1127.0.0.1"})
    BOOST_TEST(!is_local_host(host), host);
}

BOOST_AUTO_TEST_CASE(only_pages_of_this_server_are_its_own) {
  BOOST_TEST(is_own_origin("", "localhost:1"));
  BOOST_TEST(is_own_origin("http://localhost:1", "localhost:1"));
  BOOST_TEST(is_own_origin("https://localhost:1", "localhost:1"));
  BOOST_TEST(!is_own_origin("http://localhost:2", "localhost:1"));
  BOOST_TEST(!is_own_origin("http://example.org", "localhost:1"));
  BOOST_TEST(!is_own_origin("null", "localhost:1"));
  BOOST_TEST(!is_own_origin("localhost:1", "localhost:1"));
}

BOOST_AUTO_TEST_SUITE_END()
