#include "core/trace/encode.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>

using namespace troupe;

namespace {

raw_bytes filled(size_t n, int with) {
  return raw_bytes(n, static_cast<std::byte>(with));
}

} // namespace

BOOST_AUTO_TEST_SUITE(trace_encode)

BOOST_AUTO_TEST_CASE(what_follows_a_record_is_filled_up_with_zeros) {
  auto record = uint64_t{0x0102030405060708};
  for (size_t n = 0; n <= 17; ++n) {
    auto to = filled(8 + padded(n) + 8, 0xee);
    put_record(to.data(), &record, 8, filled(n, 0x5a));
    BOOST_TEST(std::memcmp(to.data(), &record, 8) == 0);
    for (size_t i = 8; i < to.size(); ++i) {
      auto wanted = i < 8 + n ? 0x5a : i < 8 + padded(n) ? 0 : 0xee;
      BOOST_TEST(std::to_integer<int>(to[i]) == wanted);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_message_keeps_its_content_if_it_fits) {
  for (auto n : {size_t{0}, size_t{1}, size_t{trace_record_most / 2}}) {
    auto r = trace_sent{};
    auto digest = uint64_t{0};
    auto content = filled(n, 7);
    auto kept = settle_payload(r, content, digest);
    BOOST_TEST(kept.data() == content.data());
    BOOST_TEST(kept.size() == n);
    BOOST_TEST(r.payload_bytes == n);
    BOOST_TEST(r.head.bytes == sizeof r + padded(n));
    BOOST_TEST(((r.head.flags & trace_has_payload) != 0) == (n > 0));
    BOOST_TEST((r.head.flags & trace_digest) == 0);
  }
}

BOOST_AUTO_TEST_CASE(of_one_that_does_not_the_digest_is_kept) {
  auto digests = std::vector<uint64_t>{};
  for (auto with : {7, 7, 8}) {
    auto r = trace_sent{};
    auto digest = uint64_t{0};
    auto kept =
        settle_payload(r, filled(trace_record_most / 2 + 1, with), digest);
    BOOST_REQUIRE(kept.size() == sizeof digest);
    BOOST_TEST(std::memcmp(kept.data(), &digest, sizeof digest) == 0);
    BOOST_TEST((r.head.flags & trace_digest) != 0);
    BOOST_TEST((r.head.flags & trace_has_payload) != 0);
    BOOST_TEST(r.payload_bytes == 8u);
    digests.push_back(digest);
  }
  BOOST_TEST(digests[0] == digests[1]);
  BOOST_TEST(digests[0] != digests[2]);
}

BOOST_AUTO_TEST_CASE(notes_stand_one_after_the_other) {
  auto notes = std::vector<char>{};
  auto now = int64_t{12345};
  append_note(notes, trace_note::clock, &now, sizeof now);
  append_note(notes, trace_note::value, nullptr, 0);
  append_note(notes, trace_note::value, "abc", 3);
  auto at = size_t{0};
  auto next = [&] {
    auto h = trace_note_header{};
    std::memcpy(&h, notes.data() + at, sizeof h);
    at += sizeof h + h.bytes;
    return h;
  };
  auto first = next();
  BOOST_TEST((first.kind == trace_note::clock));
  BOOST_TEST(std::memcmp(notes.data() + at - sizeof now, &now, sizeof now)
             == 0);
  BOOST_TEST(next().bytes == 0u);
  auto last = next();
  BOOST_TEST((last.kind == trace_note::value));
  BOOST_TEST(std::string(notes.data() + at - 3, 3) == "abc");
  BOOST_TEST(at == notes.size());
}

BOOST_AUTO_TEST_SUITE_END()
