// Disks that are full, fail, or lose power.

#include <boost/test/unit_test.hpp>

#include "core/base/random.hpp"
#include "core/trust/audit_log.hpp"
#include "tests/support/core/audit_world.hpp"
#include "tests/support/core/temp_dir.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

size_t gaps(const std::vector<audit_record>& all) {
  auto n = size_t{0};
  for (auto& r : all)
    if (r.kind == audit_kind::log_gap)
      n += r.find(audit_field_id::count)->number;
  return n;
}

size_t of_requests(const std::vector<audit_record>& all) {
  return size_t(std::ranges::count_if(all, [](auto& r) {
    return r.kind == audit_kind::admitted || r.kind == audit_kind::finished;
  }));
}

} // namespace

BOOST_AUTO_TEST_SUITE(audit_log_faults)

// -- writes that are cut short ------------------------------------------------

// Wherever it is cut: the whole records are there, and what is left of another
// one is no tampering.
BOOST_FIXTURE_TEST_CASE(a_log_that_is_cut_anywhere_goes_on, audit_world) {
  options.checkpoint_records = 5;
  {
    auto log = open();
    write(log, 17);
  }
  auto whole = disk->files[0].bytes;
  auto& bytes = disk->files[0].bytes;
  for (size_t size = 0; size < whole.size(); ++size) {
    bytes.assign(whole.begin(), whole.begin() + long(size));
    auto was = records().size();
    auto r = verify();
    BOOST_REQUIRE(r.findings.empty());
    BOOST_REQUIRE(r.records == was);
    BOOST_REQUIRE(!r.closed);
    auto log = open();
    BOOST_REQUIRE(log.recovered().records == was);
    BOOST_REQUIRE(log.recovered().unsealed == was - r.sealed);
    BOOST_REQUIRE(log.recovered().torn_bytes
                  == (r.torn ? r.torn->end - r.torn->offset : 0));
    write(log, 2);
    BOOST_REQUIRE(verify().findings.empty());
    BOOST_REQUIRE(records().size() == was + 3);
  }
}

// The same with garbage where the rest should be.
BOOST_FIXTURE_TEST_CASE(a_tail_of_garbage_is_a_tail, audit_world) {
  {
    auto log = open();
    write(log, 20);
  }
  auto& bytes = disk->files[0].bytes;
  auto whole = bytes;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    bytes = whole;
    auto n = random_bits(seed, 0) % 300;
    for (uint64_t i = 0; i < n; ++i)
      bytes.push_back(seed % 3 == 0 ? std::byte{0}
                                    : std::byte(random_bits(seed, i, 1)));
    auto r = verify();
    BOOST_REQUIRE(r.findings.empty());
    BOOST_REQUIRE(r.records == 21u);
    BOOST_REQUIRE(r.torn.has_value() == (n > 0));
    auto log = open();
    BOOST_REQUIRE(log.recovered().torn_bytes == n);
    BOOST_REQUIRE(verify().findings.empty());
    auto last = records().back();
    BOOST_REQUIRE(last.find(audit_field_id::torn_bytes)->number == n);
  }
}

BOOST_FIXTURE_TEST_CASE(what_is_durable_survives_a_loss_of_power, audit_world) {
  options.segment_bytes = 3000;
  auto acknowledged = uint64_t{0};
  for (uint64_t seed = 0; seed < 60; ++seed) {
    auto log = open();
    BOOST_REQUIRE(log.recovered().records >= acknowledged);
    write(log, random_bits(seed, 0) % 40, 1 + random_bits(seed, 1) % 5);
    acknowledged = log.durable();
    for (uint64_t i = 0; i < 7; ++i)
      BOOST_REQUIRE(log.append(some_record(i)).ok());
    // The write reaches the disk, and is not made durable.
    disk->sync_fails = true;
    BOOST_REQUIRE(!log.commit(time()).ok());
    disk->sync_fails = false;
    disk->lose_power(random_bits(seed, 2) % 1200);
    auto r = verify();
    BOOST_REQUIRE(r.findings.empty());
    BOOST_REQUIRE(r.records >= acknowledged);
  }
  BOOST_TEST(disk->files.size() > 10u);
}

