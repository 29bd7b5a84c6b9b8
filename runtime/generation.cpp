#include "runtime/generation_impl.hpp"

#include <caf/all.hpp>

#include <iterator>
#include <utility>

namespace troupe {

generation::generation(std::shared_ptr<impl> p) : impl_(std::move(p)) {}
generation::generation(generation&&) noexcept = default;

generation& generation::operator=(generation&& other) noexcept {
  if (this != &other) {
    if (impl_)
      cancel();
    impl_ = std::move(other.impl_);
  }
  return *this;
}

generation::~generation() {
  if (impl_)
    cancel();
}

request_id generation::id() const {
  return impl_->id;
}

std::optional<generation::event> generation::next() {
  auto& lent = impl_->lent;
  auto& queue = *impl_->queue;
  if (lent && !queue.ready())
    lent->run([&] { return queue.ready(); });
  if (lent && lent->over())
    lent.reset();
  auto e = queue.pop();
  if (lent && e && std::holds_alternative<finish_event>(*e)) {
    lent->end();
    lent.reset();
  }
  return e;
}

void generation::cancel() {
  if (!impl_->queue->ended())
    impl_->door->cancel(impl_->id);
}

std::optional<duration> generation::time_to_first_token() const {
  return impl_->queue->time_to_first_token();
}

std::optional<duration> generation::time_per_output_token() const {
  return impl_->queue->time_per_output_token();
}

subscription::subscription(std::unique_ptr<impl> p) : impl_(std::move(p)) {}
subscription::subscription(subscription&&) noexcept = default;

subscription& subscription::operator=(subscription&& other) noexcept {
  if (this != &other) {
    cancel();
    impl_ = std::move(other.impl_);
  }
  return *this;
}

subscription::~subscription() {
  cancel();
}

void subscription::cancel() {
  if (auto gone = std::exchange(impl_, nullptr))
    if (auto client = caf::actor_cast<caf::strong_actor_ptr>(gone->client))
      caf::anon_send_exit(client, caf::exit_reason::user_shutdown);
}

void add(completion& to, generation::event e) {
  if (auto* t = std::get_if<token_event>(&e)) {
    to.tokens.insert(to.tokens.end(), t->tokens.begin(), t->tokens.end());
    to.details.insert(to.details.end(),
                      std::make_move_iterator(t->details.begin()),
                      std::make_move_iterator(t->details.end()));
    to.text += t->text;
  } else {
    to.end = std::move(std::get<finish_event>(e));
    to.text += to.end.text;
  }
}

completion collect(generation& g) {
  auto all = completion{};
  while (auto event = g.next())
    add(all, std::move(*event));
  return all;
}

} // namespace troupe
