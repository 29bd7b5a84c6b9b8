#pragma once

#include "actors/session.hpp"

namespace troupe {

/// What a session does with its state's answers: the handles, and the order in
/// which messages leave.
class session_performer {
public:
  using pointer = actor_pointer<session_actor, session_state>;

  /// The state knows its task.
  explicit session_performer(pointer self);

  // -- before there is a node (session_admission.cpp) -------------------------

  void start();

  // -- a node -----------------------------------------------------------------

  void place();
  void moved(const sequence_moved& m);
  void down(const caf::actor_addr& peer);
  /// A node died, or was given up.
  void lost(const caf::actor_addr& node);

  // -- tokens and the end -----------------------------------------------------

  void take(const sequence_output& o) { react(state().take(o, now())); }
  void cancel() { end(finish_reason::cancelled); }

private:
  void record_admission();
  void choose_version();
  void ask_cache();
  void leave_cache();

  void run(placement where, sequence_spec spec);
  void not_placed(error why);
  node_book* nodes();
  template <class What>
  void tell_registry(const What& what);
  void leave();
  template <class Handle>
  void leave(const Handle& node);
  void place_later();

  void react(session_state::reaction r);
  void record();
  void end(finish_reason reason, error why = {});
  void end(finish_event e);

  session_state& state() { return self_->state; }
  time_point now() const { return time_point{self_->clock().now()}; }

  pointer self_;
  gateway_actor gateway_;
  registry_actor registry_;
  client_actor client_;
  bool asking_ = false; ///< for a version, or an answer
  bool placing_ = false;
  bool asked_ = false; ///< the registry, which is monitored since
};

} // namespace troupe
