#include <sys/resource.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <optional>

#include "core/base/random.hpp"
#include "tests/core/kv/store_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;
namespace fs = std::filesystem;

namespace {

constexpr auto block_bytes = size_t{1000}; // no power of two

std::vector<std::byte> block(uint64_t seed) {
  auto b = std::vector<std::byte>(block_bytes);
  for (size_t i = 0; i < b.size(); ++i)
    b[i] = static_cast<std::byte>(random_bits(seed, i));
  return b;
}

struct fixture {
  std::shared_ptr<fake_file> disk = std::make_shared<fake_file>();
  swap_file file{disk, block_bytes, 4};
  std::vector<std::byte> out = std::vector<std::byte>(block_bytes);
};

// A directory that is gone after the test.
struct directory {
  fs::path path = fs::temp_directory_path()
                  / ("troupe-swap-test-" + std::to_string(::getpid()));
  directory() { fs::create_directory(path); }
  ~directory() { fs::remove_all(path); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(kv_swap_file)

BOOST_FIXTURE_TEST_CASE(slots_keep_their_bytes_and_are_used_again, fixture) {
  auto held = std::vector<swap_slot>{};
  for (uint64_t i = 0; i < 4; ++i)
    held.push_back(std::move(*file.write(block(i).data())));
  BOOST_TEST(file.in_use() == 4u);
  auto full = file.write(block(9).data());
  BOOST_REQUIRE(!full);
  BOOST_TEST((full.failure().code == errc::no_free_blocks));
  held[1].reset();
  held[2].reset();
  BOOST_TEST(file.in_use() == 2u);
  held[1] = std::move(*file.write(block(4).data()));
  held[2] = std::move(*file.write(block(5).data()));
  BOOST_TEST(disk->bytes.size() == 4 * block_bytes);
  auto seeds = std::vector<uint64_t>{0, 4, 5, 3};
  for (size_t i = 0; i < 4; ++i) {
    BOOST_TEST(file.read(held[i], out.data()).ok());
    BOOST_TEST((out == block(seeds[i])));
  }
  held.clear();
  BOOST_TEST(file.in_use() == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_slot_moved_from_gives_nothing_back, fixture) {
  auto a = std::move(*file.write(block(1).data()));
  auto b = std::move(a);
  BOOST_TEST(!a);
  a.reset();
  BOOST_TEST(file.in_use() == 1u);
  b = std::move(*file.write(block(2).data()));
  BOOST_TEST(file.in_use() == 1u);
  BOOST_TEST(file.read(b, out.data()).ok());
  BOOST_TEST((out == block(2)));
}

BOOST_FIXTURE_TEST_CASE(a_slot_may_outlive_its_file, fixture) {
  auto gone = std::make_optional<swap_file>(disk, block_bytes, 4u);
  auto slot = std::move(*gone->write(block(1).data()));
  gone.reset();
  BOOST_TEST(bool{slot});
}

BOOST_FIXTURE_TEST_CASE(every_damaged_byte_is_noticed, fixture) {
  auto first = std::move(*file.write(block(1).data()));
  auto second = std::move(*file.write(block(2).data()));
  for (size_t i = 0; i < block_bytes; i += 37) {
    disk->bytes[block_bytes + i] ^= std::byte{1};
    auto damaged = file.read(second, out.data());
    BOOST_REQUIRE(!damaged);
    BOOST_TEST((damaged.failure().code == errc::digest_mismatch));
    BOOST_TEST(file.read(first, out.data()).ok());
    disk->bytes[block_bytes + i] ^= std::byte{1};
  }
  BOOST_TEST(file.read(second, out.data()).ok());
}

BOOST_FIXTURE_TEST_CASE(a_failed_write_holds_nothing, fixture) {
  auto kept = std::move(*file.write(block(1).data()));
  disk->disk = block_bytes;
  disk->tears = true;
  auto full = file.write(block(2).data());
  BOOST_REQUIRE(!full);
  BOOST_TEST((full.failure().code == errc::io_error));
  BOOST_TEST(file.in_use() == 1u);
  BOOST_TEST(file.read(kept, out.data()).ok());
  disk->disk = 2 * block_bytes;
  auto later = file.write(block(3).data());
  BOOST_REQUIRE(later.ok());
  BOOST_TEST(file.read(*later, out.data()).ok());
  BOOST_TEST((out == block(3)));
}

BOOST_FIXTURE_TEST_CASE(rewriting_fails_whole_or_is_noticed, fixture) {
  auto slot = std::move(*file.write(block(1).data()));
  BOOST_TEST(file.rewrite(slot, block(2).data()).ok());
  BOOST_TEST(file.read(slot, out.data()).ok());
  BOOST_TEST((out == block(2)));
  disk->broken = true;
  BOOST_TEST(!file.rewrite(slot, block(3).data()).ok());
  BOOST_TEST(file.read(slot, out.data()).ok());
  BOOST_TEST((out == block(2)));
  disk->tears = true;
  BOOST_TEST(!file.rewrite(slot, block(3).data()).ok());
  auto torn = file.read(slot, out.data());
  BOOST_REQUIRE(!torn);
  BOOST_TEST((torn.failure().code == errc::digest_mismatch));
}

BOOST_AUTO_TEST_CASE(a_real_file_has_no_name) {
  auto d = directory{};
  auto opened = open_nameless_file(d.path.string());
  BOOST_REQUIRE(opened.ok());
  BOOST_TEST(fs::is_empty(d.path));
  auto file = swap_file{*opened, block_bytes, 100};
  auto slots = std::vector<swap_slot>{};
  for (uint64_t i = 0; i < 100; ++i)
    slots.push_back(std::move(*file.write(block(i).data())));
  auto out = std::vector<std::byte>(block_bytes);
  for (uint64_t i = 0; i < 100; ++i) {
    BOOST_TEST(file.read(slots[i], out.data()).ok());
    BOOST_TEST((out == block(i)));
  }
  BOOST_TEST(fs::is_empty(d.path));
  auto beyond = (*opened)->read(100 * block_bytes - 1, {out.data(), 2});
  BOOST_REQUIRE(!beyond);
  BOOST_TEST((beyond.failure().code == errc::io_error));
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_not_there_is_named) {
  auto opened = open_nameless_file("/nonexistent/troupe");
  BOOST_REQUIRE(!opened);
  BOOST_TEST((opened.failure().code == errc::io_error));
  BOOST_TEST(opened.failure().message.find("/nonexistent/troupe: ") == 0u);
}

// Beyond that limit a write would end the process.
BOOST_AUTO_TEST_CASE(the_limit_on_file_sizes_bounds_the_slots) {
  auto before = rlimit{};
  BOOST_REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  auto d = directory{};
  auto opened = open_nameless_file(d.path.string());
  BOOST_REQUIRE(opened.ok());
  auto small = before;
  small.rlim_cur = 2 * block_bytes + 1;
  BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  auto file = swap_file{*opened, block_bytes, 100};
  auto a = file.write(block(1).data());
  auto b = file.write(block(2).data());
  auto c = file.write(block(3).data());
  ::setrlimit(RLIMIT_FSIZE, &before);
  BOOST_TEST(file.capacity() == 2u);
  BOOST_TEST(a.ok());
  BOOST_TEST(b.ok());
  BOOST_TEST(!c.ok());
}

BOOST_AUTO_TEST_SUITE_END()
