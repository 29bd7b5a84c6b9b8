// Whatever is done to a log is found, and where.

#include <boost/test/unit_test.hpp>

#include "core/base/random.hpp"
#include "core/trust/audit_anchor.hpp"
#include "core/trust/crc32c.hpp"
#include "tests/support/core/audit_world.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

using file_bytes = std::vector<std::byte>;

// A closed log of one file, and where its frames are.
struct victim : audit_world {
  file_bytes whole;
  std::vector<audit_frame> frames; ///< views of `whole`
  uint64_t head = 0;
  std::vector<audit_anchor> anchors;

  explicit victim(size_t records = 100, uint8_t id = 7) {
    options.checkpoint_records = 32;
    options.id.fill(id);
    auto log = open();
    write(log, records, 4);
    BOOST_REQUIRE(log.close(time()).ok());
    anchors.push_back(audit_anchor::of(log.id(), *log.checkpoint()));
    whole = disk->files[0].bytes;
    head = header_bytes(whole)->size();
    for (auto at = head; at < whole.size(); at = frames.back().end())
      frames.push_back(*frame_at(whole, at));
  }

  audit_report check(const file_bytes& bytes) const {
    auto r = verify_audit_log({{"audit.log", bytes}});
    BOOST_REQUIRE(r.ok());
    return *std::move(r);
  }

  // Where the first thing is that is not as it was written; of an end that is
  // missing, where it should be. Nothing if it is the log as it was.
  std::optional<uint64_t> found(const file_bytes& bytes) const {
    auto r = check(bytes);
    if (!r.findings.empty())
      return r.findings[0].offset;
    if (r.torn)
      return r.torn->offset;
    if (!r.closed || !check_anchors(r, anchors).empty())
      return bytes.size();
    return std::nullopt;
  }

  // The frame that has that byte, or the header.
  std::pair<uint64_t, uint64_t> part_of(uint64_t at) const {
    for (auto& f : frames)
      if (at >= f.offset && at < f.end())
        return {f.offset, f.end()};
    return {0, head};
  }

  file_bytes without(size_t frame) const {
    auto b = whole;
    b.erase(b.begin() + long(frames[frame].offset),
            b.begin() + long(frames[frame].end()));
    return b;
  }

  file_bytes bytes_of(size_t frame) const {
    return {whole.begin() + long(frames[frame].offset),
            whole.begin() + long(frames[frame].end())};
  }
};

// Makes a frame that has been changed look whole.
void mend(file_bytes& bytes, uint64_t offset) {
  auto p = bytes.data() + offset;
  auto size = load_unaligned<uint32_t>(p + 4);
  auto sum = crc32c({p + 4, size + size_t{12}});
  std::memcpy(p, &sum, sizeof sum);
}

