#pragma once

#include <atomic>

#include "tools/chaos/options.hpp"

namespace chaos {

/// Runs the whole of it, in a process of its own, until it ends or
/// `interrupted` is set; returns the exit code.
int run_trial(const options& o, const std::atomic<bool>& interrupted);

} // namespace chaos
