#pragma once

#include <csignal>

namespace troupe {

/// Threads that are begun while this lives leave the host's signals to its own
/// threads: a host that waits for SIGTERM in one of them blocks it in all that
/// it knows of. Those that a thread's own doing raises, and SIGPROF, are not
/// blocked.
class host_signals {
public:
  host_signals() {
    auto blocked = sigset_t{};
    ::sigfillset(&blocked);
    for (auto s :
         {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF})
      ::sigdelset(&blocked, s);
    ::pthread_sigmask(SIG_BLOCK, &blocked, &before_);
  }
  host_signals(const host_signals&) = delete;
  host_signals& operator=(const host_signals&) = delete;
  ~host_signals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
  sigset_t before_;
};

} // namespace troupe
