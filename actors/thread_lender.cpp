#include "actors/thread_lender.hpp"

#include <caf/actor_system.hpp>
#include <caf/logger.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <pthread.h>

#include <algorithm>
#include <cstdint>
#include <system_error>

#include "actors/host_signals.hpp"

namespace troupe {

namespace {

// Messages that a pooled actor handles before others have their turn.
constexpr auto turn = size_t{50};
// Messages that nodes may still have when a request has ended.
constexpr auto last_messages = 16;
// How often it looks after threads until it sleeps, where none is lent.
constexpr auto idle_looks = 100;
// What nodes may need, generously.
constexpr auto stack_bytes = uintptr_t{256} << 10;

// The stack of the calling thread, from its lowest address.
std::pair<uintptr_t, uintptr_t> own_stack() {
  auto attributes = pthread_attr_t{};
  if (::pthread_getattr_np(::pthread_self(), &attributes) != 0)
    return {};
  void* lowest = nullptr;
  auto size = size_t{0};
  ::pthread_attr_getstack(&attributes, &lowest, &size);
  ::pthread_attr_destroy(&attributes);
  auto at = reinterpret_cast<uintptr_t>(lowest);
  return {at, at + size};
}

// False, too, on a stack that is none of the thread's, as those of fibers.
bool has_stack() {
  static thread_local const auto stack = own_stack();
  auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  return here < stack.second && here >= stack.first + stack_bytes;
}

void run(caf::resumable* actor, caf::execution_unit* here,
         fifo<caf::resumable*>& later) {
  if (actor->resume(here, turn) == caf::resumable::resume_later)
    later.push(actor);
  else
    caf::intrusive_ptr_release(actor);
}

} // namespace

// -- lender -------------------------------------------------------------------

thread_lender::thread_lender(caf::actor_system& system)
    : caf::execution_unit(&system) {}

thread_lender::~thread_lender() {
  close();
}

std::shared_ptr<void> thread_lender::begin() {
  if (requests_.fetch_add(1) > 0)
    call_all_back();
  auto end = [me = shared_from_this()](void*) { --me->requests_; };
  return {static_cast<void*>(this), end};
}

void thread_lender::close() {
  {
    auto guard = std::unique_lock{mutex_};
    closed_ = true;
    for (auto* t : lent_)
      t->call_back();
    changed_.notify_all();
    changed_.wait(guard, [this] {
      return std::none_of(lent_.begin(), lent_.end(),
                          [](auto* t) { return t->runs(); });
    });
  }
  if (watcher_.joinable())
    watcher_.join();
}

void thread_lender::exec_later(caf::resumable* actor) {
  if (auto* t = lending::current; t && t->lender_.get() == this)
    t->pooled_.push(actor);
  else
    system().scheduler().enqueue(actor);
}

// Whoever begins a request counts it first, and then looks who is lent.
bool thread_lender::add(lent_thread& t) {
  auto guard = std::lock_guard{mutex_};
  if (closed_ || !lone())
    return false;
  if (!watcher_.joinable())
    try {
      auto signals = host_signals{};
      watcher_ = std::thread{[this] { watch(); }};
    } catch (const std::system_error&) {
      return false; // no more threads: nodes go on with their own
    }
  lent_.push_back(&t);
  if (sleeps_)
    changed_.notify_all();
  return true;
}

void thread_lender::forget(lent_thread& t) {
  auto guard = std::lock_guard{mutex_};
  std::erase(lent_, &t);
}

void thread_lender::one_left() {
  auto guard = std::lock_guard{mutex_};
  changed_.notify_all();
}

void thread_lender::call_all_back() {
  auto guard = std::lock_guard{mutex_};
  for (auto* t : lent_)
    t->call_back();
}

// Looks often rather than to be told each time that a thread goes back to its
// caller: to be told takes as long as what lending saves.
void thread_lender::watch() {
  auto idle = 0;
  auto guard = std::unique_lock{mutex_};
  while (!closed_) {
    idle = lent_.empty() ? idle + 1 : 0;
    sleeps_ = idle > idle_looks;
    if (sleeps_)
      changed_.wait(guard, [this] { return closed_ || !lent_.empty(); });
    else
      changed_.wait_for(guard, patience, [this] { return closed_; });
    for (auto* t : lent_)
      t->look();
  }
}

// -- a thread -----------------------------------------------------------------

lent_thread::lent_thread(std::shared_ptr<thread_lender> lender)
    : lender_(std::move(lender)) {}

lent_thread::~lent_thread() {
  if (!known_)
    return;
  lender_->forget(*this);
  give_back(std::move(nodes_));
}

void lent_thread::end() {
  auto n = 0;
  run([&] { return ++n > last_messages; });
  auto guard = std::lock_guard{mutex_};
  called_back_ = true;
  give_back(std::exchange(nodes_, {}));
}

// On a thread that runs actors anyway, nested, nothing is lent.
bool lent_thread::enter() {
  if (lending::current || !has_stack())
    return false;
  if (!known_ && !(known_ = lender_->add(*this)))
    return false;
  {
    auto guard = std::lock_guard{mutex_};
    if (called_back_)
      return false;
    runs_ = true;
    seen_ = false;
  }
  // Tokens are not to depend on how a host rounds.
  floats_.emplace();
  caf::logger::set_current_actor_system(nullptr);
  lending::current = this;
  return true;
}

void lent_thread::leave() {
  lending::current = nullptr;
  // Spawning leaves the system's behind: it looks actors up for each message
  // and has nothing to write, and the system waits for it when it ends.
  caf::logger::set_current_actor_system(nullptr);
  floats_.reset();
  // Where what was to begin has thrown.
  while (!pooled_.empty())
    lender_->exec_later(pooled_.pop());
  {
    auto guard = std::lock_guard{mutex_};
    runs_ = false;
    if (!called_back_)
      return;
    give_back(std::exchange(nodes_, {}));
  }
  lender_->one_left();
}

void lent_thread::run_pooled() {
  while (!pooled_.empty())
    troupe::run(pooled_.pop(), lender_.get(), pooled_);
}

// One message, so that the caller has its token before the next step.
bool lent_thread::run_node() {
  if (nodes_.empty())
    return false;
  auto n = nodes_.pop();
  if (n.actor->resume(lender_.get(), 1) == caf::resumable::resume_later)
    nodes_.push(n);
  else
    caf::intrusive_ptr_release(n.actor);
  return true;
}

void lent_thread::call_back() {
  auto guard = std::lock_guard{mutex_};
  called_back_ = true;
  if (!runs_)
    give_back(std::exchange(nodes_, {}));
}

bool lent_thread::runs() {
  auto guard = std::lock_guard{mutex_};
  return runs_;
}

void lent_thread::look() {
  auto guard = std::lock_guard{mutex_};
  if (runs_ || nodes_.empty() || !std::exchange(seen_, true))
    return;
  called_back_ = true;
  give_back(std::exchange(nodes_, {}));
}

void lent_thread::give_back(fifo<node> nodes) {
  while (!nodes.empty()) {
    auto n = nodes.pop();
    n.give_back(n.actor);
  }
}

void lending::take(lent_thread& thread, caf::resumable* actor,
                   void (*give_back)(caf::resumable*)) {
  thread.nodes_.push({actor, give_back});
}

} // namespace troupe
