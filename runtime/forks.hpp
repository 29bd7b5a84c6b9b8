#pragma once

#include <cstdint>

namespace troupe {

/// By how many calls of fork() this process is away from the one that began: to
/// compare it takes no system call. Not those of _Fork() and of clone().
uint32_t forks_before();

} // namespace troupe
