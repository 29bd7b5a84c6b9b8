#include "actors/rank_link.hpp"

#include <caf/all.hpp>

#include <optional>

#include "actors/error.hpp"
#include "actors/shard_worker.hpp"
#include "core/parallel/sent_ranks.hpp"

namespace troupe {

namespace {

bool makes_sense(const rank_seat& s) {
  return s.rank > 0 && s.rank < s.ranks && s.ranks <= 1024 && s.max_tokens > 0
         && s.max_tokens <= 1u << 20 && s.kv <= kv_dtype::i8
         && s.kind <= rank_kind::sequence && s.interval_ns > 0
         && s.timeout_ns > s.interval_ns;
}

class performer {
public:
  performer(actor_pointer<rank_link_actor, rank_link_state> self,
            rank_link_options opts)
      : self_(self), opts_(std::move(opts)) {}

  time_point now() const { return time_point{self_->clock().now()}; }

  void join() {
    self_->monitor(opts_.hub);
    auto m = join_ranks{};
    m.model = opts_.fingerprint;
    m.isa = opts_.isa;
    m.link = self_;
    self_->request(opts_.hub, std::chrono::seconds{10}, std::move(m))
        .then([this](const rank_seat& s) { seated(s); },
              [this](const caf::error& e) { end(from_caf(e)); });
  }

  void renew(const rank_renew& m) {
    end_group(fail(errc::abandoned, "another group begins"));
    if (!seat_)
      return;
    auto hub = opts_.hub;
    auto rank = seat_->rank;
    group_ = m.group;
    ranks_ = std::make_unique<sent_ranks>(
        m.group, rank, seat_->ranks,
        [hub](rank_part p) { caf::anon_send(hub, std::move(p)); });
    auto w = shard_worker_options{};
    w.kind = seat_->kind;
    w.whole = opts_.whole;
    w.weights = [get = opts_.weights, seat = *seat_] { return get(seat); };
    w.ranks = ranks_->join();
    w.threads = opts_.threads;
    w.max_tokens = seat_->max_tokens;
    w.activations = opts_.activations;
    w.kv = seat_->kv;
    w.failed = [hub, rank, group = m.group](const error& why) {
      caf::anon_send(hub, rank_lost{group, rank, why.message});
    };
    worker_ = self_->spawn<caf::detached>(shard_worker, std::move(w));
  }

  void on(rank_part& m) {
    if (ranks_)
      ranks_->receive(std::move(m));
  }

  void on(rank_command& c) {
    if (auto bytes = c.kv_bytes(); bytes > 0 && seat_)
      self_->send(opts_.hub, rank_taken{group_, seat_->rank, bytes});
    if (worker_)
      self_->send(worker_, std::move(c));
  }

  void alive() {
    heard_ = now();
    if (seat_)
      self_->send(opts_.hub, rank_alive{seat_->rank});
  }

  void tick() {
    if (!seat_)
      return;
    if (now() - heard_ > duration{seat_->timeout_ns})
      return end(fail(errc::timeout, "rank 0 says nothing any more"));
    arm();
  }

  void down() { end(fail(errc::abandoned, "the process of rank 0 is gone")); }

  /// Ends what still computes.
  void end_group(const error& why) {
    if (ranks_)
      ranks_->lose(0, why);
    if (worker_)
      self_->send_exit(worker_, caf::exit_reason::user_shutdown);
    worker_ = nullptr;
    ranks_.reset();
  }

  void let_go() {
    end_group(fail(errc::cancelled, "the process ends"));
    opts_.hub = nullptr;
  }

private:
  void seated(const rank_seat& s) {
    if (!makes_sense(s))
      return end(fail(errc::invalid_argument, "a seat that cannot be"));
    seat_ = s;
    heard_ = now();
    if (opts_.seated)
      opts_.seated(s);
    arm();
  }

  void end(const error& why) {
    let_go();
    if (auto over = std::exchange(opts_.over, nullptr))
      over(why);
    self_->quit();
  }

  void arm() {
    self_->delayed_send(self_, std::chrono::nanoseconds{seat_->interval_ns},
                        deadline_tick{});
  }

  actor_pointer<rank_link_actor, rank_link_state> self_;
  rank_link_options opts_;
  std::optional<rank_seat> seat_;
  time_point heard_{};
  uint64_t group_ = 0;
  std::unique_ptr<sent_ranks> ranks_;
  rank_actor worker_;
};

} // namespace

rank_link_actor::behavior_type
rank_link(actor_pointer<rank_link_actor, rank_link_state> self,
          rank_link_options opts) {
  auto p = std::make_shared<performer>(self, std::move(opts));
  self->set_down_handler([p](const caf::down_msg&) { p->down(); });
  self->set_exit_handler([self, p](const caf::exit_msg& m) {
    p->let_go();
    self->quit(m.reason);
  });
  p->join();
  return {
      [p](rank_command& c) { p->on(c); },
      [p](const rank_renew& m) { p->renew(m); },
      [p](rank_part& m) { p->on(m); },
      [p](const rank_alive&) { p->alive(); },
      [p](const deadline_tick&) { p->tick(); },
  };
}

} // namespace troupe
