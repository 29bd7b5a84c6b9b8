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
  if (!answers_.wait_for(guard, patience,
                         [this] { return answer_.has_value(); }))
    answer_ = fail(errc::timeout, "the gateway does not answer");
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
  events_.push(std::move(e));
  ready_ = true;
  changed_.notify_one();
}

std::optional<event_queue::event> event_queue::pop() {
  auto guard = std::unique_lock{mutex_};
  if (taken_)
    return {};
  changed_.wait(guard, [this] { return !events_.empty(); });
  auto e = events_.pop();
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

// -- a client with a queue ----------------------------------------------------

client_actor queue_client::spawn(caf::actor_system& system,
                                 caf::execution_unit* where,
                                 const gateway_actor& gateway,
                                 generate_request&& request,
                                 std::shared_ptr<event_queue> queue,
                                 std::shared_ptr<void> alive) {
  auto config = caf::actor_config{where};
  auto id = request.request;
  auto a = system.spawn_class<queue_client, caf::no_spawn_options>(
      config, id, std::move(queue), std::move(alive));
  static_cast<queue_client*>(caf::actor_cast<caf::abstract_actor*>(a))
      ->ask(gateway, std::move(request));
  return caf::actor_cast<client_actor>(a);
}

queue_client::queue_client(caf::actor_config& config, request_id request,
                           std::shared_ptr<event_queue> queue,
                           std::shared_ptr<void> alive)
    : observed(config), request_(request), queue_(std::move(queue)),
      alive_(std::move(alive)) {}

// However it ends, nobody waits for it any more.
queue_client::~queue_client() {
  queue_->answer(gateway_gone());
  queue_->push(failed(request_, gateway_gone()), stamp());
}

void queue_client::ask(const gateway_actor& gateway,
                       generate_request&& request) {
  auto to = caf::actor_cast<caf::strong_actor_ptr>(gateway);
  // One of this process answers, or its session says that it is gone; and if
  // that is gone as well nobody has this client, and it ends.
  if (to->node() != node())
    monitor_for_life(this, gateway);
  auto me = caf::strong_actor_ptr{ctrl()};
  auto mid = new_request_id(caf::message_priority::normal);
  auto content = caf::make_message(
      submit{std::move(request), caf::actor_cast<client_actor>(me)});
  if ((tracing::mode_now() & tracing::recording) && to->node() != node())
    content = tracing::leaving(*this, to, mid, {}, std::move(content));
  to->enqueue(caf::make_mailbox_element(std::move(me), mid, caf::no_stages,
                                        std::move(content)),
              context());
}

namespace {

// What is in a message; moved out of it if nobody else has it.
template <class T>
T taken(caf::type_erased_tuple& from) {
  if (from.shared())
    return from.get_as<T>(0);
  return std::move(from.get_mutable_as<T>(0));
}

} // namespace

void queue_client::handle(caf::type_erased_tuple& content) {
  if (content.match_elements<token_event>()) {
    queue_->push(taken<token_event>(content), stamp());
  } else if (content.match_elements<finish_event>()) {
    auto e = taken<finish_event>(content);
    queue_->answer(e.request); // if it has overtaken the gateway's
    queue_->push(std::move(e), stamp());
    end();
  } else if (content.match_elements<admitted>()) {
    queue_->answer(content.get_as<admitted>(0).request);
  } else if (content.match_elements<caf::error>()) {
    fail(from_caf(content.get_as<caf::error>(0)));
  } else if (content.match_elements<caf::down_msg>()
             || content.match_elements<caf::exit_msg>()) {
    fail(gateway_gone());
  }
}

void queue_client::fail(error why) {
  queue_->answer(why);
  queue_->push(failed(request_, std::move(why)), stamp());
  end();
}

void queue_client::end() {
  if (ended_.exchange(true))
    return;
  alive_.reset();
  cleanup(caf::exit_reason::normal, nullptr);
}

// -- clients that call back ---------------------------------------------------

namespace {

constinit thread_local bool in_handler = false;

// A handler of the host's, marked as such while it runs.
template <class F>
auto handler(F f) {
  return [f = std::move(f)](auto&& e) {
    struct mark {
      mark() { in_handler = true; }
      ~mark() { in_handler = false; }
    } here;
    f(std::forward<decltype(e)>(e));
  };
}

} // namespace

std::optional<error> must_not_wait() {
  if (!in_handler)
    return {};
  return fail(errc::invalid_argument,
              "a handler of events must not wait for others: submit with a "
              "handler, or leave it to another thread");
}

client_actor::behavior_type
callback_client(actor_pointer<client_actor, callback_client_state> self,
                gateway_actor gateway, generate_request request,
                std::function<void(event_queue::event)> on_event,
                std::shared_ptr<void> alive) {
  self->state.alive = std::move(alive);
  auto id = request.request;
  auto tell = handler(std::move(on_event));
  ask(self, gateway, id, submit{std::move(request), client_actor{self}}, tell);
  return {
      [=](token_event& m) { tell(std::move(m)); },
      [=](const finish_event& m) {
        tell(m);
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
  auto tell = handler(std::move(on_event));
  ask(self, gateway, id,
      submit_embed{std::move(request), embed_client_actor{self}}, tell);
  return {
      [=](const embedding_event& m) { tell(m); },
      [=](const finish_event& m) {
        tell(m);
        self->quit();
      },
  };
}

} // namespace troupe
