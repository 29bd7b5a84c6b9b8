#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <sys/mman.h>
#include <unistd.h>

namespace troupe::test {

inline const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));

/// Pages that lie wholly or partly in [p, p + n) and are in memory.
inline size_t resident(const std::byte* p, size_t n) {
  auto begin = reinterpret_cast<uintptr_t>(p) / page * page;
  auto end = reinterpret_cast<uintptr_t>(p) + n;
  auto in_memory = std::vector<unsigned char>((end - begin + page - 1) / page);
  BOOST_REQUIRE(
      mincore(reinterpret_cast<void*>(begin), end - begin, in_memory.data())
      == 0);
  return static_cast<size_t>(
      std::count_if(in_memory.begin(), in_memory.end(),
                    [](unsigned char c) { return (c & 1) != 0; }));
}

} // namespace troupe::test
