#pragma once

#include <caf/actor_cast.hpp>
#include <caf/actor_registry.hpp>
#include <caf/detail/private_thread.hpp>
#include <caf/detail/sync_request_bouncer.hpp>
#include <caf/invoke_message_result.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <type_traits>
#include <utility>

#include "actors/activity.hpp"
#include "actors/lending.hpp"
#include "actors/tracing/state_teller.hpp"
#include "actors/tracing/tracer.hpp"
#include "core/trace/state_writer.hpp"

namespace troupe {

/// The clock of an actor: what it says is part of a recording.
class observed_clock {
public:
  explicit observed_clock(const caf::actor_clock& clock) : clock_(clock) {}
  caf::actor_clock::time_point now() const {
    return tracing::read_clock(clock_);
  }

private:
  const caf::actor_clock& clock_;
};

/// Has a system wait for whoever holds this.
class counted_alive {
public:
  explicit counted_alive(caf::actor_registry& in) : in_(in) {
    in_.inc_running();
  }
  ~counted_alive() { in_.dec_running(); }
  counted_alive(const counted_alive&) = delete;
  counted_alive& operator=(const counted_alive&) = delete;

private:
  caf::actor_registry& in_;
};

/// What each actor of this process is made of, so that there is one place where
/// all messages that they handle pass through, and all that they ask for. It
/// counts them; recordings and replays see them (docs/trace.md).
template <class State, class Base>
class observed : public Base, public tracing::state_teller {
public:
  using Base::enqueue;

  template <class... Ts>
  explicit observed(Ts&&... xs) : Base(std::forward<Ts>(xs)...) {
    activity_of<State>().born();
  }
  ~observed() override { activity_of<State>().died(); }

  // -- what comes -------------------------------------------------------------

  void enqueue(caf::mailbox_element_ptr p, caf::execution_unit* eu) override {
    if (tracing::mode_now() != 0 || tracing::in_envelope(*p))
      p = tracing::arriving(*this, State::name, told_, std::move(p));
    if (!p)
      return;
    if constexpr (runs_on_lent_threads<State>)
      if (auto* thread = lending::current; thread && this->private_thread_)
        return enqueue_at(*thread, std::move(p));
    if constexpr (calls_host<State>)
      if (lending::current)
        eu = nullptr;
    Base::enqueue(std::move(p), eu);
  }

  caf::invoke_message_result consume(caf::mailbox_element& x) override {
    activity_of<State>().handled();
    if (tracing::mode_now() == 0)
      return Base::consume(x);
    auto h = tracing::handling{*this, State::name, told_, &x, 0};
    return Base::consume(x);
  }

  void initialize() override {
    auto h = tracing::handling{*this, State::name, told_, nullptr, trace_init};
    Base::initialize();
  }

  // CAF takes a dying actor for gone before it tells whoever watches it. A
  // system that ends then may have stopped its network, and what is told to
  // that keeps this actor, and its end, for ever.
  bool cleanup(caf::error&& why, caf::execution_unit* eu) override {
    auto alive = counted_alive{this->home_system().registry()};
    auto h =
        tracing::handling{*this, State::name, told_, nullptr, trace_cleanup};
    if (!Base::cleanup(std::move(why), eu)) {
      h.forget();
      return false;
    }
    tracing::gone(*this, State::name, told_);
    return true;
  }

  // -- what goes: these stand before those of CAF -----------------------------

  template <caf::message_priority P = caf::message_priority::normal, class Dest,
            class T>
  void send(const Dest& to, T&& x) {
    if ((tracing::mode_now() & tracing::recording) && elsewhere(to)) {
      auto mid = caf::make_message_id(P);
      post(to, mid, {}, std::forward<T>(x));
    } else {
      Base::template send<P>(to, std::forward<T>(x));
    }
  }

  template <class Dest, class Rep, class Period, class T>
  void delayed_send(const Dest& to, std::chrono::duration<Rep, Period> after,
                    T&& x) {
    auto how = tracing::mode_now();
    if (how == 0)
      return Base::delayed_send(to, after, std::forward<T>(x));
    auto receiver = caf::actor_cast<caf::strong_actor_ptr>(to);
    auto mid = caf::make_message_id();
    auto content = caf::make_message(std::forward<T>(x));
    if (how & tracing::replaying)
      return tracing::current_seam()->captured(
          receiver, letter(mid, std::move(content)), after);
    content = tracing::leaving(*this, receiver, mid, after, std::move(content));
    auto& clock = Base::clock();
    clock.schedule_message(clock.now() + after, receiver,
                           letter(mid, std::move(content)));
  }

