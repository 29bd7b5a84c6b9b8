#include "runtime/system_config.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <thread>

#include "actors/protocol/add_message_types.hpp"

namespace troupe {

system_config::system_config() {
  troupe::add_message_types(*this);
  auto cores = std::max(2u, std::thread::hardware_concurrency());
  set("scheduler.max-threads", size_t{std::min(cores - 1, 4u)});
  set("scheduler.max-throughput", size_t{300});
  set("work-stealing.aggressive-poll-attempts", size_t{100});
  set("work-stealing.moderate-poll-attempts", size_t{0});
  set("work-stealing.relaxed-sleep-duration",
      caf::timespan{std::chrono::milliseconds{1}});
  // What the command line may say is Troupe's to parse, not CAF's.
  set("logger.console", caf::atom("none"));
}

} // namespace troupe
