#pragma once

#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/time.hpp"
#include "core/cluster/messages.hpp"

namespace troupe {

struct member_options {
  /// Random: lives of a node must not share their incarnations.
  uint64_t seed = 0;
  /// Joins that are not answered come again after about this long, then twice
  /// that, up to the most.
  duration first_retry = std::chrono::milliseconds{100};
  duration max_retry = std::chrono::seconds{2};
};

/// What became of a node, for who runs its sequences.
struct member_event {
  enum class kind : uint8_t {
    /// It is `node` in `epoch`, and may take work.
    joined,
    /// Take nothing new, move the sequences away, then drained().
    draining,
    /// Emit nothing more, drop all sequences, then dropped().
    fenced,
    /// It drained, or was fenced meanwhile; start() joins again.
    left,
    /// For good, see failure(): joining again would not help.
    refused,
  };
  kind what = kind::joined;
  node_id node = 0;
  membership_epoch epoch = 0;
};

/// What a call wants done.
struct member_output {
  std::vector<member_message> send;
  std::vector<member_event> events;
};

/// A node's side of its membership. Pure: messages and the time go in, messages
/// and events come out. Whoever ticks it must not compute in between: a step of
/// a prompt may take longer than the lease.
///
/// The node holds a lease: what it sent and the registry answered lets it act
/// for `timeout` from when it was *sent*. The registry counts from when it
/// came, so a node that is cut off stops before its sequences go on elsewhere.
class member {
public:
  enum class state : uint8_t {
    joining,
    member,
    /// Takes nothing new; its sequences move away.
    draining,
    /// No longer a member: emits nothing, drops its sequences, then dropped().
    fenced,
    /// Left as it wanted to, or refused for good: see failure().
    left,
  };

  /// `self` has what a join says but for incarnation and number.
  member(join_request self, member_options options);

  /// Joins, at once; after `left` again.
  void start(time_point now, member_output& out);

  void on(const join_reply& m, time_point now, member_output& out);
  void on(const name_taken& m, time_point now, member_output& out);
  void on(const heartbeat_ack& m, time_point now, member_output& out);
  void on(const drain_order& m, time_point now, member_output& out);
  void on(const epoch_over& m, time_point now, member_output& out);

  /// Goes with a heartbeat, which is sent now.
  void load(const node_load& load, time_point now, member_output& out);
  /// No new work; leaves once drained().
  void drain(time_point now, member_output& out);
  /// While draining: no sequence is left.
  void drained(time_point now, member_output& out);
  /// While fenced: the sequences are gone. Joins again, unless it was leaving.
  void dropped(time_point now, member_output& out);

  /// Sends what is due; notices that it is cut off.
  void tick(time_point now, member_output& out);
  /// When to tick next; none: never.
  std::optional<time_point> next_deadline() const;

  state now_in() const { return state_; }
  /// May emit: a member with a valid lease.
  bool acts(time_point now) const;
  /// May take new work.
  bool admits(time_point now) const {
    return state_ == state::member && acts(now);
  }
  /// Why it was refused, last time.
  const error& failure() const { return failure_; }
  node_id node() const { return node_; }
  membership_epoch epoch() const { return epoch_; }

private:
  using kind = member_event::kind;

  bool in_cluster() const {
    return state_ == state::member || state_ == state::draining;
  }
  void send_join(time_point now, member_output& out);
  void send_sign_of_life(time_point now, member_output& out);
  void next_incarnation(time_point now);
  void remember_sent(time_point now);
  void extend_lease(uint64_t number);
  void fence_if_cut_off(time_point now, member_output& out);
  void fence(time_point now, member_output& out);
  void begin_draining(time_point now, member_output& out);
  void end(kind how, member_output& out);
  duration retry_delay();
  std::optional<time_point> take_sent(uint64_t number);

  join_request self_;
  member_options options_;
  state state_ = state::left;
  error failure_;
  node_id node_ = 0;
  membership_epoch epoch_ = 0;
  duration interval_{};
  duration timeout_{};
  node_load load_;
  uint64_t lives_ = 0;
  uint64_t draws_ = 0;
  uint32_t retries_ = 0; ///< since it last was a member for a while
  uint64_t number_ = 0;
  std::deque<std::pair<uint64_t, time_point>> sent_; ///< not answered
  time_point next_send_{};
  time_point joined_{};
  time_point lease_{}; ///< valid before this
  bool leaving_ = false;
};

} // namespace troupe
