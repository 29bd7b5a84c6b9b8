#pragma once

#include <caf/abstract_actor.hpp>
#include <caf/actor_clock.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/mailbox_element.hpp>

#include <chrono>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "actors/protocol/interfaces.hpp"
#include "actors/tracing/buffers.hpp"
#include "actors/tracing/seam.hpp"
#include "core/trace/format.hpp"

namespace troupe::tracing {

/// What a message is in that tells where it was sent.
inline bool in_envelope(const caf::mailbox_element& x) {
  auto& content = x.content();
  return content.type_token() == caf::make_type_token<trace_envelope>()
         && content.type(0).second == &typeid(trace_envelope);
}

/// A message comes to an actor's mailbox. What goes into it; null if nothing
/// does, since a replay holds it back.
caf::mailbox_element_ptr arriving(caf::abstract_actor& at, const char* name,
                                  uint32_t& told,
                                  caf::mailbox_element_ptr what);

/// An actor sends a message that its receiver will not tell of as it is. What
/// to send in its place.
caf::message leaving(caf::abstract_actor& from, const caf::strong_actor_ptr& to,
                     caf::message_id mid, std::chrono::nanoseconds delay,
                     caf::message content);

/// While it lives this thread handles a message.
class handling {
public:
  /// `flags`: of a trace_handled. `what`: null with them.
  handling(caf::abstract_actor& actor, const char* name, uint32_t& told,
           const caf::mailbox_element* what, uint8_t flags);
  handling(const handling&) = delete;
  handling& operator=(const handling&) = delete;
  ~handling();

  /// It was none.
  void forget() { number_ = 0; }

private:
  caf::abstract_actor& actor_;
  const caf::mailbox_element* what_;
  uint64_t number_ = 0; ///< 0: not recorded
  uint64_t before_ = 0;
  uint64_t begun_ = 0;
  size_t notes_ = 0; ///< bytes of those of the handling around it
  uint32_t generation_ = 0;
  uint8_t flags_;
};

/// An actor has ended.
void gone(caf::abstract_actor& actor, const char* name, uint32_t& told);

// -- what handlers get that is in no message ----------------------------------

caf::actor_clock::time_point read_clock(const caf::actor_clock& clock);

/// In a replay, what was spawned then.
caf::strong_actor_ptr spawned_then();
void note_spawned(caf::actor_id id);

void note_value(const std::vector<char>& bytes);

/// What `ask` returns; in a replay, what it returned then. For what an actor
/// learns from objects that it shares with others; no handles.
template <class T, class F>
T asked(F ask) {
  auto how = mode_now();
  if (how & replaying) {
    auto bytes = current_seam()->value();
    auto x = T{};
    auto source = caf::binary_deserializer{
        static_cast<caf::execution_unit*>(nullptr),
        reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    // What does not fit is as good as nothing: the replay will differ.
    if (source(x))
      x = T{};
    return x;
  }
  auto x = ask();
  if (how & payloads) {
    auto bytes = std::vector<char>{};
    auto sink = caf::binary_serializer{
        static_cast<caf::execution_unit*>(nullptr), bytes};
    if (!sink(x))
      note_value(bytes);
  }
  return x;
}

} // namespace troupe::tracing
