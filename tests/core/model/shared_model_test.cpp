#include "core/model/shared_model.hpp"

#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "tests/support/core/hf_writer.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace fs = std::filesystem;

namespace {

struct fixture {
  fixture() { write_tiny_model(path); }

  std::shared_ptr<const model> load() {
    auto m = load_shared_model(path);
    BOOST_REQUIRE(m);
    return *m;
  }

  temp_dir dir;
  std::string path = dir.file("tiny.gguf");
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(shared_model, fixture)

BOOST_AUTO_TEST_CASE(who_loads_a_model_again_gets_the_same) {
  auto a = load();
  BOOST_TEST(load() == a);
  BOOST_TEST(load()->digest == (*load_model(path))->digest);
}

BOOST_AUTO_TEST_CASE(a_model_ends_with_the_last_who_has_it) {
  auto gone = std::weak_ptr<const model>{load()};
  BOOST_TEST(gone.expired());
  BOOST_TEST(load() != nullptr);
}

BOOST_AUTO_TEST_CASE(another_file_in_its_place_is_another_model) {
  auto a = load();
  auto o = tiny_model_options{};
  o.seed = 5;
  write_tiny_model(path + ".new", o);
  fs::rename(path + ".new", path);
  auto b = load();
  BOOST_TEST(b != a);
  BOOST_TEST(b->digest != a->digest);
  BOOST_TEST(load() == b);
}

BOOST_AUTO_TEST_CASE(a_file_that_was_written_to_is_another_model) {
  auto a = load();
  auto was = fs::last_write_time(path);
  // The end of the last tensor.
  auto out =
      std::fstream{path, std::ios::in | std::ios::out | std::ios::binary};
  out.seekp(-64, std::ios::end);
  out << std::string(64, '\0');
  out.close();
  fs::last_write_time(path, was);
  auto b = load();
  BOOST_TEST(b != a);
  BOOST_TEST(b->digest != a->digest);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_gone_is_an_error) {
  auto a = load();
  fs::remove(path);
  auto m = load_shared_model(path);
  BOOST_REQUIRE(!m);
  BOOST_TEST((m.failure().code == errc::io_error));
  BOOST_TEST(m.failure().message.find(path) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(threads_that_load_it_at_once_share_it) {
  auto all = std::vector<std::shared_ptr<const model>>(8);
  {
    auto threads = std::vector<std::jthread>{};
    for (auto& m : all)
      threads.emplace_back([this, &m] {
        if (auto loaded = load_shared_model(path))
          m = *loaded;
      });
  }
  for (auto& m : all)
    BOOST_TEST((m != nullptr && m == all[0]));
}

BOOST_AUTO_TEST_CASE(directories_are_told_apart_by_their_files) {
  auto hf = dir.file("hf");
  fs::create_directory(hf);
  tiny_hf_model().write(hf);
  write_hf_tokenizer(hf, (*load_model(path))->vocab);
  auto a = load_shared_model(hf);
  auto again = load_shared_model(hf);
  BOOST_REQUIRE((a && again));
  BOOST_TEST(*again == *a);
  std::ofstream{hf + "/config.json", std::ios::app} << "\n";
  auto changed = load_shared_model(hf);
  BOOST_REQUIRE(changed);
  BOOST_TEST(*changed != *a);
}

BOOST_AUTO_TEST_SUITE_END()
