#include "actors/outside_ranks.hpp"

#include <caf/all.hpp>

#include <algorithm>

namespace troupe {

namespace {

// Keeps the group alive for whoever computes with it.
class group_member : public node_ranks {
public:
  group_member(rank_kind kind, std::shared_ptr<const model> weights,
               std::vector<part> heads, std::shared_ptr<sent_ranks> group,
               rank_leader::send tell)
      : node_ranks(kind, std::move(weights), std::move(heads), group->join(),
                   std::move(tell)),
        group_(std::move(group)) {}

private:
  std::shared_ptr<sent_ranks> group_;
};

} // namespace

outside_ranks::outside_ranks(rank_kind kind,
                             std::shared_ptr<const model> weights,
                             std::vector<part> heads, uint64_t seed)
    : kind_(kind), weights_(std::move(weights)), heads_(std::move(heads)),
      group_(seed), links_(heads_.size()), unread_(heads_.size()) {}

void outside_ranks::seat(uint32_t rank, rank_link_actor link) {
  auto lock = std::lock_guard{mutex_};
  links_[rank] = std::move(link);
}

void outside_ranks::unseat(uint32_t rank, const error& why) {
  auto lock = std::lock_guard{mutex_};
  links_[rank] = nullptr;
  if (current_)
    current_->lose(rank, why);
  changed_.notify_all();
}

void outside_ranks::receive(rank_part p) {
  if (p.to != 0)
    return send(std::move(p));
  auto lock = std::lock_guard{mutex_};
  if (current_)
    current_->receive(std::move(p));
}

void outside_ranks::on(const rank_lost& m) {
  auto lock = std::lock_guard{mutex_};
  if (current_ && m.group == group_ && m.rank > 0 && m.rank < ranks())
    current_->lose(m.rank, fail(errc::abandoned, m.reason));
}

void outside_ranks::on(const rank_taken& m) {
  auto lock = std::lock_guard{mutex_};
  if (m.group != group_ || m.rank >= ranks())
    return;
  unread_[m.rank] -= std::min(unread_[m.rank], m.bytes);
  changed_.notify_all();
}

std::shared_ptr<node_ranks> outside_ranks::renew() {
  auto lock = std::lock_guard{mutex_};
  ++group_;
  unread_.assign(ranks(), 0);
  changed_.notify_all();
  // Which this owns.
  current_ = std::make_shared<sent_ranks>(
      group_, 0, ranks(), [weak = weak_from_this()](rank_part p) {
        if (auto self = weak.lock())
          self->send(std::move(p));
      });
  for (auto r = uint32_t{1}; r < ranks(); ++r)
    if (links_[r])
      caf::anon_send(links_[r], rank_renew{group_});
    else
      current_->lose(r, fail(errc::no_node, "it is not there"));
  return std::make_shared<group_member>(
      kind_, weights_, heads_, current_,
      [self = shared_from_this(), group = group_](uint32_t rank,
                                                  rank_command c) {
        self->tell(group, rank, std::move(c));
      });
}

void outside_ranks::send(rank_part p) {
  auto lock = std::lock_guard{mutex_};
  if (p.to < ranks() && links_[p.to])
    caf::anon_send(links_[p.to], std::move(p));
}

void outside_ranks::tell(uint64_t group, uint32_t rank, rank_command c) {
  auto bytes = c.kv_bytes();
  auto lock = std::unique_lock{mutex_};
  // A node that is still to end has nothing to say any more.
  auto is_over = [&] { return group != group_ || !links_[rank]; };
  changed_.wait(lock, [&] {
    return bytes == 0 || unread_[rank] == 0
           || unread_[rank] + bytes <= max_unread || is_over();
  });
  if (is_over())
    return;
  unread_[rank] += bytes;
  caf::anon_send(links_[rank], std::move(c));
}

} // namespace troupe
