#include "core/trace/look/trace_tail.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <set>

#include "core/trace/look/trace_requests.hpp"
#include "core/trace/recent_trace.hpp"
#include "core/trace/writer.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/core/trace_scene.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

// The records of a trace, one by one, and the moment of the chunk of each.
struct piece {
  raw_bytes record;
  trace_moment moment;
};

std::vector<piece> pieces_of(const std::vector<std::byte>& file) {
  auto all = std::vector<piece>{};
  auto reader = trace_file_reader{};
  while (auto c = reader.next(file))
    for_each_record(c->records, [&](trace_kind, const_bytes bytes) {
      all.push_back({raw_bytes(bytes.begin(), bytes.end()), c->header.moment});
    });
  return all;
}

struct fixture {
  trace_writer open(uint64_t max_bytes, uint32_t files, uint64_t process = 1) {
    auto o = trace_writer_options{};
    o.file = file;
    o.process = process;
    o.max_bytes = max_bytes;
    o.files = files;
    auto w = trace_writer::open(o);
    BOOST_REQUIRE(w.ok());
    return std::move(*w);
  }

  bool poll() {
    return tail.poll({}, [this](std::string_view line) {
      add(seen, line);
      return true;
    });
  }

  // Who spawned an actor is known when that one's handling is over: it may come
  // too late for a line.
  static void add(std::multiset<std::string>& to, std::string_view line) {
    if (line.find(" init ") == std::string_view::npos)
      to.emplace(line);
  }

  // What there is to see of a trace, at once.
  std::multiset<std::string> lines_of(const std::vector<std::byte>& bytes) {
    auto all = std::multiset<std::string>{};
    auto m = model_of(bytes);
    for (auto i : m.handlings[0])
      add(all, show_message(m, i, m.begin_ns(), false));
    return all;
  }

  uint32_t turns() const {
    auto n = 0u;
    while (std::filesystem::exists(file + "." + std::to_string(n + 1)))
      ++n;
    return n;
  }

  temp_dir dir;
  std::string file = dir.file("t.trace");
  trace_tail tail{file};
  std::multiset<std::string> seen;
};

} // namespace

BOOST_AUTO_TEST_SUITE(trace_tails)

BOOST_FIXTURE_TEST_CASE(it_goes_on_in_the_next_file, fixture) {
  auto bytes = scene_of(60);
  auto w = open(20 * 6000, 20);
  auto n = 0u;
  for (auto& p : pieces_of(bytes)) {
    BOOST_REQUIRE(w.write(p.record, p.moment, 0).ok());
    // Often enough, and sometimes after several turns.
    if (n++ % 90 == 0)
      BOOST_TEST(poll());
  }
  BOOST_TEST(poll());
  BOOST_TEST(turns() > 5u);
  BOOST_TEST((seen == lines_of(bytes)));
  BOOST_TEST(tail.take_complaints().empty());
}

BOOST_FIXTURE_TEST_CASE(what_came_and_went_unseen_is_told, fixture) {
  auto bytes = scene_of(60);
  auto w = open(2 * 6000, 2);
  auto pieces = pieces_of(bytes);
  auto write = [&](size_t from, size_t to) {
    for (auto i = from; i < to; ++i)
      BOOST_REQUIRE(w.write(pieces[i].record, pieces[i].moment, 0).ok());
  };
  write(0, 40);
  poll();
  BOOST_TEST(!seen.empty());
  write(40, pieces.size());
  auto before = seen.size();
  poll();
  auto said = tail.take_complaints();
  BOOST_REQUIRE_EQUAL(said.size(), 1u);
  BOOST_TEST(said[0].ends_with("of its files came and went unseen"));
  BOOST_TEST(seen.size() > before);
  BOOST_TEST(seen.size() < lines_of(bytes).size());
  BOOST_TEST(tail.take_complaints().empty());
}

BOOST_FIXTURE_TEST_CASE(one_file_alone_takes_its_own_turn, fixture) {
  auto bytes = scene_of(20);
  auto w = open(6000, 1);
  for (auto& p : pieces_of(bytes)) {
    BOOST_REQUIRE(w.write(p.record, p.moment, 0).ok());
    BOOST_TEST(poll());
  }
  BOOST_TEST(turns() == 0u);
  BOOST_TEST((seen == lines_of(bytes)));
}

BOOST_FIXTURE_TEST_CASE(a_chunk_that_is_cut_short_is_waited_for, fixture) {
  auto bytes = scene_of(5);
  auto out = std::ofstream{file, std::ios::binary};
  auto add = [&](size_t from, size_t to) {
    out.write(reinterpret_cast<const char*>(bytes.data()) + from,
              static_cast<std::streamsize>(to - from));
    out.flush();
  };
  // Within the header, within the last chunk's head, within its records.
  auto at = size_t{0};
  for (auto to :
       {size_t{17}, bytes.size() - 3000, bytes.size() - 8, bytes.size() - 1}) {
    add(at, to);
    at = to;
    BOOST_TEST(poll());
    BOOST_TEST(tail.take_complaints().empty());
  }
  auto before = seen.size();
  add(at, bytes.size());
  BOOST_TEST(poll());
  BOOST_TEST(seen.size() > before);
  BOOST_TEST((seen == lines_of(bytes)));
  BOOST_TEST(tail.take_complaints().empty());
}

