#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>

#include "core/trust/audit_events.hpp"
#include "core/trust/merkle_proof.hpp"
#include "runtime/audit_anchor.hpp"
#include "runtime/audit_keys.hpp"
#include "tests/support/core/audit_world.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/process.hpp"

using namespace troupe;
using namespace troupe::testing;
using json = nlohmann::json;

namespace {

process_result call(std::vector<std::string> args) {
  args.insert(args.begin(), {TROUPE_BINARY_DIR "/troupe", "audit"});
  return run_process(args);
}

std::vector<json> lines(const std::string& out) {
  auto all = std::vector<json>{};
  for (auto at = size_t{0}; at < out.size();) {
    auto end = out.find('\n', at);
    all.push_back(json::parse(out.substr(at, end - at)));
    at = end + 1;
  }
  return all;
}

// A closed log of several files, with its keys and anchors.
struct log_on_disk {
  temp_dir dir;
  std::string path = dir.file("audit.log");
  std::string anchors = dir.file("anchors.jsonl");

  log_on_disk() {
    BOOST_REQUIRE(call({"keygen", dir.file("k")}).code == 0);
    write(100);
  }

  void write(uint64_t records) {
    auto o = audit_log_options{};
    o.segment_bytes = 6000;
    o.checkpoint_records = 16;
    auto log = *open_audit_log(path, *read_signing_key(dir.file("k.key")), o,
                               audit_now());
    auto sink = *audit_anchor_sink::open(anchors);
    for (uint64_t i = 1; i <= records; ++i) {
      BOOST_REQUIRE(log->append(some_record(i)).ok());
      if (i % 10 != 0)
        continue;
      BOOST_REQUIRE(log->commit(audit_now()).ok());
      sink->put(audit_anchor::of(log->id(), *log->checkpoint()));
      sink->flush();
    }
    BOOST_REQUIRE(log->close(audit_now()).ok());
    sink->put(audit_anchor::of(log->id(), *log->checkpoint()));
  }

  json verify(std::vector<std::string> more = {}, int code = 0) {
    auto args = std::vector<std::string>{"verify", path, "--json"};
    args.insert(args.end(), more.begin(), more.end());
    auto r = call(args);
    BOOST_TEST_INFO(r.err);
    BOOST_REQUIRE(r.code == code);
    return json::parse(r.out);
  }

