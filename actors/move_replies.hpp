#pragma once

#include <map>
#include <utility>
#include <vector>

#include "actors/owed_reply.hpp"
#include "actors/protocol/interfaces.hpp"
#include "core/base/result.hpp"

namespace troupe {

/// Whom a node owes word of how moves, and its drain, have ended.
class move_replies {
public:
  void add(request_id request, owed_reply<migrated> to) {
    moves_.emplace(request, std::move(to));
  }
  void add(owed_reply<drained> to) { drains_.push_back(std::move(to)); }

  void answer(request_id request, const result<migrated>& how) {
    auto [first, last] = moves_.equal_range(request);
    for (auto i = first; i != last; ++i) {
      if (how)
        i->second.deliver(*how);
      else
        i->second.fail(how.failure());
    }
    moves_.erase(first, last);
  }
  void answer(const drained& how) {
    for (auto& d : drains_)
      d.deliver(how);
    drains_.clear();
  }

private:
  std::multimap<request_id, owed_reply<migrated>> moves_;
  std::vector<owed_reply<drained>> drains_;
};

} // namespace troupe