BOOST_FIXTURE_TEST_CASE(a_file_that_ended_within_a_chunk_is_told, fixture) {
  auto bytes = scene_of(5);
  {
    auto out = std::ofstream{file, std::ios::binary};
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size() - 8));
  }
  poll();
  BOOST_TEST(tail.take_complaints().empty());
  // Another one has its name now, so nothing comes any more.
  std::filesystem::rename(file, file + ".1");
  auto next = trace_builder{1, 0, 1};
  name_scene(next);
  auto more = next.bytes();
  std::ofstream{file, std::ios::binary}.write(
      reinterpret_cast<const char*>(more.data()),
      static_cast<std::streamsize>(more.size()));
  poll();
  auto said = tail.take_complaints();
  BOOST_REQUIRE_EQUAL(said.size(), 1u);
  BOOST_TEST(said[0].ends_with("the file ends within a chunk"));
}

BOOST_FIXTURE_TEST_CASE(a_process_that_begins_anew_is_followed, fixture) {
  auto bytes = scene_of(3);
  for (uint64_t process = 1; process < 3; ++process) {
    auto w = open(1 << 20, 4, process);
    for (auto& p : pieces_of(bytes))
      BOOST_REQUIRE(w.write(p.record, p.moment, 0).ok());
    poll();
  }
  BOOST_TEST(seen.size() == 2 * lines_of(bytes).size());
  auto said = tail.take_complaints();
  BOOST_REQUIRE_EQUAL(said.size(), 1u);
  BOOST_TEST(said[0] == "another process writes it now");
}

BOOST_FIXTURE_TEST_CASE(a_sink_that_wants_no_more_ends_it, fixture) {
  auto w = open(1 << 20, 4);
  for (auto& p : pieces_of(scene_of(3)))
    BOOST_REQUIRE(w.write(p.record, p.moment, 0).ok());
  BOOST_TEST(!tail.poll({}, [](std::string_view) { return false; }));
}

BOOST_AUTO_TEST_SUITE_END()

// -- the newest part ----------------------------------------------------------

BOOST_AUTO_TEST_SUITE(recent_traces)

BOOST_FIXTURE_TEST_CASE(all_of_a_small_trace_is_read, fixture) {
  BOOST_TEST(read_recent_trace(file, 1 << 20).files.empty());
  auto bytes = scene_of(60);
  auto w = open(20 * 6000, 20);
  for (auto& p : pieces_of(bytes))
    BOOST_REQUIRE(w.write(p.record, p.moment, 0).ok());
  BOOST_TEST(turns() > 5u);
  auto t = read_recent_trace(file, 1 << 20);
  BOOST_TEST(t.files.size() == turns() + 1);
  BOOST_TEST(t.left_out == 0u);
  auto m = read_trace(t.inputs());
  BOOST_TEST(!m.damaged());
  BOOST_TEST(m.messages.size() == model_of(bytes).messages.size());
}

BOOST_FIXTURE_TEST_CASE(of_a_large_one_the_newest_bytes_are, fixture) {
  auto bytes = scene_of(400);
  auto w = open(2 * 60'000, 2);
  for (auto& p : pieces_of(bytes))
    BOOST_REQUIRE(w.write(p.record, p.moment, 0).ok());
  auto all = read_trace(read_recent_trace(file, 1 << 20).inputs());
  auto last = all.end_ns();
  auto before = size_t{0};
  for (auto most : {8'000u, 20'000u, 40'000u}) {
    auto t = read_recent_trace(file, most);
    BOOST_TEST(t.bytes <= most);
    BOOST_TEST(t.left_out > 0u);
    auto m = read_trace(t.inputs());
    BOOST_TEST(m.messages.size() > before);
    before = m.messages.size();
    // By the same clock, up to what rounding does to it.
    BOOST_TEST(std::abs(m.end_ns() - last) < 1000);
    // Names from the file's beginning.
    for (auto& x : m.messages)
      BOOST_TEST((!x.is(trace_arrived) || m.type_name(x) != "?"));
  }
  BOOST_TEST(before < all.messages.size());
}

BOOST_FIXTURE_TEST_CASE(garbage_is_nothing, fixture) {
  std::ofstream{file} << std::string(100'000, 'x');
  BOOST_TEST(read_recent_trace(file, 1 << 20).files.empty());
}

BOOST_AUTO_TEST_CASE(requests_are_told_at_a_glance) {
  auto f = scene_of(3);
  auto m = model_of(f);
  auto all = recent_requests(m, 10);
  BOOST_REQUIRE_EQUAL(all.size(), 1u);
  auto& r = all[0];
  BOOST_TEST(r.request == 7u);
  BOOST_TEST(r.has_begin);
  BOOST_TEST(r.token_messages == 3u);
  // Sent at 10 µs; the step that begins at 104 µs gives its token 92 later.
  BOOST_TEST(r.first_token_ns - r.begin_ns == 186'000);
  BOOST_TEST(r.end_ns - r.begin_ns == 388'000);
  auto g = scene_of(3, false);
  auto n = model_of(g);
  BOOST_TEST(recent_requests(n, 10).at(0).end_ns == trace_never);
  BOOST_TEST(recent_requests(n, 0).empty());
}

BOOST_AUTO_TEST_CASE(the_latest_requests_come_first) {
  auto b = trace_builder{1};
  name_scene(b);
  for (uint64_t i = 1; i <= 5; ++i)
    b.arrive({{}, scene_gateway, scene_generate, i}, int64_t(1000 * (i % 3)));
  auto f = b.bytes();
  auto m = model_of(f);
  auto ids = std::vector<uint64_t>{};
  for (auto& r : recent_requests(m, 4))
    ids.push_back(r.request);
  BOOST_TEST(ids == (std::vector<uint64_t>{5, 2, 4, 1}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
