#pragma once

#include <caf/execution_unit.hpp>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "actors/fifo.hpp"
#include "actors/lending.hpp"
#include "core/base/float_mode.hpp"
#include "core/base/time.hpp"

namespace troupe {

/// Lends threads of callers, which wait for the answer to a request, to the
/// actors that make it. A request that is alone then goes from its caller to
/// the nodes and back without waking a thread, of which it otherwise takes four
/// until its first token and one for each further one. Where requests share
/// nodes, all is as if there were no lending: these have threads of their own.
///
/// What runs on a lent thread is what runs on the system's workers, and nodes;
/// never code of the host. Safe to use from any thread.
class thread_lender : public caf::execution_unit,
                      public std::enable_shared_from_this<thread_lender> {
public:
  /// What is lent to nodes and not running goes back to them after that long,
  /// at most twice.
  static constexpr auto patience = std::chrono::milliseconds{2};

  explicit thread_lender(caf::actor_system& system);
  ~thread_lender() override;

  /// Notes a request until what this returns is gone.
  std::shared_ptr<void> begin();

  /// Whether there is one request.
  bool lone() const { return requests_.load(std::memory_order_relaxed) == 1; }

  /// Nothing is lent any more. Waits for what runs. REQUIRES: none of that
  /// waits for the caller.
  void close();

  /// From actors that run on a lent thread.
  void exec_later(caf::resumable* actor) override;

private:
  friend class lent_thread;

  bool add(lent_thread& t);
  void forget(lent_thread& t);
  void one_left();
  void call_all_back();
  void watch();

  std::atomic<uint32_t> requests_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<lent_thread*> lent_;
  bool closed_ = false;
  bool sleeps_ = false; ///< the watching thread, until something is lent
  std::thread watcher_; ///< from the first time on
};

/// One caller's thread. For one thread at a time, but for `thread_lender`.
class lent_thread {
public:
  explicit lent_thread(std::shared_ptr<thread_lender> lender);
  lent_thread(const lent_thread&) = delete;
  lent_thread& operator=(const lent_thread&) = delete;
  ~lent_thread();

  /// Runs `begin`, which may spawn actors and send messages, in the lender's
  /// execution unit, then what comes of it, until there is nothing left to run
  /// here, or `done` holds. What nodes have to do then waits until the next
  /// time, and not for long.
  template <class Begin, class Done>
  void run(Begin begin, Done done) {
    if (!enter())
      return begin();
    auto leaves = leaving{*this};
    begin();
    for (;;) {
      run_pooled();
      if (over() || done() || !run_node())
        return;
    }
  }

  template <class Done>
  void run(Done done) {
    run([] {}, std::move(done));
  }

  /// Runs what is left, if that is little, and is lent no more.
  void end();

  /// Whether it is of no use any more: nodes do the rest themselves.
  bool over() const { return called_back_.load(std::memory_order_relaxed); }

private:
  friend class thread_lender;
  friend void lending::take(lent_thread&, caf::resumable*,
                            void (*)(caf::resumable*));

  struct node {
    caf::resumable* actor;
    void (*give_back)(caf::resumable*);
  };

  struct leaving {
    lent_thread& thread;
    ~leaving() { thread.leave(); }
  };

  bool enter();
  void leave();
  void run_pooled();
  bool run_node();
  void call_back();
  void look();
  bool runs();
  static void give_back(fifo<node> nodes);

  std::shared_ptr<thread_lender> lender_;
  fifo<caf::resumable*> pooled_; ///< empty but while it runs
  std::atomic<bool> called_back_{false};
  std::mutex mutex_; ///< of what follows, of `nodes_` only while it doesn't run
  fifo<node> nodes_;
  bool runs_ = false;
  bool seen_ = false;                ///< not running, by the one who watches
  bool known_ = false;               ///< to the lender
  std::optional<float_mode> floats_; ///< while it runs
};

} // namespace troupe
