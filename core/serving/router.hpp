#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/ids.hpp"
#include "core/serving/node_load.hpp"
#include "core/serving/node_role.hpp"
#include "core/serving/recent_map.hpp"

namespace troupe {

/// How a prompt begins: a digest for each of its blocks (`prefix_chain`).
struct prompt_prefix {
  std::span<const uint64_t> blocks = {};
  uint32_t block_tokens = 16;
};

/// Chooses nodes for requests, and keeps the books of who has what. A node is
/// known by a number of its own for each time that it joins, so that what ran
/// on its former life neither loads nor lightens the next one.
class router {
public:
  using member = uint64_t;

  /// Where a request goes; a mixed node does all of it, and is both.
  struct route {
    member prefill = 0;
    member decode = 0;
    bool operator==(const route&) const = default;
  };

  router() = default;
  router(router&&) noexcept = default;
  router& operator=(router&&) noexcept = default;

  /// `node` breaks ties, and is what requests avoid. No request goes to a
  /// store, nor to a node of another version of the model.
  void join(member m, node_id node, node_role role, version_id version = 1);
  /// Gets no more requests; those it has stay in the books.
  void leave(member m);

  /// What the node says it has to do.
  void told(member m, const node_load& load);

  /// The mixed node, or the node of each other role, where the request is
  /// predicted to take least and to hold least up, of those that have room for
  /// its prompt; ties go to those with fewer requests, to the mixed node, and
  /// to the lowest id, so that a run without reports is reproducible. Nodes to
  /// `avoid` are taken only if there is no other. Without prefill nodes, decode
  /// nodes prefill. Nothing if no node generates. A request has one route at a
  /// time: the next one replaces it.
  ///
  /// Of more than `most_compared` nodes of a role, two are compared that the
  /// request's number draws (Mitzenmacher 2001), with those that were given its
  /// prefix; all of them only if none of these will do.
  ///
  /// With `prompt_only` nothing follows the prompt: a prefill node does all of
  /// it, and is both, and there need be no node that generates.
  ///
  /// A node that was given the first blocks of `prefix` before has so much less
  /// to compute, and gets the request unless it has that much more to do than
  /// others.
  std::optional<route> place(request_id request, const request_size& size,
                             std::span<const node_id> avoid,
                             version_id version = 1,
                             const prompt_prefix& prefix = {},
                             bool prompt_only = false);

  /// Blocks of prompts whose nodes are remembered, hints of 64 bytes.
  static constexpr auto remembered_blocks = size_t{1} << 16;
  static constexpr auto most_compared = size_t{16};

  /// The request has gone to `to`, with its prompt computed. No effect on
  /// requests and members that are not known.
  void move(request_id request, member to);
  void release(request_id request);
  std::optional<route> find(request_id request) const;
  size_t requests() const { return bookings_.size(); }

private:
  struct entry {
    member id = 0;
    node_id node = 0;
    node_role role = node_role::mixed;
    version_id version = 1;
    size_t place = 0; ///< in its group
    load_estimate load;
  };
  /// Nodes that a request could go to alike.
  using group = std::vector<entry*>;
  struct booking {
    route where;
    request_size size;
  };
  struct preference;
  struct candidate;
  struct wish;

  /// Who was given a block, the last one first.
  using holders = std::array<member, 4>;

  route route_of(const wish& w) const;
  candidate best(node_role role, node_role work, const wish& w) const;
  void find_holders(wish& w);
  void remember(const prompt_prefix& prefix, member m);
  void book(request_id request, const route& where,
            const request_size& at_first, const request_size& whole);

  std::unordered_map<member, entry> members_;
  std::map<std::pair<node_role, version_id>, group> groups_;
  std::unordered_map<request_id, booking> bookings_;
  recent_map<holders> blocks_{remembered_blocks};
};

} // namespace troupe
