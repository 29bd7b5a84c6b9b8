#include "core/trust/audit_log.hpp"

#include <boost/test/unit_test.hpp>

#include "tests/support/core/audit_world.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

std::vector<audit_kind> kinds(const std::vector<audit_record>& records) {
  auto all = std::vector<audit_kind>{};
  for (auto& r : records)
    all.push_back(r.kind);
  return all;
}

void is_good(const audit_world& w) {
  for (auto& f : w.verify().findings)
    BOOST_ERROR(to_string(f));
}

} // namespace

BOOST_AUTO_TEST_SUITE(audit_log_writing)

BOOST_FIXTURE_TEST_CASE(what_is_appended_is_there, audit_world) {
  auto log = open();
  BOOST_TEST(log.recovered().is_new);
  write(log, 200, 7);
  BOOST_TEST(log.durable() == 201u);
  BOOST_REQUIRE(log.close(time()).ok());
  auto r = verify();
  is_good(*this);
  BOOST_TEST(r.records == 202u);
  BOOST_TEST(r.sealed == 202u);
  BOOST_TEST(r.closed);
  BOOST_TEST(!r.torn.has_value());
  BOOST_TEST((r.log == options.id));
  auto all = records();
  BOOST_REQUIRE(all.size() == 202u);
  BOOST_TEST((all.front().kind == audit_kind::log_opened));
  BOOST_TEST((all.back().kind == audit_kind::log_closed));
  for (uint64_t i = 1; i <= 200; ++i)
    BOOST_TEST((all[i] == some_record(i)));
}

BOOST_FIXTURE_TEST_CASE(a_batch_is_one_write, audit_world) {
  auto log = open();
  auto before = disk->syncs;
  for (auto i = 0; i < 50; ++i)
    BOOST_REQUIRE(log.append(some_record(1)).ok());
  BOOST_TEST(log.durable() == 1u);
  BOOST_TEST(log.pending() == 50u);
  BOOST_REQUIRE(log.commit(time()).ok());
  BOOST_TEST(disk->syncs == before + 1);
  BOOST_TEST(log.durable() == 51u);
  BOOST_TEST(log.pending() == 0u);
  // Nothing to do, nothing done.
  BOOST_REQUIRE(log.commit(time()).ok());
  BOOST_TEST(disk->syncs == before + 1);
}

BOOST_FIXTURE_TEST_CASE(checkpoints_come_after_records_or_time, audit_world) {
  options.checkpoint_records = 10;
  auto log = open();
  BOOST_TEST(log.sealed() == 1u);
  write(log, 9);
  BOOST_TEST(log.sealed() == 1u);
  write(log, 1);
  BOOST_TEST(log.sealed() == 11u);
  write(log, 1);
  BOOST_TEST(!log.due(time()));
  now += std::chrono::nanoseconds{999ms}.count();
  BOOST_TEST(!log.due(time()));
  now += std::chrono::nanoseconds{1ms}.count();
  BOOST_TEST(log.due(time()));
  BOOST_REQUIRE(log.commit(time()).ok());
  BOOST_TEST(log.sealed() == 12u);
  BOOST_TEST(log.checkpoint()->records() == 12u);
  BOOST_TEST(!log.due(time()));
  write(log, 1);
  BOOST_REQUIRE(log.seal(time()).ok());
  BOOST_TEST(log.sealed() == 13u);
  is_good(*this);
}

BOOST_FIXTURE_TEST_CASE(it_goes_on_where_it_ended, audit_world) {
  for (auto i = 0; i < 5; ++i) {
    auto log = open();
    BOOST_TEST(log.recovered().records == 33u * unsigned(i));
    BOOST_TEST(log.recovered().is_new == (i == 0));
    write(log, 32, 5);
  }
  auto r = verify();
  is_good(*this);
  BOOST_TEST(r.records == 165u);
  BOOST_TEST(!r.closed);
}

BOOST_FIXTURE_TEST_CASE(files_are_rotated_and_the_chain_goes_on, audit_world) {
  options.segment_bytes = 8000;
  {
    auto log = open();
    write(log, 300, 3);
  }
  auto log = open();
  write(log, 100, 3);
  BOOST_TEST(disk->files.size() > 5u);
  is_good(*this);
  auto all = records();
  auto rotations = std::ranges::count(kinds(all), audit_kind::log_rotated);
  BOOST_TEST(size_t(rotations) + 1 == disk->files.size());
  BOOST_TEST(all.size() == 402u + size_t(rotations));
  // The last ones alone say what they are part of.
  auto part = sources();
  part.erase(part.begin(), part.begin() + 3);
  auto r = verify_audit_log(part);
  BOOST_REQUIRE(r.ok());
  BOOST_TEST(r->findings.empty());
  BOOST_TEST(r->first > 0u);
  BOOST_TEST(r->records == all.size());
}

