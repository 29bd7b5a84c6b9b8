#pragma once

#include <functional>
#include <thread>
#include <vector>

#include "core/parallel/shared_ranks.hpp"

namespace troupe::test {

/// Calls fn(ranks) on a thread for each rank of a group. The group's part of a
/// rank ends with its call, as it would with a process.
inline void on_ranks(uint32_t n, const std::function<void(collective&)>& fn) {
  auto group = shared_ranks{n};
  auto threads = std::vector<std::jthread>{};
  for (auto r = uint32_t{0}; r < n; ++r)
    threads.emplace_back([&fn, mine = group.join(r)]() mutable {
      fn(*mine);
      mine.reset();
    });
}

} // namespace troupe::test
