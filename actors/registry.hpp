#pragma once

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <memory>
#include <optional>

#include "actors/node_book.hpp"
#include "actors/observed.hpp"
#include "actors/peers.hpp"
#include "actors/protocol/interfaces.hpp"
#include "core/cluster/membership.hpp"

namespace troupe {

/// Who is in the cluster and how loaded.
class registry_state {
public:
  static constexpr const char* name = "registry";

  registry_state() = default;

  void init(std::shared_ptr<node_book> book) {
    if (book)
      book_ = std::move(book);
  }

  node_book& book() { return *book_; }

  peers outstanding; ///< status queries under way

  /// For a person who looks at a replay.
  void tell(state_writer& w) const { book_->tell(w); }

private:
  std::shared_ptr<node_book> book_ = std::make_shared<node_book>();
};

static_assert(!std::is_aggregate_v<registry_state>);

struct registry_options {
  /// Bounds a status query.
  std::chrono::milliseconds patience{5000};
  /// Nodes of other processes may join. Whether they live, and what they are
  /// called, is `membership`'s to know. Nothing: none may.
  std::optional<membership_options> cluster = std::nullopt;
  /// Null: nobody but the registry has it.
  std::shared_ptr<node_book> book = nullptr;
};

/// Behaviour of the registry.
registry_actor::behavior_type
registry(actor_pointer<registry_actor, registry_state> self,
         registry_options opts);

} // namespace troupe