BOOST_FIXTURE_TEST_CASE(a_file_that_was_only_begun_is_begun_again,
                        audit_world) {
  options.segment_bytes = 6000;
  {
    auto log = open();
    write(log, 100);
  }
  BOOST_REQUIRE(disk->files.size() >= 2u);
  auto last = uint32_t(disk->files.size() - 1);
  auto header = const_bytes{disk->files[last].bytes}.first(
      header_bytes(disk->files[last].bytes)->size());
  auto whole = std::vector<std::byte>(header.begin(), header.end());
  for (size_t size = 0; size < whole.size(); size += 7) {
    disk->files[last].bytes.assign(whole.begin(), whole.begin() + long(size));
    auto r = verify();
    BOOST_REQUIRE(r.findings.empty());
    BOOST_REQUIRE(r.torn.has_value());
    auto copy = *disk;
    auto log = open();
    write(log, 40);
    BOOST_REQUIRE(verify().findings.empty());
    *disk = copy;
  }
}

// -- what is no such write ----------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_log_that_was_changed_is_not_gone_on_with,
                        audit_world) {
  options.checkpoint_records = 10;
  {
    auto log = open();
    write(log, 35);
  }
  auto whole = disk->files[0].bytes;
  auto refused = size_t{0};
  for (size_t at = 0; at < whole.size(); at += 3) {
    disk->files[0].bytes = whole;
    disk->files[0].bytes[at] ^= std::byte{4};
    auto sealed = verify().sealed;
    auto log = audit_log::open(open_disk(disk), test_key(), options, time());
    if (!log) {
      ++refused;
      BOOST_REQUIRE((log.failure().code == errc::bad_file
                     || log.failure().code == errc::unsupported
                     || log.failure().code == errc::invalid_argument));
      BOOST_REQUIRE(log.failure().message.starts_with("audit.log: "));
      BOOST_REQUIRE((disk->files[0].bytes.size() == whole.size()));
      continue;
    }
    // Only what no checkpoint covers may be taken for a tail.
    BOOST_REQUIRE(log->recovered().records >= sealed);
    BOOST_REQUIRE(at >= disk->files[0].bytes.size() / 2);
  }
  BOOST_TEST(refused > whole.size() / 3 / 2);
}

BOOST_FIXTURE_TEST_CASE(other_files_are_left_alone, audit_world) {
  disk->files[0].bytes.assign(5000, std::byte{'x'});
  auto log = audit_log::open(open_disk(disk), test_key(), options, time());
  BOOST_REQUIRE(!log.ok());
  BOOST_TEST(disk->files[0].bytes.size() == 5000u);
}

// -- a full disk --------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(what_a_full_disk_refuses_is_counted, audit_world) {
  for (size_t spare = 0; spare < 900; spare += 13) {
    disk = std::make_shared<audit_disk>();
    auto log = open();
    write(log, 10, 3);
    auto durable = log.durable();
    disk->room = disk->size() + spare;
    for (auto round = 0; round < 3; ++round) {
      for (uint64_t i = 0; i < 10; ++i)
        BOOST_REQUIRE(log.append(some_record(i)).ok());
      auto e = log.commit(time());
      BOOST_REQUIRE(!e.ok());
      BOOST_REQUIRE((e.failure().code == errc::io_error));
      BOOST_REQUIRE(log.failing().has_value());
      BOOST_REQUIRE(log.durable() == durable);
      BOOST_REQUIRE(log.pending() == 0u);
      BOOST_REQUIRE(log.lost() == 10u * unsigned(round + 1));
      BOOST_REQUIRE(log.due(time()));
    }
    disk->room.reset();
    // By itself, or before what comes.
    if (spare % 2 == 0)
      BOOST_REQUIRE(log.commit(time()).ok());
    write(log, 4);
    BOOST_REQUIRE(log.lost() == 0u);
    BOOST_REQUIRE(!log.failing().has_value());
    auto all = records();
    BOOST_REQUIRE(gaps(all) == 30u);
    BOOST_REQUIRE(of_requests(all) == 14u);
    BOOST_REQUIRE(verify().findings.empty());
  }
}

