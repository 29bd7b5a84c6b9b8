#include "runtime/thread_room.hpp"

#include <latch>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace troupe {

result<void> room_for_threads(unsigned n) {
  auto all_there = std::latch{1};
  auto threads = std::vector<std::jthread>{};
  threads.reserve(n);
  auto why = std::string{};
  try {
    while (threads.size() < n)
      threads.emplace_back([&] { all_there.wait(); });
  } catch (const std::system_error& e) {
    why = e.what();
  }
  auto begun = threads.size();
  all_there.count_down();
  threads.clear();
  if (begun == n)
    return {};
  return fail(errc::overloaded,
              "of " + std::to_string(n) + " threads that are needed the system "
                  + "lets this process have " + std::to_string(begun) + ": "
                  + why + " (see its limits: ulimit -u and -v, pids.max)");
}

} // namespace troupe