BOOST_FIXTURE_TEST_CASE(a_file_that_cannot_be_begun_is_begun_later,
                        audit_world) {
  options.segment_bytes = 8000;
  auto log = open();
  disk->create_fails = true;
  write(log, 100);
  BOOST_TEST(disk->files.size() == 1u);
  BOOST_TEST(log.failing().has_value());
  disk->create_fails = false;
  write(log, 2);
  BOOST_TEST(disk->files.size() == 2u);
  BOOST_TEST(!log.failing().has_value());
  is_good(*this);
}

// -- keys ---------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_new_key_is_named_by_the_old_one, audit_world) {
  {
    auto log = open();
    write(log, 10);
    BOOST_REQUIRE(log.change_key(test_key(2), time()).ok());
    write(log, 100);
    BOOST_REQUIRE(log.close(time()).ok());
  }
  is_good(*this);
  auto r = verify();
  BOOST_TEST((r.checkpoints.front().key == test_key(1).public_key()));
  BOOST_TEST((r.checkpoints.back().key == test_key(2).public_key()));
  auto o = audit_verify_options{};
  o.key = test_key(1).public_key();
  BOOST_TEST(verify(o).findings.empty());
  o.key = test_key(2).public_key();
  BOOST_TEST(!verify(o).findings.empty());
  // It goes on with the new one only.
  auto wrong = audit_log::open(open_disk(disk), test_key(1), options, time());
  BOOST_REQUIRE(!wrong.ok());
  BOOST_TEST((wrong.failure().code == errc::invalid_argument));
  auto log = open(2);
  write(log, 1);
}

BOOST_FIXTURE_TEST_CASE(keys_change_from_file_to_file, audit_world) {
  options.segment_bytes = 4000;
  auto log = open();
  for (uint8_t k = 2; k < 8; ++k) {
    write(log, 30);
    BOOST_REQUIRE(log.change_key(test_key(k), time()).ok());
  }
  write(log, 30);
  BOOST_TEST(disk->files.size() > 5u);
  is_good(*this);
}

BOOST_FIXTURE_TEST_CASE(a_change_of_keys_that_was_cut_short_did_not_happen,
                        audit_world) {
  auto log = open();
  write(log, 10);
  auto before = disk->files[0].bytes.size();
  BOOST_REQUIRE(log.change_key(test_key(2), time()).ok());
  auto whole = disk->files[0].bytes;
  for (auto size = before; size < whole.size(); ++size) {
    disk->files[0].bytes.assign(whole.begin(), whole.begin() + long(size));
    BOOST_REQUIRE(verify().findings.empty());
    auto again = open(1);
    BOOST_REQUIRE(again.recovered().records == 11u);
    write(again, 3);
    BOOST_REQUIRE(verify().findings.empty());
  }
}

BOOST_FIXTURE_TEST_CASE(a_key_that_nobody_named_is_found, audit_world) {
  {
    auto log = open();
    write(log, 10);
    BOOST_REQUIRE(log.close(time()).ok());
  }
  auto good = disk->files[0].bytes;
  // Somebody has all but the key, and writes the log anew.
  auto forged = audit_world{};
  auto log = forged.open(9);
  forged.write(log, 10);
  BOOST_REQUIRE(log.close(forged.time()).ok());
  BOOST_TEST(forged.verify().findings.empty());
  auto o = audit_verify_options{};
  o.key = test_key(1).public_key();
  BOOST_TEST(!forged.verify(o).findings.empty());
  // Or goes on with the rest of another one.
  auto spliced = forged.disk->files[0].bytes;
  std::copy_n(good.begin(), header_bytes(good)->size(), spliced.begin());
  disk->files[0].bytes = spliced;
  BOOST_TEST(!verify().findings.empty());
}

// Logs are read for years: what is written must not change by the way.
BOOST_FIXTURE_TEST_CASE(version_1_is_these_bytes, audit_world) {
  options.checkpoint_records = 4;
  options.segment_bytes = 1500;
  auto log = open();
  write(log, 20);
  BOOST_REQUIRE(log.close(time()).ok());
  auto all = sha256{};
  for (auto& s : sources())
    all.add(s.bytes);
  BOOST_TEST(disk->files.size() == 4u);
  BOOST_TEST(
      to_hex(as_bytes(all.finish()))
      == "abce7d924b87f05c33969664e883dd04db28979b788255f79f6bc3a1cb64c4ac");
}

BOOST_AUTO_TEST_SUITE_END()
