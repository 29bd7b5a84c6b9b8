#include "runtime/cli/interrupt.hpp"

#include <csignal>
#include <pthread.h>
#include <unistd.h>

#include "runtime/cli/cli.hpp"

namespace troupe::cli {

namespace {

sigset_t watched() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGUSR1); // ends the watch
  return set;
}

} // namespace

interrupt_watch::interrupt_watch() {
  auto set = watched();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = std::thread{[this] { watch(); }};
}

interrupt_watch::~interrupt_watch() {
  stop_ = true;
  pthread_kill(thread_.native_handle(), SIGUSR1);
  thread_.join();
}

void interrupt_watch::on_interrupt(std::function<void()> f) {
  auto guard = std::lock_guard{mutex_};
  f_ = std::move(f);
  if (interrupted_ && f_)
    f_();
}

void interrupt_watch::watch() {
  auto set = watched();
  while (!stop_) {
    auto signal = 0;
    if (sigwait(&set, &signal) != 0 || signal == SIGUSR1)
      continue;
    auto guard = std::lock_guard{mutex_};
    if (interrupted_.exchange(true))
      _exit(exit_interrupted);
    if (f_)
      f_();
  }
}

} // namespace troupe::cli
