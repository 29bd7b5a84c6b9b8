#include "core/model/mapped_file.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include <sys/stat.h>

#include "core/model/model.hpp"
#include "tests/support/core/gguf_writer.hpp"
#include "tests/support/core/model_refusal.hpp"
#include "tests/support/core/temp_dir.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

struct files : temp_dir {
  void check_refused(const std::string& path, const std::string& reason) {
    auto map = mapped_file::open(path);
    BOOST_REQUIRE(!map);
    BOOST_TEST(to_string(map.failure().code) == "io_error");
    BOOST_TEST(map.failure().message == path + ": " + reason);
    auto m = load_model(path);
    BOOST_REQUIRE(!m);
    // A directory may be a model.
    if (!std::filesystem::is_directory(path))
      BOOST_TEST(m.failure().message == map.failure().message);
    BOOST_TEST(!load_vocabulary(path));
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(mapped_files)

BOOST_FIXTURE_TEST_CASE(bytes_are_those_of_the_file, files) {
  auto bytes = byte_vector{std::byte{1}, std::byte{2}, std::byte{3}};
  write_file(file("x"), bytes);
  auto map = mapped_file::open(file("x"));
  BOOST_REQUIRE(map);
  auto moved = *std::move(map);
  auto assigned = mapped_file{};
  assigned = std::move(moved);
  BOOST_TEST(
      (byte_vector(assigned.bytes().begin(), assigned.bytes().end()) == bytes));
}

BOOST_FIXTURE_TEST_CASE(what_is_let_go_of_comes_back, files) {
  auto bytes = byte_vector(100'000);
  for (auto i = size_t{0}; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::byte>(i * 7 >> 3);
  write_file(file("a"), bytes);
  auto map = mapped_file::open(file("a"));
  BOOST_REQUIRE(map.ok());
  map->release(map->bytes());
  map->release(map->bytes().subspan(5'000, 50'000));
  map->release(map->bytes().first(10));
  map->release({});
  // Memory of others is not touched.
  auto other = bytes;
  map->release(other);
  BOOST_TEST((other == bytes));
  BOOST_TEST((byte_vector(map->bytes().begin(), map->bytes().end()) == bytes));
}

BOOST_FIXTURE_TEST_CASE(what_is_not_there, files) {
  check_refused(file("none"), "cannot open: No such file or directory");
}

BOOST_FIXTURE_TEST_CASE(an_empty_file, files) {
  write_file(file("empty"), {});
  check_refused(file("empty"), "is empty");
}

BOOST_FIXTURE_TEST_CASE(a_directory, files) {
  check_refused(path().string(), "is a directory");
}

BOOST_FIXTURE_TEST_CASE(a_pipe_that_nobody_writes_to, files) {
  BOOST_REQUIRE(::mkfifo(file("pipe").c_str(), 0600) == 0);
  check_refused(file("pipe"), "is not a regular file");
}

BOOST_AUTO_TEST_SUITE_END()
