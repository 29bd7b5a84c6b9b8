#include "core/trace/trace_file.hpp"

#include <boost/test/unit_test.hpp>
#include <cstring>

#include "core/trace/encode.hpp"
#include "tests/support/core/trace_builder.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

using file_bytes = std::vector<std::byte>;

struct reading {
  std::vector<trace_chunk> chunks;
  std::vector<trace_finding> findings;
  uint64_t offset = 0;
  bool has_header = false;
};

reading read(const_bytes file) {
  auto r = trace_file_reader{};
  auto all = reading{};
  while (auto c = r.next(file))
    all.chunks.push_back(*c);
  all.findings = r.findings();
  all.offset = r.offset();
  all.has_header = r.header().has_value();
  return all;
}

// Three chunks of one record and some.
file_bytes small_file() {
  auto b = trace_builder{77};
  b.node(0, "here");
  b.type(3, "ping");
  b.actor({0, 5}, "pong", 10);
  b.chunk(20);
  auto m = b.arrive({{0, 0}, {0, 5}, 3, 9}, 30);
  b.chunk(40);
  b.handle({0, 5}, m, 50, 60);
  return b.bytes();
}

uint64_t records_in(const std::vector<trace_chunk>& chunks) {
  auto n = uint64_t{0};
  for (auto& c : chunks)
    for_each_record(c.records, [&](trace_kind, const_bytes) { ++n; });
  return n;
}

template <class T>
void put(file_bytes& f, size_t at, const T& x) {
  std::memcpy(f.data() + at, &x, sizeof x);
}

bool says(const reading& r, std::string_view what) {
  for (auto& f : r.findings)
    if (f.what.find(what) != std::string::npos)
      return true;
  return false;
}

} // namespace

BOOST_AUTO_TEST_SUITE(trace_files)

BOOST_AUTO_TEST_CASE(what_was_written_is_read) {
  auto f = small_file();
  auto r = read(f);
  BOOST_TEST(r.findings.empty());
  BOOST_REQUIRE(r.chunks.size() == 3u);
  BOOST_TEST(records_in(r.chunks) == 5u);
  BOOST_TEST(r.offset == f.size());
  BOOST_TEST(r.chunks[1].header.number == 1u);
  for_each_record(r.chunks[1].records, [](trace_kind k, const_bytes b) {
    BOOST_TEST((k == trace_kind::sent));
    BOOST_TEST(load_unaligned<trace_sent>(b.data()).request == 9u);
  });
}

BOOST_AUTO_TEST_CASE(texts_and_payloads_lie_where_they_were_put) {
  auto b = trace_builder{1};
  auto payload = std::as_bytes(std::span{"twelve bytes", 12});
  b.about("role=mixed");
  b.actor({0, 5}, "session", 10, payload);
  b.arrive({{}, {0, 5}}, 11, payload);
  b.begin({0, 5}, 1, 12);
  b.end(13, payload.first(5));
  auto f = b.bytes();
  auto r = read(f);
  BOOST_TEST(r.findings.empty());
  auto seen = 0;
  for_each_record(r.chunks.at(0).records, [&](trace_kind k, const_bytes bytes) {
    ++seen;
    if (k == trace_kind::about) {
      BOOST_TEST(trace_text_of(bytes) == "role=mixed");
    } else if (k == trace_kind::actor) {
      auto a = load_unaligned<trace_actor_record>(bytes.data());
      BOOST_TEST(trace_name_of(a, bytes) == "session");
      BOOST_TEST(text_of(trace_payload_of(a, bytes)) == "twelve bytes");
    } else if (k == trace_kind::sent) {
      auto s = load_unaligned<trace_sent>(bytes.data());
      BOOST_TEST(text_of(trace_payload_of(s, bytes)) == "twelve bytes");
    } else {
      auto h = load_unaligned<trace_handled>(bytes.data());
      BOOST_TEST(text_of(trace_notes_of(h, bytes)) == "twelv");
    }
  });
  BOOST_TEST(seen == 4);
}

BOOST_AUTO_TEST_CASE(what_is_no_trace_is_said_to_be_none) {
  auto text = std::string(500, 'x');
  auto r = read(std::as_bytes(std::span{text}));
  BOOST_TEST(!r.has_header);
  BOOST_TEST(r.chunks.empty());
  BOOST_TEST(says(r, "not a message trace"));
  BOOST_TEST(says(read({}), "ends within its header"));
}

BOOST_AUTO_TEST_CASE(a_newer_version_is_not_read) {
  auto f = small_file();
  auto h = load_unaligned<trace_file_header>(f.data());
  h.version = 2;
  h.checksum = checksum_of(h);
  put(f, 0, h);
  auto r = read(f);
  BOOST_TEST(r.chunks.empty());
  BOOST_REQUIRE(r.findings.size() == 1u);
  BOOST_TEST(says(r, "version 2"));
}

// -- damage -------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_file_cut_anywhere_gives_its_whole_chunks) {
  auto f = small_file();
  auto ends = std::vector<size_t>{};
  for (auto& c : read(f).chunks)
    ends.push_back(c.offset + sizeof(trace_chunk_header) + c.header.bytes);
  for (size_t n = 0; n < f.size(); ++n) {
    auto r = read(const_bytes{f}.first(n));
    auto whole = size_t{0};
    while (whole < ends.size() && ends[whole] <= n)
      ++whole;
    BOOST_REQUIRE(r.chunks.size() == whole);
    // A cut between two chunks cannot be seen; others can.
    auto is_between =
        n == sizeof(trace_file_header) || (whole > 0 && ends[whole - 1] == n);
    BOOST_REQUIRE(r.findings.empty() == is_between);
  }
}

