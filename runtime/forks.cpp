#include "runtime/forks.hpp"

#include <pthread.h>

#include <atomic>

namespace troupe {

namespace {

constinit auto forks = std::atomic<uint32_t>{0};

[[maybe_unused]] const auto counts =
    ::pthread_atfork(nullptr, nullptr, [] { ++forks; });

} // namespace

uint32_t forks_before() {
  return forks.load(std::memory_order_relaxed);
}

} // namespace troupe
