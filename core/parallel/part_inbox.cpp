#include "core/parallel/part_inbox.hpp"

#include <algorithm>
#include <string>

namespace troupe {

namespace {

error misfit(const rank_part& p, const char* why) {
  return fail(errc::invalid_argument,
              "rank " + std::to_string(p.from) + " sent a part of operation "
                  + std::to_string(p.number) + " " + why);
}

} // namespace

result<bool> part_inbox::add(rank_part p) {
  constexpr auto size = rank_part::max_piece;
  if (p.group != group_)
    return false;
  if (p.from >= ranks_ || p.from == rank_ || p.to != rank_)
    return misfit(p, "which is not for this rank");
  if (p.number < next_)
    return false;
  if (p.number > next_ + max_ahead)
    return misfit(p, "that is too far ahead");
  if (p.total == 0 || p.total > rank_part::max_total || p.first % size != 0
      || p.first >= p.total
      || p.values.size() != std::min<uint64_t>(size, p.total - p.first))
    return misfit(p, "with sizes that cannot be");
  auto [at, is_new] = parts_.try_emplace({p.number, p.from});
  auto& x = at->second;
  auto index = static_cast<size_t>(p.first / size);
  if (is_new) {
    x.missing = static_cast<size_t>((p.total + size - 1) / size);
    x.pieces.resize(x.missing);
    x.part.from = p.from;
    x.part.to = p.to;
    x.part.number = p.number;
    x.part.kind = p.kind;
    x.part.total = p.total;
  } else if (x.part.kind != p.kind || x.part.total != p.total) {
    return misfit(p, "twice, differently");
  }
  if (x.pieces[index])
    return false;
  x.pieces[index] = true;
  if (x.pieces.size() == 1) {
    x.part.values = std::move(p.values);
  } else {
    x.part.values.resize(static_cast<size_t>(p.total));
    std::copy(p.values.begin(), p.values.end(),
              x.part.values.begin() + static_cast<ptrdiff_t>(p.first));
  }
  return --x.missing == 0;
}

const rank_part* part_inbox::find(uint64_t number, uint32_t from) const {
  auto i = parts_.find({number, from});
  return i != parts_.end() && i->second.missing == 0 ? &i->second.part
                                                     : nullptr;
}

void part_inbox::next(uint64_t number) {
  next_ = std::max(next_, number);
  parts_.erase(parts_.begin(), parts_.lower_bound({next_, 0}));
}

} // namespace troupe
