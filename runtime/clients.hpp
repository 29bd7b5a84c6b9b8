#pragma once

#include <caf/behavior.hpp>
#include <caf/fwd.hpp>
#include <caf/local_actor.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <variant>

#include "actors/fifo.hpp"
#include "actors/observed.hpp"
#include "actors/protocol/interfaces.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"

namespace troupe {

/// Events on their way from an actor to a thread that pulls them. Bounded by
/// the longest answer.
class event_queue {
public:
  using event = std::variant<token_event, finish_event>;

  explicit event_queue(time_point started) : started_(started) {}

  /// From the actor: what came of asking the gateway, once.
  void answer(result<request_id> admitted);

  /// From the actor. Nothing is taken after a finish_event.
  void push(event e, time_point now);

  /// Waits for the gateway's answer. Errors: that; timeout.
  result<request_id> answer();
  bool answered() const;

  /// Whether `pop` need not wait.
  bool ready() const { return ready_.load(std::memory_order_acquire); }

  /// Waits for an event; empty once the finish_event was taken.
  std::optional<event> pop();

  bool ended() const;
  std::optional<duration> time_to_first_token() const;
  std::optional<duration> time_per_output_token() const;

private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable answers_;
  std::optional<result<request_id>> answer_;
  fifo<event> events_;
  bool ended_ = false; ///< a finish_event was pushed
  bool taken_ = false; ///< and popped
  std::atomic<bool> ready_{false};
  time_point started_;
  time_point first_token_{};
  time_point last_token_{};
  uint64_t tokens_ = 0;
};

struct queue_client_state {
  static constexpr const char* name = "client";
};

/// An actor without turns, as CAF's actor_companion, and without the mailbox
/// that such a one has: whoever sends to it has it handle the message. Safe to
/// send to from any thread, so what handles has to be as well.
class companion : public caf::local_actor {
public:
  using signatures = caf::none_t;
  using behavior_type = caf::behavior;

  using caf::local_actor::enqueue;
  using caf::local_actor::local_actor;

  void launch(caf::execution_unit*, bool, bool hide) override {
    if (!hide)
      register_at_system();
  }

  void enqueue(caf::mailbox_element_ptr p, caf::execution_unit*) override {
    consume(*p);
  }

  virtual caf::invoke_message_result consume(caf::mailbox_element& x) {
    handle(x.content());
    return caf::invoke_message_result::consumed;
  }

  /// It cannot await answers, which `observed` names.
  template <caf::message_priority, class... Ts>
  void request(Ts&&...) = delete;

protected:
  virtual void handle(caf::type_erased_tuple& content) = 0;
};

/// A client that asks the gateway itself, and puts what comes of it into a
/// queue. It ends with the last event. Should the gateway die first, it ends
/// the request itself. `alive` goes with it.
class queue_client : public observed<queue_client_state, companion> {
public:
  /// In `system`, run by `where` as far as it goes; null: by its workers.
  static client_actor
  spawn(caf::actor_system& system, caf::execution_unit* where,
        const gateway_actor& gateway, generate_request&& request,
        std::shared_ptr<event_queue> queue, std::shared_ptr<void> alive);

  queue_client(caf::actor_config& config, request_id request,
               std::shared_ptr<event_queue> queue, std::shared_ptr<void> alive);
  ~queue_client() override;

private:
  void handle(caf::type_erased_tuple& content) override;
  void ask(const gateway_actor& gateway, generate_request&& request);
  void end();
  void fail(error why);

  request_id request_;
  std::shared_ptr<event_queue> queue_;
  std::shared_ptr<void> alive_;
  std::atomic<bool> ended_{false};
};

/// Why the calling thread must not wait for what the runtime does; nothing
/// where it may. It must not while it runs a handler: what it waits for may
/// need it.
std::optional<error> must_not_wait();

struct callback_client_state {
  static constexpr const char* name = "client";
  static constexpr bool calls_host = true;
  callback_client_state() = default;

  std::shared_ptr<void> alive; ///< for as long as the actor is
};

/// A client that asks the gateway itself and hands each event to `on_event`,
/// one at a time; what a request is refused for comes as its finish_event.
/// Quits with the last. If it is sent away before, its request is cancelled.
client_actor::behavior_type
callback_client(actor_pointer<client_actor, callback_client_state> self,
                gateway_actor gateway, generate_request request,
                std::function<void(event_queue::event)> on_event,
                std::shared_ptr<void> alive);

/// The same, for a request to embed.
embed_client_actor::behavior_type embed_client(
    actor_pointer<embed_client_actor, callback_client_state> self,
    gateway_actor gateway, embed_request request,
    std::function<void(std::variant<embedding_event, finish_event>)> on_event,
    std::shared_ptr<void> alive);

} // namespace troupe
