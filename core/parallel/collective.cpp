#include "core/parallel/collective.hpp"

#include <cassert>
#include <numeric>

namespace troupe {

namespace {

[[maybe_unused]] size_t sum(std::span<const size_t> counts) {
  return std::accumulate(counts.begin(), counts.end(), size_t{0});
}

} // namespace

result<void> collective::all_reduce(std::span<float> data) {
  return next({collective_kind::all_reduce, 0, data, {}, data, {}},
              2 * data.size() * (ranks_ - 1) / ranks_);
}

result<void> collective::all_gather(std::span<const float> mine,
                                    std::span<const size_t> counts,
                                    std::span<float> all) {
  assert(counts.size() == ranks_ && counts[rank_] == mine.size());
  assert(sum(counts) == all.size());
  return next({collective_kind::all_gather, 0, mine, {}, all, counts},
              all.size() - counts[(rank_ + 1) % ranks_]);
}

result<void> collective::all_to_all(std::span<const float> mine,
                                    std::span<const size_t> to,
                                    std::span<float> got,
                                    std::span<const size_t> from) {
  assert(to.size() == ranks_ && sum(to) == mine.size());
  assert(from.size() == ranks_ && sum(from) == got.size());
  return next({collective_kind::all_to_all, 0, mine, to, got, from},
              mine.size() - to[rank_]);
}

result<void> collective::next(collective_operation op, size_t sent) {
  if (failure_)
    return *failure_;
  op.number = operations_++;
  if (auto ok = run(op); !ok) {
    failure_ = ok.failure();
    return *failure_;
  }
  bytes_sent_ += sent * sizeof(float);
  return {};
}

} // namespace troupe
