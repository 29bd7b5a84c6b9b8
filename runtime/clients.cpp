#include "runtime/clients.hpp"

#include <caf/all.hpp>

#include "actors/error.hpp"
#include "actors/monitor_for_life.hpp"

namespace troupe {

namespace {

// Stamps arrivals for a person's eyes; nothing is decided by it.
time_point stamp() {
  return std::chrono::steady_clock::now();
}

constexpr auto patience = std::chrono::seconds{10};

finish_event failed(request_id request, error why) {
  auto end = finish_event{};
  end.request = request;
  end.reason = finish_reason::error;
  end.code = why.code;
  end.message = std::move(why.message);
  return end;
}

error gateway_gone() {
  return {errc::abandoned, "the gateway is gone"};
}

} // namespace

void event_queue::answer(result<request_id> admitted) {
  auto guard = std::lock_guard{mutex_};
  if (answer_)
    return;
  answer_ = std::move(admitted);
  answers_.notify_one();
}

result<request_id> event_queue::answer() {
  auto guard = std::unique_lock{mutex_};
  answers_.wait(guard, [this] { return answer_.has_value(); });
  return *answer_;
}

bool event_queue::answered() const {
  auto guard = std::lock_guard{mutex_};
  return answer_.has_value();
}

void event_queue::push(event e, time_point now) {
  auto guard = std::lock_guard{mutex_};
  if (ended_)
    return;
  if (auto* t = std::get_if<token_event>(&e)) {
    if (tokens_ == 0 && !t->tokens.empty())
      first_token_ = now;
    last_token_ = now;
    tokens_ += t->tokens.size();
  } else {
    ended_ = true;
  }
  events_.push_back(std::move(e));
  ready_ = true;
  changed_.notify_one();
}

std::optional<event_queue::event> event_queue::pop() {
  auto guard = std::unique_lock{mutex_};
  if (taken_)
    return {};
  changed_.wait(guard, [this] { return !events_.empty(); });
  auto e = std::move(events_.front());
  events_.pop_front();
  taken_ = std::holds_alternative<finish_event>(e);
  ready_ = taken_ || !events_.empty();
  return e;
}

bool event_queue::ended() const {
  auto guard = std::lock_guard{mutex_};
  return ended_;
}

std::optional<duration> event_queue::time_to_first_token() const {
  auto guard = std::lock_guard{mutex_};
  if (tokens_ == 0)
    return {};
  return first_token_ - started_;
}

std::optional<duration> event_queue::time_per_output_token() const {
  auto guard = std::lock_guard{mutex_};
  if (tokens_ < 2)
    return {};
  return (last_token_ - first_token_) / static_cast<int64_t>(tokens_ - 1);
}

namespace {

// What comes of asking the gateway, but for the events.
template <class Pointer, class Question, class OnEvent>
void ask(Pointer self, const gateway_actor& gateway, request_id id, Question q,
         OnEvent on_event) {
  auto fail = [=](error why) {
    on_event(failed(id, std::move(why)));
    self->quit();
  };
  monitor_for_life(self, gateway);
  self->set_down_handler([=](const caf::down_msg&) { fail(gateway_gone()); });
  self->request(gateway, patience, std::move(q))
      .then([](const admitted&) {},
            [=](const caf::error& e) { fail(from_caf(e)); });
}

} // namespace

queue_client_state::~queue_client_state() {
  if (!queue)
    return;
  queue->answer(gateway_gone());
  queue->push(failed(request, gateway_gone()), stamp());
}

client_actor::behavior_type
queue_client(actor_pointer<client_actor, queue_client_state> self,
             gateway_actor gateway, generate_request request,
             std::shared_ptr<event_queue> queue, std::shared_ptr<void> alive) {
  auto& state = self->state;
  state.request = request.request;
  state.queue = queue;
  state.alive = std::move(alive);
  monitor_for_life(self, gateway);
  self->set_down_handler([=](const caf::down_msg&) { self->quit(); });
  self->request(gateway, patience,
                submit{std::move(request), client_actor{self}})
      .then([=](const admitted& a) { queue->answer(a.request); },
            [=](const caf::error& e) {
              queue->answer(from_caf(e));
              self->quit();
            });
  return {
      [=](token_event& m) { queue->push(std::move(m), stamp()); },
      [=](finish_event& m) {
        queue->answer(m.request); // if it has overtaken the gateway's
        queue->push(std::move(m), stamp());
        self->quit();
      },
  };
}

client_actor::behavior_type
callback_client(actor_pointer<client_actor, callback_client_state> self,
                gateway_actor gateway, generate_request request,
                std::function<void(event_queue::event)> on_event,
                std::shared_ptr<void> alive) {
  self->state.alive = std::move(alive);
  auto id = request.request;
  ask(self, gateway, id, submit{std::move(request), client_actor{self}},
      on_event);
  return {
      [=](token_event& m) { on_event(std::move(m)); },
      [=](const finish_event& m) {
        on_event(m);
        self->quit();
      },
  };
}

embed_client_actor::behavior_type embed_client(
    actor_pointer<embed_client_actor, callback_client_state> self,
    gateway_actor gateway, embed_request request,
    std::function<void(std::variant<embedding_event, finish_event>)> on_event,
    std::shared_ptr<void> alive) {
  self->state.alive = std::move(alive);
  auto id = request.request;
  ask(self, gateway, id,
      submit_embed{std::move(request), embed_client_actor{self}}, on_event);
  return {
      [=](const embedding_event& m) { on_event(m); },
      [=](const finish_event& m) {
        on_event(m);
        self->quit();
      },
  };
}

} // namespace troupe
