#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "runtime/cluster/certs.hpp"
#include "tests/runtime/cluster/transport_fixture.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/process.hpp"

using namespace troupe;
using namespace troupe::testing;
namespace fs = std::filesystem;

namespace {

process_result certs(std::vector<std::string> args) {
  args.insert(args.begin(), {TROUPE_BINARY_DIR "/troupe", "certs"});
  return run_process(args);
}

tls_files node_in(const fs::path& dir, const std::string& name) {
  return {dir / (name + ".pem"), dir / (name + ".key"), dir / "ca.pem"};
}

mode_t mode_of(const fs::path& p) {
  struct stat s {};
  ::stat(p.c_str(), &s);
  return s.st_mode & 0777;
}

} // namespace

BOOST_AUTO_TEST_SUITE(command_certs)

BOOST_AUTO_TEST_CASE(nodes_with_its_certificates_talk) {
  auto dir = temp_dir{};
  auto to = dir.path() / "made";
  auto r = certs({to, "--node", "red", "--node", "blue"});
  BOOST_TEST(r.code == 0);
  BOOST_TEST(r.err == "");
  auto listed = std::string{};
  for (auto* name :
       {"ca.pem", "ca.key", "red.pem", "red.key", "blue.pem", "blue.key"})
    listed += (to / name).string() + "\n";
  BOOST_TEST(r.out == listed);
  for (auto* key : {"ca.key", "red.key", "blue.key"})
    BOOST_TEST(mode_of(to / key) == 0600u);
  auto o = transport_options{};
  o.tls = node_in(to, "red");
  auto red = cluster_node{o};
  o.tls = node_in(to, "blue");
  auto blue = cluster_node{o};
  BOOST_TEST(blue.ask(red.port, 1) == 2u);
}

BOOST_AUTO_TEST_CASE(a_node_can_be_added_later) {
  auto dir = temp_dir{};
  BOOST_TEST(certs({dir.path(), "--node", "red"}).code == 0);
  auto ca = read_file(dir.file("ca.pem"));
  auto r = certs({dir.path(), "--node", "green", "--days", "1"});
  BOOST_TEST(r.code == 0);
  BOOST_TEST(r.out
             == dir.file("green.pem") + "\n" + dir.file("green.key") + "\n");
  BOOST_TEST(read_file(dir.file("ca.pem")) == ca);
  auto o = transport_options{};
  o.tls = node_in(dir.path(), "red");
  auto red = cluster_node{o};
  o.tls = node_in(dir.path(), "green");
  auto green = cluster_node{o};
  BOOST_TEST(red.ask(green.port, 1) == 2u);
}

BOOST_AUTO_TEST_CASE(nothing_is_overwritten) {
  auto dir = temp_dir{};
  write_file(dir.file("blue.key"), "mine");
  auto r = certs({dir.path(), "--node", "red", "--node", "blue"});
  BOOST_TEST(r.code == 1);
  BOOST_TEST(r.err
             == "troupe: " + dir.file("blue.key") + ": is there already\n");
  BOOST_TEST(read_file(dir.file("blue.key")) == "mine");
  BOOST_TEST(!fs::exists(dir.file("ca.pem")));
  // Half a CA isn't made whole by another half.
  write_file(dir.file("ca.pem"), "mine");
  BOOST_TEST(certs({dir.path(), "--node", "red"}).code == 1);
  BOOST_TEST(!fs::exists(dir.file("red.pem")));
}

BOOST_AUTO_TEST_CASE(mistakes_are_named) {
  auto dir = temp_dir{};
  for (auto* name :
       {"ca", "", "a/b", "..", "-x", "a b", "a,DNS:b", "\xc3\xa4"}) {
    auto r = certs({dir.path(), "--node=" + std::string{name}});
    BOOST_TEST(r.code != 0, name);
    BOOST_TEST(std::count(r.err.begin(), r.err.end(), '\n') >= 1, name);
  }
  BOOST_TEST(certs({dir.path(), "--node", "a", "--node", "a"}).code == 1);
  BOOST_TEST(certs({dir.path(), "--days", "0"}).code == 2);
  BOOST_TEST(certs({}).code == 2);
  BOOST_TEST(fs::is_empty(dir.path()));
  BOOST_TEST(certs({"/proc/none", "--node", "a"}).code == 1);
  write_file(dir.file("ca.pem"), "not PEM");
  write_file(dir.file("ca.key"), "not PEM");
  auto r = certs({dir.path(), "--node", "a"});
  BOOST_TEST(r.code == 1);
  BOOST_TEST(r.err.find("troupe: " + dir.file("ca.pem") + ": ") == 0u);
  // A CA that is whole and no node to make.
  auto whole = temp_dir{};
  BOOST_TEST(certs({whole.path()}).code == 0);
  BOOST_TEST(certs({whole.path()}).code == 1);
}

BOOST_AUTO_TEST_CASE(a_node_is_no_ca) {
  auto ca = certificate_authority::create({});
  BOOST_REQUIRE(ca.ok());
  auto node = ca->issue("node", {});
  BOOST_REQUIRE(node.ok());
  BOOST_TEST(!certificate_authority::from_pem(*node).ok());
  auto pem = ca->pem();
  BOOST_REQUIRE(pem.ok());
  BOOST_TEST(certificate_authority::from_pem(*pem).ok());
  BOOST_TEST(
      !certificate_authority::from_pem({pem->certificate, node->key}).ok());
}

BOOST_AUTO_TEST_SUITE_END()
