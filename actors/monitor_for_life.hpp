#pragma once

#include <caf/actor_cast.hpp>
#include <caf/actor_control_block.hpp>
#include <caf/default_attachable.hpp>
#include <caf/monitorable_actor.hpp>

namespace troupe {

/// Monitors `peer` for as long as `self` lives. What a plain monitor leaves
/// with a peer that lives longer is there until that one dies, memory of `self`
/// included, and others have to search through it (CAF 0.17.6).
template <class Self, class Handle>
void monitor_for_life(Self* self, const Handle& peer) {
  self->monitor(peer);
  self->attach_functor([to = caf::actor_cast<caf::strong_actor_ptr>(peer),
                        me = self->address()] {
    to->get()->detach(caf::default_attachable::observe_token{
        me, caf::default_attachable::monitor});
  });
}

} // namespace troupe