  void change(const std::string& file, size_t at) {
    auto bytes = read_file(file);
    bytes.at(at) ^= 1;
    write_file(file, bytes);
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(audit_commands)

// -- keys
// -------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_key_is_made_once) {
  auto dir = temp_dir{};
  auto base = dir.file("k");
  auto r = call({"keygen", base});
  BOOST_TEST(r.code == 0);
  BOOST_TEST(r.out == base + ".key\n" + base + ".pub\n");
  namespace fs = std::filesystem;
  BOOST_TEST((fs::status(base + ".key").permissions()
              == (fs::perms::owner_read | fs::perms::owner_write)));
  auto key = read_signing_key(base + ".key");
  BOOST_REQUIRE(key.ok());
  BOOST_TEST((*read_public_key(base + ".pub") == key->public_key()));
  auto again = call({"keygen", base});
  BOOST_TEST(again.code == 1);
  BOOST_TEST(again.err.find("k.key: File exists") != std::string::npos);
  BOOST_TEST(
      (read_signing_key(base + ".key")->public_key() == key->public_key()));
  BOOST_TEST(call({"keygen", dir.file("no/k")}).code == 1);
}

BOOST_AUTO_TEST_CASE(a_log_has_one_salt) {
  auto dir = temp_dir{};
  auto salt = audit_salt_of(dir.file("a.log"));
  BOOST_REQUIRE(salt.ok());
  BOOST_TEST((*salt == *audit_salt_of(dir.file("a.log"))));
  BOOST_TEST((*salt != *audit_salt_of(dir.file("b.log"))));
  write_file(dir.file("a.log.salt"), "short\n");
  auto bad = audit_salt_of(dir.file("a.log"));
  BOOST_REQUIRE(!bad.ok());
  BOOST_TEST((bad.failure().code == errc::bad_file));
}

// -- verify
// -----------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_good_log_is_good, log_on_disk) {
  auto j = verify({"--key", dir.file("k.pub"), "--anchor", anchors});
  BOOST_TEST(j["good"] == true);
  BOOST_TEST(j["closed"] == true);
  BOOST_TEST(j["files"].size() > 2u);
  BOOST_TEST(j["records"] == 102 + j["files"].size() - 1);
  BOOST_TEST(j["sealed"] == j["records"]);
  BOOST_TEST(j["torn"].is_null());
  for (auto* threads : {"1", "7"})
    BOOST_TEST(verify({"--threads", threads}) == j);
  auto r = call({"verify", path});
  BOOST_TEST(r.code == 0);
  BOOST_TEST(r.out.starts_with("good: "));
  BOOST_TEST(r.err.find("without --key") != std::string::npos);
  // The last file alone.
  auto last = j["files"].back().get<std::string>();
  r = call({"verify", last});
  BOOST_TEST(r.code == 0);
  BOOST_TEST(r.out.find("looked at from record") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_change_is_found_and_named, log_on_disk) {
  change(path + ".1", 1234);
  auto j = verify({}, 1);
  BOOST_TEST(j["good"] == false);
  BOOST_REQUIRE(j["findings"].size() >= 1u);
  auto& f = j["findings"][0];
  BOOST_TEST(f["file"] == path + ".1");
  BOOST_TEST(f["offset"].get<size_t>() <= 1234u);
  BOOST_TEST(f["record"].get<size_t>() > 20u);
  auto r = call({"verify", path});
  BOOST_TEST(r.code == 1);
  BOOST_TEST(r.out.starts_with(path + ".1: record "));
  BOOST_TEST(call({"prove", path, "--record", "1"}).code == 1);
}

BOOST_FIXTURE_TEST_CASE(another_key_is_found, log_on_disk) {
  BOOST_REQUIRE(call({"keygen", dir.file("other")}).code == 0);
  auto j = verify({"--key", dir.file("other.pub")}, 1);
  BOOST_TEST(j["findings"][0]["what"].get<std::string>().find("not signed")
             != std::string::npos);
  auto r = call({"verify", path, "--key", dir.file("k.key")});
  BOOST_TEST(r.code == 1);
  BOOST_TEST(r.err.find("not an Ed25519 public key") != std::string::npos);
}

// Written anew with the same key: all is good but for what was kept.
BOOST_FIXTURE_TEST_CASE(a_log_that_was_written_anew_is_found, log_on_disk) {
  auto before = verify();
  for (auto& f : before["files"])
    std::filesystem::remove(f.get<std::string>());
  auto kept = read_file(anchors);
  write(90);
  write_file(anchors, kept);
  verify({"--key", dir.file("k.pub")});
  auto j = verify({"--anchor", anchors}, 1);
  BOOST_TEST(j["findings"].size() > 3u);
  write_file(anchors, "{}\n");
  BOOST_TEST(call({"verify", path, "--anchor", anchors}).code == 1);
}

BOOST_FIXTURE_TEST_CASE(an_end_that_is_missing_is_found, log_on_disk) {
  auto last = verify()["files"].back().get<std::string>();
  std::filesystem::resize_file(last, std::filesystem::file_size(last) - 3);
  auto j = verify();
  BOOST_TEST(j["closed"] == false);
  BOOST_TEST(j["torn"]["file"] == last);
  BOOST_TEST(j["unsealed"] == j["records"].get<int>() - j["sealed"].get<int>());
  j = verify({"--anchor", anchors}, 1);
  BOOST_TEST(j["findings"][0]["what"].get<std::string>().find("ends before")
             != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_checkpoint_is_where_it_can_begin, log_on_disk) {
  change(path, 300);
  verify({}, 1);
  auto shown = call({"show", path}).out;
  auto at = shown.rfind("checkpoint of ");
  BOOST_REQUIRE(at != std::string::npos);
  auto n = std::to_string(std::stoul(shown.substr(at + 14)));
  auto j = verify({"--from-checkpoint", n});
  BOOST_TEST(std::to_string(j["first"].get<int>()) == n);
  auto r = call({"verify", path, "--from-checkpoint", "99999"});
  BOOST_TEST(r.code == 1);
  BOOST_TEST(r.err.find("there is no checkpoint of 99999")
             != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_no_log_is_refused) {
  auto dir = temp_dir{};
  write_file(dir.file("x"), std::string(5000, 'x'));
  BOOST_TEST(call({"verify", dir.file("none")}).code == 1);
  BOOST_TEST(call({"verify", dir.file("x")}).code == 1);
  BOOST_TEST(call({"show", dir.file("x")}).code == 1);
  BOOST_TEST(call({"verify"}).code == 2);
  BOOST_TEST(call({"prove", dir.file("x")}).code == 2);
  BOOST_TEST(call({}).code == 2);
}

// -- prove
// ------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(proofs_hold, log_on_disk) {
  auto n = verify()["records"].get<uint64_t>();
  auto digest = [](const json& j) {
    auto d = sha256_digest{};
    BOOST_REQUIRE(from_hex(j.get<std::string>(), d));
    return d;
  };
  auto path_of = [&](const json& j) {
    auto p = merkle_path{};
    for (auto& x : j["path"])
      p.push_back(digest(x));
    return p;
  };
  for (auto i : {uint64_t{0}, uint64_t{50}, n - 1}) {
    auto r = call({"prove", path, "--record", std::to_string(i), "--json"});
    BOOST_REQUIRE(r.code == 0);
    auto j = json::parse(r.out);
    auto& c = j["checkpoint"];
    BOOST_TEST(c["records"] == n);
    BOOST_TEST(verify_inclusion(digest(j["leaf"]), i, n, path_of(j),
                                digest(c["root"])));
    BOOST_TEST(parse_anchors(c.dump() + "\n", "x").ok());
  }
  auto r = call({"prove", path, "--consistency", "30", "71", "--json"});
  BOOST_REQUIRE(r.code == 0);
  auto j = json::parse(r.out);
  BOOST_TEST(verify_consistency(30, 71, path_of(j), digest(j["old_root"]),
                                digest(j["root"])));
  BOOST_TEST(call({"prove", path, "--record", std::to_string(n)}).code == 1);
  BOOST_TEST(call({"prove", path, "--consistency", "5", "4"}).code == 1);
  r = call({"prove", path, "--record", "3"});
  BOOST_TEST(r.out.starts_with("record: 3\nleaf: "));
  // A later file alone proves its own records.
  auto later = path + ".1";
  BOOST_TEST(call({"prove", later, "--record", "0"}).code == 1);
}

// -- show
// -------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(records_are_shown_and_exported, log_on_disk) {
  auto r = call({"export", path});
  BOOST_TEST(r.code == 0);
  auto all = lines(r.out);
  BOOST_REQUIRE(all.size() == verify()["records"].get<size_t>());
  for (size_t i = 0; i < all.size(); ++i)
    BOOST_TEST(all[i]["record"] == i);
  BOOST_TEST(all[0]["kind"] == "log_opened");
  BOOST_TEST(all[2]["kind"] == "admitted");
  BOOST_TEST(all[2]["organisation"] == "acme");
  BOOST_TEST(all[2]["details"]["model"] == "demo");
  BOOST_TEST(all[2]["details"]["prompt_digest"].get<std::string>().size()
             == 64u);
  r = call({"show", path, "--request", "17"});
  BOOST_TEST(std::count(r.out.begin(), r.out.end(), '\n') == 1);
  BOOST_TEST(r.out.find("finished request 17 of \"acme/laptop 3\"")
             != std::string::npos);
}

// What is in a record does not reach the terminal as it is.
BOOST_AUTO_TEST_CASE(hostile_texts_are_quoted) {
  auto l = log_on_disk{};
  auto log = *open_audit_log(l.path, *read_signing_key(l.dir.file("k.key")), {},
                             audit_now());
  auto r = audit::refused({{}, 777, "a\x1b[2J\n", "\xff"}, "x\ny", "\x07");
  BOOST_REQUIRE(log->append(r).ok());
  BOOST_REQUIRE(log->close(audit_now()).ok());
  auto out = call({"show", l.path, "--request", "777"}).out;
  BOOST_TEST(std::count(out.begin(), out.end(), '\n') == 1);
  for (auto c : out)
    BOOST_TEST((c == '\n' || static_cast<unsigned char>(c) >= 0x20));
}

// -- rekey
// ------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(another_key_takes_over, log_on_disk) {
  BOOST_REQUIRE(call({"keygen", dir.file("next")}).code == 0);
  auto rekey = [&](std::string from, std::string to) {
    return call(
        {"rekey", path, "--key", dir.file(from), "--next", dir.file(to)});
  };
  BOOST_TEST(rekey("next.key", "k.key").code == 1);
  BOOST_TEST(rekey("k.key", "next.key").code == 0);
  verify({"--key", dir.file("k.pub"), "--anchor", anchors});
  BOOST_TEST(rekey("k.key", "next.key").code == 1);
  auto none = call({"rekey", dir.file("none"), "--key", dir.file("k.key"),
                    "--next", dir.file("next.key")});
  BOOST_TEST(none.code == 1);
  BOOST_TEST(!std::filesystem::exists(dir.file("none")));
}

// -- anchors
// ----------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_newest_anchor_stands_for_those_that_wait) {
  auto told = std::vector<std::string>{};
  auto first_is_on_its_way = std::promise<void>{};
  auto go_on = std::promise<void>{};
  auto anchor = [](uint64_t n) {
    auto a = audit_anchor{};
    a.records = n;
    return a;
  };
  {
    auto sink = audit_anchor_sink{[&](std::string json) -> result<void> {
      told.push_back(json);
      if (told.size() == 1) {
        first_is_on_its_way.set_value();
        go_on.get_future().wait();
        return fail(errc::io_error, "nobody is there");
      }
      return {};
    }};
    sink.put(anchor(1));
    first_is_on_its_way.get_future().wait();
    for (uint64_t n = 2; n < 6; ++n)
      sink.put(anchor(n));
    go_on.set_value();
    sink.flush();
    auto s = sink.status();
    BOOST_TEST(s.told == 1u);
    BOOST_TEST(s.failed == 1u);
    BOOST_TEST(s.skipped == 3u);
    BOOST_TEST(s.last_error.empty());
    sink.put(anchor(6));
  }
  BOOST_REQUIRE(told.size() == 3u);
  BOOST_TEST(json::parse(told[1])["records"] == 5);
  BOOST_TEST(json::parse(told[2])["records"] == 6);
}

BOOST_AUTO_TEST_CASE(a_line_that_was_cut_short_is_cut_off) {
  auto dir = temp_dir{};
  auto path = dir.file("a");
  write_file(path, "{\"a\": 1}\n{\"b\"");
  {
    auto sink = *audit_anchor_sink::open(path);
    sink->put({});
  }
  auto text = read_file(path);
  BOOST_TEST(text.starts_with("{\"a\": 1}\n{\"log\":"));
  BOOST_TEST(text.ends_with("}\n"));
  BOOST_TEST(!audit_anchor_sink::open(dir.file("no/a")).ok());
  BOOST_TEST(!audit_anchor_sink::open("ftp://x/y").ok());
  // Nobody listens there.
  auto sink = *audit_anchor_sink::open("http://127.0.0.1:1/anchors");
  sink->put({});
  sink->flush();
  BOOST_TEST(sink->status().failed == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
