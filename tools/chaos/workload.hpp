#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/runtime.hpp"
#include "tools/chaos/options.hpp"

namespace chaos {

using clock = std::chrono::steady_clock;

/// A request and the answer it has without any faults.
struct sample {
  troupe::generate_request request;
  std::vector<troupe::token_id> tokens;
};

/// The requests of a run, answered by this process alone.
troupe::result<std::vector<sample>> make_samples(const options& o);

/// When a request got what.
struct request_times {
  clock::time_point submitted;
  std::vector<clock::time_point> tokens; ///< an entry for each event
  clock::time_point ended;
};

/// Keeps requests in flight from threads of its own, and checks each answer.
class workload {
public:
  workload(troupe::runtime& front, const std::vector<sample>& samples,
           const options& o);
  /// Cancels what is under way.
  ~workload();

  /// No request begins any more once there were `requests` of them.
  void may_end() { may_end_ = true; }
  /// None begins any more; those under way are cancelled.
  void abort();
  bool ended() const { return running_ == 0; }

  struct counts {
    uint32_t started = 0;
    uint32_t exact = 0;
    uint32_t cancelled = 0;
    std::vector<std::string> violations;
  };
  counts so_far() const;

  /// A request that has been under way for longer than this is a violation; it
  /// is cancelled.
  void look_for_hangs(std::chrono::seconds most);

  /// REQUIRES: ended().
  const std::vector<request_times>& times() const { return times_; }

private:
  void run();
  void serve(uint32_t number);
  void violate(std::string what);

  troupe::runtime& front_;
  const std::vector<sample>& samples_;
  options options_;
  std::atomic<uint32_t> next_ = 0;
  std::atomic<uint32_t> running_;
  std::atomic<bool> may_end_ = false;
  std::atomic<bool> abort_ = false;
  mutable std::mutex mutex_;
  counts counts_;
  std::vector<request_times> times_;
  struct flight {
    troupe::generation* generation;
    clock::time_point since;
    bool hung = false;
  };
  std::map<uint32_t, flight> flights_;
  std::vector<std::thread> threads_;
};

} // namespace chaos