BOOST_AUTO_TEST_CASE(each_flipped_bit_is_found_and_costs_one_chunk) {
  auto f = small_file();
  auto chunks = read(f).chunks;
  for (size_t at = 0; at < f.size(); ++at)
    for (auto bit = 0; bit < 8; ++bit) {
      auto g = f;
      g[at] ^= std::byte{1} << bit;
      auto r = read(g);
      BOOST_REQUIRE(!r.findings.empty());
      BOOST_REQUIRE(r.findings[0].offset <= at);
      if (at >= sizeof(trace_file_header)) {
        BOOST_REQUIRE(r.chunks.size() == chunks.size() - 1);
      } else if (at >= sizeof trace_magic) {
        BOOST_REQUIRE(r.chunks.size() == chunks.size());
      }
    }
}

BOOST_AUTO_TEST_CASE(reading_goes_on_behind_damage_of_any_length) {
  auto f = small_file();
  auto second = read(f).chunks[1].offset;
  auto third = read(f).chunks[2].offset;
  for (size_t n = 1; n < 200; ++n) {
    auto g = file_bytes{f.begin(), f.begin() + static_cast<long>(second)};
    g.resize(g.size() + n, std::byte{'C'});
    g.insert(g.end(), f.begin() + static_cast<long>(third), f.end());
    auto r = read(g);
    BOOST_REQUIRE(r.chunks.size() == 2u);
    BOOST_REQUIRE(r.chunks[1].offset == second + n);
    BOOST_REQUIRE(r.findings[0].offset == second);
    BOOST_REQUIRE(says(r, "chunk 2 follows where 1 should"));
  }
}

BOOST_AUTO_TEST_CASE(records_that_make_no_sense_are_told_with_their_place) {
  auto good = trace_sent{};
  good.head.kind = trace_kind::sent;
  good.head.bytes = sizeof good;
  auto with = [&](auto change) {
    auto bad = good;
    change(bad);
    auto records = raw_bytes{};
    for (auto& r : {good, bad, good}) {
      auto b = std::as_bytes(std::span{&r, 1});
      records.insert(records.end(), b.begin(), b.end());
    }
    auto h = make_trace_header(1, 0, 0);
    auto c = make_trace_chunk(0, {}, 0, records);
    auto f = file_bytes(sizeof h + sizeof c);
    put(f, 0, h);
    put(f, sizeof h, c);
    f.insert(f.end(), records.begin(), records.end());
    auto r = read(f);
    BOOST_TEST(records_in(r.chunks) == 1u);
    BOOST_REQUIRE(r.findings.size() == 1u);
    BOOST_TEST(r.findings[0].offset == sizeof h + sizeof c + sizeof good);
    return r.findings[0].what;
  };
  BOOST_TEST(with([](auto& r) { r.head.bytes = 8; })
             == "a record's size is none");
  BOOST_TEST(with([](auto& r) { r.head.bytes += 4; })
             == "a record's size is none");
  BOOST_TEST(with([](auto& r) { r.head.bytes = 1024; })
             == "a record is larger than the rest of its chunk");
  BOOST_TEST(with([](auto& r) { r.head.kind = trace_kind{99}; })
             == "a record is of an unknown kind");
  BOOST_TEST(with([](auto& r) { r.payload_bytes = 8; })
             == "a record's size is not that of what it holds");
  BOOST_TEST(with([](auto& r) { r.payload_bytes = ~0u; })
             == "a record's size is not that of what it holds");
}

BOOST_AUTO_TEST_CASE(beginnings_of_chunks_alone_cost_no_quadratic_time) {
  // Each of these says that it goes on to the end, and none is right.
  auto h = make_trace_header(1, 0, 0);
  auto f = file_bytes(sizeof h);
  put(f, 0, h);
  auto n = size_t{20'000};
  f.resize(sizeof h + n * sizeof(trace_chunk_header));
  for (size_t i = 0; i < n; ++i) {
    auto c = make_trace_chunk(i, {}, 0, {});
    c.bytes = static_cast<uint32_t>((n - i - 1) * sizeof c);
    put(f, sizeof h + i * sizeof c, c);
  }
  auto r = read(f);
  BOOST_TEST(says(r, "too much of the file looks like chunks"));
  BOOST_TEST(r.chunks.empty());
}

// -- while it grows -----------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_growing_file_is_read_as_a_whole_one_is) {
  auto f = small_file();
  auto r = trace_file_reader{};
  auto chunks = std::vector<trace_chunk>{};
  for (size_t n = 0; n <= f.size(); ++n)
    while (auto c = r.next(const_bytes{f}.first(n), false)) {
      BOOST_REQUIRE(c->offset + sizeof(trace_chunk_header) + c->header.bytes
                    == n);
      chunks.push_back(*c);
    }
  BOOST_TEST(chunks.size() == 3u);
  BOOST_TEST(r.findings().empty());
}

BOOST_AUTO_TEST_CASE(a_growing_file_with_damage_is_read_behind_it) {
  auto f = small_file();
  auto whole = read(f);
  f[whole.chunks[1].offset + 60] ^= std::byte{1};
  auto r = trace_file_reader{};
  auto chunks = std::vector<trace_chunk>{};
  for (size_t n = 0; n <= f.size(); ++n)
    while (auto c = r.next(const_bytes{f}.first(n), false))
      chunks.push_back(*c);
  BOOST_REQUIRE(chunks.size() == 2u);
  BOOST_TEST(chunks[1].offset == whole.chunks[2].offset);
  BOOST_TEST(r.findings().size() == read(f).findings.size());
}

BOOST_AUTO_TEST_SUITE_END()
