#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/replay/stage.hpp"

namespace troupe {

/// Tells whether an actor sent again what it had sent.
class comparison {
public:
  comparison(const replay_script& script, replay_stage& stage);

  struct difference {
    std::string what;
    std::string recorded;
    std::string replayed;
  };
  /// A message that was sent again.
  struct pair {
    uint32_t message = 0; ///< its number in the recording
    caf::mailbox_element_ptr what;
  };
  struct verdict {
    std::vector<pair> same;
    std::optional<difference> first;
  };

  /// `expected`: what `who` sent in that step. For each receiver the order
  /// counts. `names`: of the script's actors. Only of actors that the recording
  /// shows, all is known that they were sent.
  verdict compare(replay_stage::outcome done,
                  const std::vector<uint32_t>& expected, const actor_name& who,
                  const std::vector<actor_name>& names);

private:
  std::optional<difference> check(const replay_stage::output& o, uint32_t m);
  bool is_seen(const actor_name& who, const std::vector<actor_name>& names);
  std::string told(const caf::type_erased_tuple& content) const;
  std::string told(uint32_t message);

  const replay_script& script_;
  replay_stage& stage_;
  std::map<actor_name, bool> seen_; ///< filled at first use
};

} // namespace troupe
