#include "actors/rank_hub.hpp"

#include <caf/all.hpp>

#include "actors/error.hpp"

namespace troupe {

namespace {

// The handles and the clock around `rank_seats`.
class performer {
public:
  performer(actor_pointer<rank_hub_actor, rank_hub_state> self,
            rank_hub_options opts)
      : self_(self), opts_(std::move(opts)),
        seats_(opts_.ranks->ranks(), duration{opts_.seat.timeout_ns}) {
    arm();
  }

  time_point now() const { return time_point{self_->clock().now()}; }

  caf::result<rank_seat> join(const join_ranks& m) {
    if (auto ok = check(m); !ok)
      return to_caf(ok.failure());
    auto rank = seats_.take(now());
    if (!rank)
      return to_caf(rank.failure());
    auto address = caf::actor_cast<caf::actor_addr>(m.link);
    of_[address] = *rank;
    self_->monitor(m.link);
    opts_.ranks->seat(*rank, m.link);
    tell(*rank, "is there");
    auto seat = opts_.seat;
    seat.rank = *rank;
    seat.ranks = seats_.ranks();
    // It has its seat before anything else comes.
    self_->send(m.link, rank_alive{});
    if (seats_.full())
      self_->delayed_send(self_, std::chrono::milliseconds{0},
                          deadline_tick{full_tick});
    return seat;
  }

  void alive(const rank_alive& m) { seats_.hear(m.rank, now()); }

  void tick(const deadline_tick& t) {
    if (t.number == full_tick) {
      if (seats_.full() && !std::exchange(was_full_, true))
        opts_.full();
      return;
    }
    for (auto rank : seats_.expire(now()))
      gone(rank, fail(errc::timeout,
                      "it said nothing for "
                          + std::to_string(opts_.seat.timeout_ns / 1'000'000)
                          + " ms"));
    for (auto& [address, rank] : of_)
      if (auto link = caf::actor_cast<rank_link_actor>(address))
        self_->send(link, rank_alive{rank});
    arm();
  }

  void down(const caf::actor_addr& peer) {
    auto i = of_.find(peer);
    if (i == of_.end())
      return;
    auto rank = i->second;
    if (seats_.leave(rank))
      gone(rank, fail(errc::abandoned, "its process is gone"));
  }

private:
  static constexpr uint64_t full_tick = 1;

  result<void> check(const join_ranks& m) const {
    if (!m.link)
      return fail(errc::invalid_argument, "a rank without a handle");
    if (m.version != rank_protocol_version)
      return fail(errc::unsupported,
                  "rank protocol " + std::to_string(m.version) + "; here it is "
                      + std::to_string(rank_protocol_version));
    if (m.model != opts_.fingerprint)
      return fail(errc::layout_mismatch, "the rank has model " + m.model
                                             + ", rank 0 " + opts_.fingerprint);
    if (m.isa != opts_.isa)
      return fail(errc::layout_mismatch,
                  "the rank computes on " + m.isa + ", rank 0 on " + opts_.isa);
    return {};
  }

  void gone(uint32_t rank, const error& why) {
    std::erase_if(of_, [&](auto& x) { return x.second == rank; });
    opts_.ranks->unseat(rank, why);
    tell(rank, "was lost: " + why.message);
    if (std::exchange(was_full_, false))
      opts_.lost(fail(errc::abandoned,
                      "rank " + std::to_string(rank) + ": " + why.message));
  }

  void tell(uint32_t rank, const std::string& what) const {
    if (opts_.news)
      opts_.news("rank " + std::to_string(rank) + " of "
                 + std::to_string(seats_.ranks()) + " " + what);
  }

  void arm() {
    self_->delayed_send(self_, std::chrono::nanoseconds{opts_.seat.interval_ns},
                        deadline_tick{0});
  }

  actor_pointer<rank_hub_actor, rank_hub_state> self_;
  rank_hub_options opts_;
  rank_seats seats_;
  std::map<caf::actor_addr, uint32_t> of_;
  bool was_full_ = false;
};

} // namespace

rank_hub_actor::behavior_type
rank_hub(actor_pointer<rank_hub_actor, rank_hub_state> self,
         rank_hub_options opts) {
  auto ranks = opts.ranks;
  auto p = std::make_shared<performer>(self, std::move(opts));
  self->set_down_handler([p](const caf::down_msg& m) { p->down(m.source); });
  return {
      [p](const join_ranks& m) { return p->join(m); },
      [ranks](rank_part& m) { ranks->receive(std::move(m)); },
      [ranks](const rank_lost& m) { ranks->on(m); },
      [p](const rank_alive& m) { p->alive(m); },
      [ranks](const rank_taken& m) { ranks->on(m); },
      [p](const deadline_tick& t) { p->tick(t); },
  };
}

} // namespace troupe
