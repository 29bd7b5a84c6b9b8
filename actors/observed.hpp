#pragma once

#include <caf/invoke_message_result.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/activity.hpp"

namespace troupe {

/// What each actor of this process is made of, so that there is one place where
/// all messages that they handle pass through.
template <class State, class Base>
class observed : public Base {
public:
  template <class... Ts>
  explicit observed(Ts&&... xs) : Base(std::forward<Ts>(xs)...) {
    activity_of<State>().born();
  }
  ~observed() override { activity_of<State>().died(); }

  caf::invoke_message_result consume(caf::mailbox_element& x) override {
    activity_of<State>().handled();
    return Base::consume(x);
  }
};

/// The actor behind `Handle`, with that state.
template <class Handle, class State>
using actor_pointer =
    caf::stateful_actor<State, observed<State, typename Handle::base>>*;

} // namespace troupe
