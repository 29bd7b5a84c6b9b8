#include "runtime/whole_file.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "tests/support/core/temp_dir.hpp"

using namespace troupe;

BOOST_AUTO_TEST_SUITE(whole_file)

BOOST_AUTO_TEST_CASE(a_file_is_replaced_as_a_whole) {
  auto dir = testing::temp_dir{};
  auto at = dir.file("state");
  BOOST_TEST(!read_whole_file(at, 10).ok());
  for (auto& text :
       {std::string{"first"}, std::string{}, std::string(10, 'x')}) {
    BOOST_REQUIRE(replace_file(at, text).ok());
    auto read = read_whole_file(at, 10);
    BOOST_REQUIRE(read.ok());
    BOOST_TEST(*read == text);
  }
  BOOST_TEST(!std::filesystem::exists(at + ".new"));
  auto large = read_whole_file(at, 9);
  BOOST_REQUIRE(!large.ok());
  BOOST_TEST(large.failure().message.find(at) != std::string::npos);
}

// As on a full disk, which /dev/full is.
BOOST_AUTO_TEST_CASE(what_cannot_be_written_leaves_the_former_file) {
  auto dir = testing::temp_dir{};
  auto at = dir.file("state");
  BOOST_REQUIRE(replace_file(at, "former").ok());
  std::filesystem::create_symlink("/dev/full", at + ".new");
  auto full = replace_file(at, "next");
  BOOST_REQUIRE(!full.ok());
  BOOST_TEST((full.failure().code == errc::io_error));
  BOOST_TEST(full.failure().message.find("No space left") != std::string::npos,
             full.failure().message);
  BOOST_TEST(*read_whole_file(at, 10) == "former");
  BOOST_TEST(!std::filesystem::is_symlink(at + ".new"));
  BOOST_TEST(!replace_file(dir.file("none/state"), "next").ok());
}

BOOST_AUTO_TEST_SUITE_END()