void every_flip_is_found(const victim& v, uint64_t begin, uint64_t step) {
  auto bytes = v.whole;
  for (auto bit = begin; bit < 8 * bytes.size(); bit += step) {
    auto at = bit / 8;
    auto mask = std::byte(1u << bit % 8);
    bytes[at] ^= mask;
    auto found = v.found(bytes);
    bytes[at] ^= mask;
    auto [from, to] = v.part_of(at);
    if (!found || *found < from || *found >= to)
      BOOST_FAIL("bit " << bit << ", of " << from << " to " << to
                        << ", is found at "
                        << (found ? std::to_string(*found) : "no place"));
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(audit_log_tampering)

BOOST_AUTO_TEST_CASE(the_log_itself_is_good) {
  auto v = victim{};
  BOOST_TEST(!v.found(v.whole).has_value());
  BOOST_TEST(v.frames.size() > 104u);
}

BOOST_AUTO_TEST_CASE(every_flip_of_a_bit_is_found_where_it_is) {
  every_flip_is_found(victim{12}, 0, 1);
}

BOOST_AUTO_TEST_CASE(flips_in_a_long_log_are_found_where_they_are) {
  every_flip_is_found(victim{5000}, 3, 24'001);
}

// -- frames -------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(every_deletion_is_found_where_it_is) {
  auto v = victim{};
  for (size_t i = 0; i < v.frames.size(); ++i)
    BOOST_REQUIRE(v.found(v.without(i)) == v.frames[i].offset);
}

BOOST_AUTO_TEST_CASE(every_repetition_is_found_where_it_is) {
  auto v = victim{};
  for (size_t i = 0; i < v.frames.size(); ++i) {
    auto b = v.whole;
    auto twice = v.bytes_of(i);
    b.insert(b.begin() + long(v.frames[i].end()), twice.begin(), twice.end());
    BOOST_REQUIRE(v.found(b) == v.frames[i].end());
  }
}

BOOST_AUTO_TEST_CASE(an_old_checkpoint_at_the_end_unseals_nothing) {
  auto v = victim{};
  auto good = v.check(v.whole);
  for (size_t i = 0; i < v.frames.size(); ++i) {
    if (v.frames[i].type != audit_frame_type::checkpoint)
      continue;
    auto old = v.bytes_of(i);
    auto b = v.whole;
    b.insert(b.end(), old.begin(), old.end());
    auto r = v.check(b);
    BOOST_TEST(!r.findings.empty());
    BOOST_TEST(r.sealed == good.sealed);
    BOOST_TEST(r.records == good.records);
  }
}

BOOST_AUTO_TEST_CASE(every_swap_of_neighbours_is_found_where_it_is) {
  auto v = victim{};
  for (size_t i = 0; i + 1 < v.frames.size(); ++i) {
    auto b = v.whole;
    auto first = v.bytes_of(i + 1);
    auto second = v.bytes_of(i);
    auto to = b.begin() + long(v.frames[i].offset);
    std::ranges::copy(second, std::ranges::copy(first, to).out);
    BOOST_REQUIRE(v.found(b) == v.frames[i].offset);
  }
}

BOOST_AUTO_TEST_CASE(swaps_over_a_distance_are_found_where_they_are) {
  auto v = victim{};
  for (uint64_t draw = 0; draw < 300; ++draw) {
    auto i = random_bits(draw, 0) % v.frames.size();
    auto k = random_bits(draw, 1) % v.frames.size();
    if (i >= k)
      continue;
    auto b =
        file_bytes{v.whole.begin(), v.whole.begin() + long(v.frames[i].offset)};
    for (auto n = i; n < v.frames.size(); ++n) {
      auto part = v.bytes_of(n == i ? k : n == k ? i : n);
      b.insert(b.end(), part.begin(), part.end());
    }
    BOOST_REQUIRE(v.found(b) == v.frames[i].offset);
  }
}

BOOST_AUTO_TEST_CASE(every_truncation_is_found_where_it_is) {
  auto v = victim{40};
  for (size_t size = v.head; size < v.whole.size(); ++size) {
    auto b = file_bytes{v.whole.begin(), v.whole.begin() + long(size)};
    auto from = size == v.head ? v.head : v.part_of(size).first;
    BOOST_REQUIRE(v.found(b) == from);
    // Without what somebody else has kept it is only an end that is not sealed,
    // or a log that was not closed.
    auto r = v.check(b);
    BOOST_REQUIRE(r.findings.empty());
    BOOST_REQUIRE(!r.closed);
    auto missing = check_anchors(r, v.anchors);
    BOOST_REQUIRE(missing.size() == 1u);
    BOOST_REQUIRE(missing[0].what.find("ends before") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(frames_of_another_log_are_found_where_they_are) {
  auto v = victim{};
  auto other = victim{100, 8};
  BOOST_REQUIRE(v.frames.size() == other.frames.size());
  for (size_t i = 0; i < v.frames.size(); ++i) {
    // The same record at the same place of another log with the same key.
    auto b = v.whole;
    std::ranges::copy(other.bytes_of(i), b.begin() + long(v.frames[i].offset));
    BOOST_REQUIRE(v.found(b) == v.frames[i].offset);
    // All that follow.
    std::copy(other.whole.begin() + long(other.frames[i].offset),
              other.whole.end(), b.begin() + long(v.frames[i].offset));
    BOOST_REQUIRE(v.found(b) == v.frames[i].offset);
  }
}

// -- by somebody who knows the format -----------------------------------------

BOOST_AUTO_TEST_CASE(a_record_with_a_new_checksum_is_found_by_the_next_frame) {
  auto v = victim{};
  for (size_t i = 0; i + 1 < v.frames.size(); ++i) {
    auto b = v.whole;
    b[v.frames[i].end() - 1] ^= std::byte{1};
    mend(b, v.frames[i].offset);
    auto found = v.found(b);
    BOOST_REQUIRE(
        (found == v.frames[i].offset || found == v.frames[i + 1].offset));
  }
}

// All links are mended as well: what is signed is not.
BOOST_AUTO_TEST_CASE(a_chain_that_is_written_anew_is_found_by_its_checkpoint) {
  auto v = victim{};
  for (size_t i = 0; i < v.frames.size(); ++i) {
    if (v.frames[i].type != audit_frame_type::record)
      continue;
    auto b = v.whole;
    b[v.frames[i].offset + frame_head_bytes + 12] ^= std::byte{1}; // its time
    auto chain = audit_chain{};
    chain.add_header(const_bytes{b}.first(v.head));
    auto sealed_by = std::optional<uint64_t>{};
    for (size_t n = 0; n < v.frames.size(); ++n) {
      auto& f = v.frames[n];
      auto link = chain.link();
      std::memcpy(b.data() + f.offset + 8, &link, sizeof link);
      mend(b, f.offset);
      auto body = frame_at(b, f.offset)->body;
      if (f.type == audit_frame_type::record) {
        chain.add_record(body);
      } else {
        chain.add_checkpoint(body);
        if (!sealed_by && n > i)
          sealed_by = f.offset;
      }
    }
    BOOST_REQUIRE((v.found(b) == sealed_by));
  }
}

// With the key, all of it: only who has kept a checkpoint can tell.
BOOST_AUTO_TEST_CASE(a_log_that_is_written_anew_is_found_by_an_anchor) {
  auto v = victim{};
  auto other = audit_world{};
  other.options.checkpoint_records = 32;
  auto log = other.open();
  other.write(log, 50, 4);
  other.write(log, 50, 2);
  BOOST_REQUIRE(log.close(other.time()).ok());
  auto r = other.verify();
  BOOST_TEST(r.findings.empty());
  BOOST_TEST(r.closed);
  auto found = check_anchors(r, v.anchors);
  BOOST_REQUIRE(found.size() == 1u);
  BOOST_TEST(found[0].what.find("other hashes") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(several_changes_are_all_found) {
  auto v = victim{200};
  auto b = v.whole;
  auto changed = std::vector<uint64_t>{};
  for (auto i : {10u, 70u, 150u}) {
    b[v.frames[i].end() - 1] ^= std::byte{1};
    changed.push_back(v.frames[i].offset);
  }
  auto offsets = std::vector<uint64_t>{};
  for (auto& f : v.check(b).findings)
    offsets.push_back(f.offset);
  BOOST_TEST(offsets == changed, boost::test_tools::per_element());
}

// -- files of one log ---------------------------------------------------------

BOOST_AUTO_TEST_CASE(files_that_are_missing_or_moved_are_found) {
  auto w = audit_world{};
  w.options.segment_bytes = 4000;
  auto log = w.open();
  w.write(log, 200, 3);
  BOOST_REQUIRE(log.close(w.time()).ok());
  auto all = w.sources();
  BOOST_REQUIRE(all.size() > 4u);
  auto findings = [](std::vector<audit_source> s) {
    return verify_audit_log(std::move(s))->findings;
  };
  BOOST_TEST(findings(all).empty());
  for (size_t i = 0; i + 1 < all.size(); ++i) {
    auto s = all;
    std::swap(s[i], s[i + 1]);
    BOOST_TEST(!findings(s).empty());
    s = all;
    s.insert(s.begin() + long(i), s[i]);
    BOOST_TEST(!findings(s).empty());
    if (i == 0)
      continue;
    s = all;
    s.erase(s.begin() + long(i));
    BOOST_TEST(!findings(s).empty());
  }
  // The end of a file that another one follows.
  for (size_t cut = 1; cut < 800; ++cut) {
    auto s = all;
    s[1].bytes = s[1].bytes.first(s[1].bytes.size() - cut);
    auto f = findings(s);
    BOOST_REQUIRE(!f.empty());
    BOOST_REQUIRE(f[0].file == all[f[0].source].name);
  }
}

// -- parts --------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(parts_find_what_the_whole_finds) {
  auto v = victim{500};
  auto o = audit_verify_options{};
  o.part_bytes = 1;
  for (uint64_t draw = 0; draw < 200; ++draw) {
    auto b = v.whole;
    for (uint64_t n = 0; n < draw % 4; ++n)
      b[random_bits(draw, n) % b.size()] ^= std::byte{8};
    auto whole = v.check(b);
    auto parts = verify_audit_log({{"audit.log", b}}, o);
    BOOST_REQUIRE(parts.ok());
    BOOST_REQUIRE(parts->records == whole.records);
    BOOST_REQUIRE(parts->sealed == whole.sealed);
    BOOST_REQUIRE(parts->checkpoints.size() == whole.checkpoints.size());
    auto text = [](auto& r) {
      auto s = std::string{};
      for (auto& f : r.findings)
        s += to_string(f) + "\n";
      return s;
    };
    BOOST_REQUIRE(text(*parts) == text(whole));
  }
}

BOOST_AUTO_TEST_CASE(what_is_before_a_checkpoint_can_be_left_out) {
  auto v = victim{300};
  auto all = v.check(v.whole).checkpoints;
  BOOST_REQUIRE(all.size() > 5u);
  for (uint64_t part_bytes : {uint64_t{1}, uint64_t{1} << 20}) {
    auto o = audit_verify_options{};
    o.part_bytes = part_bytes;
    auto b = v.whole;
    b[all[2].offset - 3] ^= std::byte{1};
    o.from_checkpoint = all[1].records;
    BOOST_TEST(verify_audit_log({{"a", b}}, o)->findings.size() == 1u);
    o.from_checkpoint = all[2].records;
    auto r = verify_audit_log({{"a", b}}, o);
    BOOST_TEST(r->findings.empty());
    BOOST_TEST(r->first == all[2].records);
    BOOST_TEST(r->checkpoints.size() == all.size() - 2);
    o.from_checkpoint = all[2].records + 1;
    auto none = verify_audit_log({{"a", b}}, o);
    BOOST_REQUIRE(!none.ok());
    BOOST_TEST((none.failure().code == errc::invalid_argument));
  }
}

BOOST_AUTO_TEST_SUITE_END()
