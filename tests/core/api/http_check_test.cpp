#include "core/api/http_check.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <ostream>
#include <string>

using namespace troupe;
using namespace troupe::api;

namespace {

struct shape {
  const char* name;
  int status; ///< 0: it is good
  std::string head;
};

std::ostream& operator<<(std::ostream& out, const shape& s) {
  return out << s.name;
}

std::string post(const std::string& fields) {
  return "POST /v1/completions HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

const shape shapes[] = {
    {"plain", 0, "GET / HTTP/1.1\r\nHost: a:8080\r\n\r\n"},
    {"ipv6", 0, "GET /a?b=c HTTP/1.1\r\nhost:[::1]:80 \r\n\r\n"},
    {"length", 0, post("Content-Length: 12\r\n")},
    {"chunked", 0, post("Transfer-Encoding: Chunked\r\n")},
    {"old", 0, "GET / HTTP/1.0\r\n\r\n"},
    {"latin", 0, post("X-Name: \xe9t\xe9\r\n")},
    {"empty value", 0, post("X-Name:\r\n")},
    {"options", 0, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"no host", 400, "GET / HTTP/1.1\r\n\r\n"},
    {"two hosts", 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
    {"bad host", 400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
    {"host and path", 400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
    {"empty host", 400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
    {"TE, CL", 400,
     post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n")},
    {"CL, TE", 400,
     post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n")},
    {"two CL", 400, post("Content-Length: 3\r\nContent-Length: 3\r\n")},
    {"CL list", 400, post("Content-Length: 3, 3\r\n")},
    {"CL sign", 400, post("Content-Length: +3\r\n")},
    {"CL minus", 400, post("Content-Length: -3\r\n")},
    {"CL hex", 400, post("Content-Length: 0x3\r\n")},
    {"CL empty", 400, post("Content-Length:\r\n")},
    {"CL blank", 400, post("Content-Length: 1 2\r\n")},
    {"CL large", 413, post("Content-Length: 8388609\r\n")},
    {"CL huge", 413, post("Content-Length: 99999999999999999999999\r\n")},
    {"CL 2^64", 413, post("Content-Length: 18446744073709551616\r\n")},
    {"two TE", 400,
     post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
    {"TE list", 501, post("Transfer-Encoding: gzip, chunked\r\n")},
    {"TE identity", 501, post("Transfer-Encoding: identity\r\n")},
    {"TE quoted", 501, post("Transfer-Encoding: \"chunked\"\r\n")},
    {"TE vt", 400,
     post("Transfer-Encoding: \x0b"
          "chunked\r\n")},
    {"TE of 1.0", 400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {"fold", 400, post("X-A: b\r\n c\r\n")},
    {"fold first", 400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
    {"tab fold", 400, post("X-A: b\r\n\tc\r\n")},
    {"bare LF", 400, post("X-A: b\nX-B: c\r\n")},
    {"bare CR", 400, post("X-A: b\rX-B: c\r\n")},
    {"NUL", 400, post(std::string("X-A: b\0c\r\n", 10))},
    {"DEL", 400, post("X-A: b\x7f\r\n")},
    {"blank before colon", 400, post("Content-Length : 3\r\n")},
    {"no colon", 400, post("X-A\r\n")},
    {"no name", 400, post(": b\r\n")},
    {"bad name", 400, post("X(A): b\r\n")},
    {"latin name", 400, post("X\xe9: b\r\n")},
    {"1.2", 505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
    {"2.0", 505, "PRI * HTTP/2.0\r\n\r\n"},
    {"0.9", 400, "GET /\r\n\r\n"},
    {"lower version", 400, "GET / http/1.1\r\nHost: a\r\n\r\n"},
    {"two blanks", 400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"tab in line", 400, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"blank in target", 400, "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"absolute", 400, "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"authority", 501, "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"star", 400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"method", 501, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"bad method", 400, "G@T / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"lower method", 501, "get / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"empty", 400, "\r\n\r\n"},
    {"nothing", 400, ""},
    {"cut", 400, "GET / HTTP/1.1\r\nHost: a\r\n"},
    {"long target", 414,
     "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"long head", 431, post("X-A: " + std::string(17000, 'a') + "\r\n")},
};

} // namespace

BOOST_AUTO_TEST_SUITE(http_check)

BOOST_DATA_TEST_CASE(a_head_has_one_meaning_or_is_refused,
                     boost::unit_test::data::make(shapes), shape) {
  auto r = check_head(shape.head);
  BOOST_TEST((r ? r->status : 0) == shape.status);
  if (r)
    BOOST_TEST(!r->reason.empty());
}

BOOST_AUTO_TEST_CASE(there_is_a_most_of_fields) {
  auto fields = std::string{};
  for (auto i = 0; i < 99; ++i)
    fields += "a:b\r\n";
  BOOST_TEST(!check_head(post(fields)));
  auto r = check_head(post(fields + "a:b\r\n"));
  BOOST_REQUIRE(r);
  BOOST_TEST(r->status == 431);
}

BOOST_AUTO_TEST_CASE(the_end_of_a_head_is_found_wherever_it_was_cut) {
  auto head = post("Content-Length: 2\r\n");
  auto all = head + "{}";
  for (size_t cut = 0; cut <= head.size(); ++cut) {
    auto s = head_scanner{};
    if (cut < head.size())
      BOOST_TEST(
          (s.scan(all.substr(0, cut)) == head_scanner::verdict::incomplete));
    BOOST_TEST((s.scan(all) == head_scanner::verdict::whole));
    BOOST_TEST(s.size() == head.size());
  }
}

BOOST_AUTO_TEST_CASE(what_no_head_may_hold_is_seen_at_once) {
  for (auto bad : {"GET / HTTP/1.1\n", "GET / HTTP/1.1\r ", "\x16\x03\x01",
                   "GET / HTTP/1.1\r\r", "\n", "GET / HTTP/1.1\r\nA\x7f"}) {
    auto s = head_scanner{};
    BOOST_TEST((s.scan(bad) == head_scanner::verdict::broken));
  }
  auto s = head_scanner{};
  BOOST_TEST((s.scan({"a\0", 2}) == head_scanner::verdict::broken));
}

BOOST_AUTO_TEST_SUITE_END()
