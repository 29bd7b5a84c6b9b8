#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/chaos/workload.hpp"

namespace chaos {

enum class fault_kind : uint8_t { kill, stop, cut, delay };

const char* to_string(fault_kind k);

struct fault {
  fault_kind kind = fault_kind::kill;
  size_t node = 0;
  bool prefill = false; ///< the node computes prompts alone
  std::chrono::milliseconds lasts{};
  clock::time_point at{};
  clock::time_point struck{}; ///< it has certainly begun
};

/// Seeded choices, without an end: every kind comes once before one comes
/// again, each time on some node.
class fault_plan {
public:
  fault_plan(uint64_t seed, size_t nodes, std::vector<fault_kind> kinds,
             bool brief)
      : seed_(seed), nodes_(nodes), kinds_(std::move(kinds)), brief_(brief) {}

  fault next();

private:
  uint64_t draw(uint64_t below, uint32_t what) const;

  uint64_t seed_;
  size_t nodes_;
  std::vector<fault_kind> kinds_;
  bool brief_;
  uint64_t count_ = 0;
};

/// How the clients saw faults of one kind.
struct recovery {
  std::string name;
  uint32_t faults = 0;
  /// For each fault that met requests between two tokens: the longest that one
  /// of them was without. Sorted.
  std::vector<double> ms;
};

/// For prefill nodes, of the requests that had no token yet.
std::vector<recovery> recoveries(const std::vector<fault>& faults,
                                 const std::vector<request_times>& requests);

} // namespace chaos
