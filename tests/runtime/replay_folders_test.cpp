#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>

#include "tests/support/process.hpp"

using namespace troupe::testing;
namespace fs = std::filesystem;

// Recordings of what once went wrong, or might: a folder each, with the traces
// of all processes. They replay to what they were.

BOOST_AUTO_TEST_SUITE(replay_folders)

BOOST_AUTO_TEST_CASE(recordings_play_again) {
  auto folders = 0;
  auto root = fs::path{TROUPE_SOURCE_DIR "/tests/data/replays"};
  for (auto& folder : fs::directory_iterator{root}) {
    if (!folder.is_directory())
      continue;
    auto args = std::vector<std::string>{TROUPE_BINARY_DIR "/troupe", "trace",
                                         "replay"};
    for (auto& file : fs::directory_iterator{folder})
      args.push_back(file.path().string());
    std::sort(args.begin() + 3, args.end());
    args.insert(args.end(),
                {"--model", TROUPE_SOURCE_DIR "/models/troupe-demo.gguf"});
    auto r = run_process(args);
    BOOST_TEST(r.code == 0, folder.path() << "\n" << r.out << r.err);
    BOOST_TEST(r.out.find("0 differences") != std::string::npos, r.out);
    ++folders;
  }
  BOOST_TEST(folders > 0);
}

BOOST_AUTO_TEST_SUITE_END()