  template <caf::message_priority P = caf::message_priority::normal,
            class Handle, class Timeout, class T>
  auto request(const Handle& to, const Timeout& timeout, T&& x)
      -> decltype(std::declval<Base&>().template request<P>(
          to, timeout, std::forward<T>(x))) {
    if (!(tracing::mode_now() & tracing::recording) || !elsewhere(to))
      return Base::template request<P>(to, timeout, std::forward<T>(x));
    auto mid = this->new_request_id(P);
    post(to, mid, {}, std::forward<T>(x));
    this->request_response_timeout(caf::duration{timeout}, mid);
    return {mid.response_id(), this};
  }

  // -- what else they get -----------------------------------------------------

  observed_clock clock() { return observed_clock{Base::clock()}; }

  template <caf::spawn_options Os = caf::no_spawn_options, class F, class... Ts>
  auto spawn(F f, Ts&&... xs)
      -> decltype(std::declval<Base&>().template spawn<Os>(
          f, std::forward<Ts>(xs)...)) {
    using handle = decltype(std::declval<Base&>().template spawn<Os>(
        f, std::forward<Ts>(xs)...));
    if (auto then = tracing::spawned_then()) {
      auto a = caf::actor_cast<handle>(then);
      if constexpr (caf::has_monitor_flag(Os))
        this->monitor(a);
      return a;
    }
    auto a = Base::template spawn<Os>(f, std::forward<Ts>(xs)...);
    tracing::note_spawned(a->id());
    return a;
  }

  /// First of all in an actor's function: `tell` returns what a replay needs
  /// to begin it again.
  template <class F>
  void born_with(F tell) {
    auto how = tracing::mode_now();
    if (how & tracing::replaying)
      tracing::current_seam()->value();
    if (!(how & tracing::payloads))
      return;
    auto birth = tell();
    auto bytes = std::vector<char>{};
    auto sink = caf::binary_serializer{this->home_system(), bytes};
    if (!sink(birth))
      tracing::note_value(bytes);
  }

  std::string state_json() const override {
    auto w = state_writer{};
    if constexpr (requires(const State& s) { s.tell(w); })
      static_cast<const caf::stateful_actor<State, observed>*>(this)
          ->state.tell(w);
    return w.take();
  }

private:
  // As CAF does it, but that its own thread is not woken.
  void enqueue_at(lent_thread& thread, caf::mailbox_element_ptr p) {
    auto mid = p->mid;
    auto sender = p->sender;
    switch (this->mailbox().push_back(std::move(p))) {
    case caf::intrusive::inbox_result::unblocked_reader:
      caf::intrusive_ptr_add_ref(this->ctrl());
      lending::take(thread, this, [](caf::resumable* me) {
        static_cast<observed*>(me)->private_thread_->resume();
      });
      break;
    case caf::intrusive::inbox_result::queue_closed:
      if (mid.is_request())
        caf::detail::sync_request_bouncer{caf::exit_reason{}}(sender, mid);
      break;
    case caf::intrusive::inbox_result::success:
      break;
    }
  }

  template <class Dest>
  bool elsewhere(const Dest& to) const {
    if constexpr (std::is_pointer_v<Dest>)
      return false;
    else
      return to && to->node() != this->node();
  }

  caf::mailbox_element_ptr letter(caf::message_id mid, caf::message content) {
    return caf::make_mailbox_element(caf::strong_actor_ptr{this->ctrl()}, mid,
                                     caf::no_stages, std::move(content));
  }

  template <class Dest, class T>
  void post(const Dest& to, caf::message_id mid, std::chrono::nanoseconds delay,
            T&& x) {
    auto receiver = caf::actor_cast<caf::strong_actor_ptr>(to);
    auto content = tracing::leaving(*this, receiver, mid, delay,
                                    caf::make_message(std::forward<T>(x)));
    receiver->enqueue(letter(mid, std::move(content)), this->context());
  }

  uint32_t told_ = 0; ///< the recording that knows this actor
};

/// The actor behind `Handle`, with that state.
template <class Handle, class State>
using actor_pointer =
    caf::stateful_actor<State, observed<State, typename Handle::base>>*;

} // namespace troupe
