#include <boost/test/unit_test.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "runtime/runtime.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/core/tiny_model.hpp"
#include "tests/support/process.hpp"

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;

namespace {

struct fixture {
  temp_dir dir;
  std::vector<std::string> heard;

  fixture() {
    write_tiny_model(dir.file("one.gguf"));
    auto other = tiny_model_options{};
    other.seed = 2;
    write_tiny_model(dir.file("two.gguf"), other);
  }

  std::string log() const { return dir.file("audit.log"); }

  runtime_options options() {
    auto o = runtime_options{};
    o.model = dir.file("one.gguf");
    o.threads = 1;
    o.audit.emplace();
    o.audit->file = log();
    o.audit->log = [this](const std::string& s) { heard.push_back(s); };
    return o;
  }

  runtime open(runtime_options o) {
    auto rt = runtime::open(std::move(o));
    BOOST_REQUIRE_MESSAGE(rt.ok(), (rt.ok() ? "" : rt.failure().message));
    return std::move(*rt);
  }

  process_result audit(std::vector<std::string> args) {
    args.insert(args.begin(), {TROUPE_BINARY_DIR "/troupe", "audit"});
    return run_process(args);
  }

  std::vector<json> records() {
    auto r = audit({"export", log()});
    BOOST_REQUIRE_MESSAGE(r.code == 0, r.err);
    auto all = std::vector<json>{};
    auto lines = std::istringstream{r.out};
    for (auto line = std::string{}; std::getline(lines, line);)
      all.push_back(json::parse(line));
    return all;
  }

  size_t count(const std::string& kind) {
    auto all = records();
    return static_cast<size_t>(std::ranges::count_if(
        all, [&](auto& r) { return r.at("kind") == kind; }));
  }

  void expect_good() {
    auto r = audit({"verify", log(), "--key", log() + ".pub"});
    BOOST_TEST(r.code == 0, r.out + r.err);
  }
};

completion run(runtime& rt, uint32_t tokens = 8) {
  auto r = generate_request{};
  r.prompt = {10, 11, 12};
  r.max_tokens = tokens;
  r.ignore_end = true;
  auto g = rt.submit(r);
  BOOST_REQUIRE_MESSAGE(g.ok(), (g.ok() ? "" : g.failure().message));
  return collect(*g);
}

} // namespace

BOOST_AUTO_TEST_SUITE(audit_service)

BOOST_FIXTURE_TEST_CASE(what_a_runtime_served_is_in_its_log, fixture) {
  {
    auto rt = open(options());
    run(rt);
    run(rt);
  }
  BOOST_REQUIRE_EQUAL(heard.size(), 1u); // of the new key
  BOOST_TEST(heard[0].find("audit.log.pub") != std::string::npos);
  BOOST_TEST(count("admitted") == 2u);
  BOOST_TEST(count("finished") == 2u);
  BOOST_TEST(count("log_closed") == 1u);
  expect_good();
  // It goes on, with the same key.
  {
    auto rt = open(options());
    run(rt);
  }
  BOOST_TEST(heard.size() == 1u);
  BOOST_TEST(count("finished") == 3u);
  expect_good();
}

BOOST_FIXTURE_TEST_CASE(each_step_of_a_version_is_in_it, fixture) {
  {
    auto rt = open(options());
    auto two = rt.load_version("two", dir.file("two.gguf"));
    BOOST_REQUIRE(two.ok());
    // Refused until it is warm.
    while (!rt.command({version_command::kind::canary, *two, 0.5, ""}).ok())
      BOOST_REQUIRE(rt.versions().ok());
    BOOST_REQUIRE(rt.command({version_command::kind::promote, 0, 0, "enough"}));
  }
  auto steps = std::string{};
  auto digests = 0;
  for (auto& r : records())
    if (r.at("kind") == "version_event") {
      steps += r.at("details").at("action").get<std::string>() + " ";
      digests += r.at("details").contains("model_digest");
    }
  for (auto* step : {"serves", "loaded", "weights", "canary", "promoted"})
    BOOST_TEST(steps.find(step) != std::string::npos, steps);
  BOOST_TEST(digests == 2); // of what was there first, and of the second
  expect_good();
}

BOOST_FIXTURE_TEST_CASE(requests_that_the_end_cuts_off_have_an_end, fixture) {
  {
    auto rt = open(options());
    auto r = generate_request{};
    r.prompt = {10, 11, 12};
    r.ignore_end = true;
    auto g = rt.submit(r);
    BOOST_REQUIRE(g.ok());
    g->next();
    auto gone = std::move(rt);
  }
  BOOST_TEST(count("admitted") == 1u);
  BOOST_TEST(count("finished") == 1u);
}

BOOST_FIXTURE_TEST_CASE(limits_that_are_set_are_in_it, fixture) {
  {
    auto o = options();
    o.tenants.emplace();
    auto rt = open(std::move(o));
    auto table = limits_table{};
    table.organisations["acme"];
    table.organisations["umbrella"];
    BOOST_REQUIRE(rt.set_limits(table).ok());
  }
  auto said = std::string{};
  for (auto& r : records())
    if (r.at("kind") == "admin_event")
      said += r.at("details").at("action").get<std::string>() + ": "
              + r.at("details").at("detail").get<std::string>();
  BOOST_TEST(said == "set limits: acme, umbrella");
}

BOOST_FIXTURE_TEST_CASE(a_log_without_its_key_is_not_gone_on_with, fixture) {
  {
    auto rt = open(options());
    run(rt);
  }
  std::filesystem::remove(log() + ".key");
  auto rt = runtime::open(options());
  BOOST_REQUIRE(!rt.ok());
  BOOST_TEST(rt.failure().message.find("audit.log.key") != std::string::npos,
             rt.failure().message);
  expect_good();
}

BOOST_FIXTURE_TEST_CASE(a_log_that_is_none_is_left_as_it_is, fixture) {
  std::ofstream{log()} << "a poem";
  BOOST_TEST(audit({"keygen", log()}).code == 0);
  auto rt = runtime::open(options());
  BOOST_REQUIRE(!rt.ok());
  BOOST_TEST((rt.failure().code == errc::bad_file), rt.failure().message);
  BOOST_TEST(std::filesystem::file_size(log()) == 6u);
}

BOOST_FIXTURE_TEST_CASE(checkpoints_go_to_the_anchor, fixture) {
  auto o = options();
  o.audit->anchor = dir.file("anchors");
  {
    auto rt = open(std::move(o));
    run(rt);
  }
  auto r = audit({"verify", log(), "--key", log() + ".pub", "--anchor",
                  dir.file("anchors")});
  BOOST_TEST(r.code == 0, r.out + r.err);
  BOOST_TEST(std::filesystem::file_size(dir.file("anchors")) > 100u);
}

BOOST_AUTO_TEST_SUITE_END()
