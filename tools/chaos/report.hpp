#pragma once

#include "tools/chaos/faults.hpp"
#include "tools/chaos/workload.hpp"

namespace chaos {

struct outcome {
  workload::counts counts;
  std::vector<recovery> recoveries;
  std::vector<double> rejoins_ms; ///< from a fault's end; sorted
  bool delay_left_out = false;
  double seconds = 0;
};

/// To standard output, as text or one JSON object; violations go to standard
/// error. Returns the exit code.
int report(const outcome& o, bool json);

} // namespace chaos