BOOST_FIXTURE_TEST_CASE(a_disk_that_fails_in_any_way_loses_nothing_silently,
                        audit_world) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    disk = std::make_shared<audit_disk>();
    options.segment_bytes = 4000;
    auto log = open();
    auto sent = size_t{0};
    auto acknowledged = size_t{0};
    for (uint64_t i = 0; i < 60; ++i) {
      auto draw = random_bits(seed, i);
      disk->sync_fails = draw % 5 == 0;
      disk->cut_fails = draw / 5 % 3 == 0;
      disk->create_fails = draw / 15 % 2 == 0;
      disk->room.reset();
      if (draw / 30 % 3 == 0)
        disk->room = disk->size() + draw / 90 % 700;
      auto n = draw >> 40 & 3;
      for (uint64_t k = 0; k < n; ++k, ++sent)
        BOOST_REQUIRE(log.append(some_record(sent)).ok());
      now += 1000;
      if (log.commit(time()))
        acknowledged += n;
    }
    disk->sync_fails = disk->cut_fails = disk->create_fails = false;
    disk->room.reset();
    BOOST_REQUIRE(log.close(time()).ok());
    auto all = records();
    BOOST_REQUIRE(of_requests(all) == acknowledged);
    BOOST_REQUIRE(of_requests(all) + gaps(all) == sent);
    auto r = verify();
    BOOST_REQUIRE(r.findings.empty());
    BOOST_REQUIRE(r.closed);
  }
}

// Each call by itself, that of a file which is begun too, and then power is
// lost: what was acknowledged is there, and nothing looks like tampering.
BOOST_FIXTURE_TEST_CASE(a_disk_that_fails_and_loses_power_forks_no_log,
                        audit_world) {
  options.segment_bytes = 1500;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    disk = std::make_shared<audit_disk>();
    for (uint64_t life = 0; life < 4; ++life) {
      auto log = open();
      disk->seed = seed * 4 + life;
      for (uint64_t i = 0; i < 25; ++i) {
        BOOST_REQUIRE(log.append(some_record(i)).ok());
        now += 1000;
        (void)log.commit(time()); // or it is lost, and counted
      }
      disk->seed = 0;
      disk->lose_power(random_bits(seed, life) % 300);
      auto r = verify();
      BOOST_REQUIRE(r.findings.empty());
      BOOST_REQUIRE(r.records >= log.durable());
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_batch_has_a_bound, audit_world) {
  options.most_pending_bytes = 1000;
  auto log = open();
  auto n = size_t{0};
  while (true) {
    auto ok = log.append(some_record(n));
    if (!ok) {
      BOOST_TEST((ok.failure().code == errc::overloaded));
      break;
    }
    ++n;
  }
  BOOST_TEST(n > 3u);
  BOOST_TEST(n < 20u);
  BOOST_REQUIRE(log.commit(time()).ok());
  BOOST_TEST(log.append(some_record(n)).ok());
}

// -- real files ---------------------------------------------------------------

BOOST_AUTO_TEST_CASE(files_of_the_system_do_the_same) {
  auto dir = temp_dir{};
  auto path = dir.file("a.log");
  auto options = audit_log_options{};
  options.segment_bytes = 5000;
  for (auto i = 0; i < 3; ++i) {
    auto folder = open_audit_folder(path);
    BOOST_REQUIRE(folder.ok());
    // One at a time.
    auto second = open_audit_folder(path);
    BOOST_REQUIRE(!second.ok());
    BOOST_TEST((second.failure().code == errc::io_error));
    auto log =
        audit_log::open(*std::move(folder), test_key(), options, audit_at(1));
    BOOST_REQUIRE(log.ok());
    for (uint64_t n = 0; n < 100; ++n) {
      BOOST_REQUIRE(log->append(some_record(n)).ok());
      BOOST_REQUIRE(log->commit(audit_at(2)).ok());
    }
  }
  auto files = std::vector<audit_bytes>{};
  auto sources = std::vector<audit_source>{};
  for (uint32_t i = 0;; ++i) {
    auto name = audit_segment_name(path, i);
    auto f = map_audit_file(name);
    if (!f)
      break;
    files.push_back(*f);
    sources.push_back({name, f->bytes});
  }
  BOOST_TEST(sources.size() > 5u);
  auto r = verify_audit_log(sources);
  BOOST_REQUIRE(r.ok());
  BOOST_TEST(r->findings.empty());
  BOOST_TEST(r->records == 303 + sources.size() - 1);
  BOOST_TEST(!map_audit_file(dir.file("none")).ok());
  BOOST_TEST(!map_audit_file(dir.path()).ok());
  BOOST_TEST(!open_audit_folder(dir.file("no/such/a.log")).ok());
}

BOOST_AUTO_TEST_SUITE_END()
