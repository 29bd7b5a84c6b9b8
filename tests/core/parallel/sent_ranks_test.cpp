#include "core/parallel/sent_ranks.hpp"

#include <boost/test/unit_test.hpp>
#include <mutex>
#include <thread>

#include "core/base/random.hpp"
#include "tests/core/engine/random_model.hpp"
#include "tests/core/parallel/rank_threads.hpp"
#include "tests/support/core/floats.hpp"

using namespace troupe;
using namespace troupe::test;
using testing::floats;
using testing::same_bits;

namespace {

/// Carries parts twice, and late: some only after the next ones.
class bad_link {
public:
  explicit bad_link(uint64_t seed) : seed_(seed) {}

  void carry(std::vector<std::unique_ptr<sent_ranks>>& ranks, rank_part p) {
    auto now = std::vector<rank_part>{};
    {
      auto lock = std::lock_guard{mutex_};
      auto dice = random_unit(seed_, n_++);
      now.push_back(p);
      if (dice < 0.3)
        now.push_back(p);
      if (dice > 0.8)
        late_.push_back(p);
      if (dice > 0.5 && !late_.empty()) {
        now.push_back(late_.back());
        late_.pop_back();
      }
    }
    for (auto i = now.rbegin(); i != now.rend(); ++i)
      ranks[i->to]->receive(*i);
  }

private:
  uint64_t seed_;
  uint64_t n_ = 0;
  std::mutex mutex_;
  std::vector<rank_part> late_;
};

/// What rank `r` of `n` gets in a few operations of every kind.
floats some_operations(collective& ranks, size_t size) {
  auto n = ranks.ranks();
  auto r = ranks.rank();
  auto all = floats{};
  auto keep = [&](const floats& x) {
    all.insert(all.end(), x.begin(), x.end());
  };
  for (auto round = 0u; round < 3; ++round) {
    auto mine = random_values(10 * round + r, size, r == 1 ? 1e6f : 1.f);
    if (!ranks.all_reduce(mine))
      return {};
    keep(mine);
    // Rank 1 brings nothing; the last one most.
    auto counts = std::vector<size_t>(n);
    auto sum = size_t{0};
    for (auto i = 0u; i < n; ++i)
      sum += counts[i] = i == 1 ? 0 : size / (n - i);
    auto gathered = floats(sum);
    if (!ranks.all_gather(std::span{mine}.first(counts[r]), counts, gathered))
      return {};
    keep(gathered);
    // To rank 0 alone, then by size of both ranks.
    for (auto to_0 : {true, false}) {
      auto share = [&](uint32_t from, uint32_t to) {
        return to_0 ? (to == 0 && from != 0 ? size : 0) : from + 2 * to;
      };
      auto to = std::vector<size_t>(n);
      auto from = std::vector<size_t>(n);
      auto out = size_t{0};
      auto in = size_t{0};
      for (auto i = 0u; i < n; ++i) {
        out += to[i] = share(r, i);
        in += from[i] = share(i, r);
      }
      auto sent = random_values(100 * round + r, out);
      auto got = floats(in);
      if (!ranks.all_to_all(sent, to, got, from))
        return {};
      keep(got);
    }
  }
  return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(parallel_sent_ranks)

BOOST_AUTO_TEST_CASE(ranks_get_what_they_get_where_memory_is_shared) {
  // More than one piece, too.
  for (auto size : {size_t{1}, size_t{50}, rank_part::max_piece + 3})
    for (auto n : {1u, 2u, 3u, 4u}) {
      auto want = std::vector<floats>(n);
      on_ranks(n, [&](collective& ranks) {
        want[ranks.rank()] = some_operations(ranks, size);
      });
      for (auto seed : {1u, 2u, 3u}) {
        auto link = bad_link{seed};
        auto ranks = std::vector<std::unique_ptr<sent_ranks>>{};
        for (auto r = 0u; r < n; ++r)
          ranks.push_back(std::make_unique<sent_ranks>(
              9, r, n, [&](rank_part p) { link.carry(ranks, std::move(p)); }));
        auto got = std::vector<floats>(n);
        {
          auto threads = std::vector<std::jthread>{};
          for (auto r = 0u; r < n; ++r)
            threads.emplace_back([&, r, mine = ranks[r]->join()] {
              got[r] = some_operations(*mine, size);
            });
        }
        for (auto r = 0u; r < n; ++r) {
          BOOST_TEST(!want[r].empty());
          BOOST_TEST(same_bits(got[r], want[r]));
        }
      }
    }
}

BOOST_AUTO_TEST_CASE(a_rank_that_waits_hears_who_was_lost) {
  auto ranks = sent_ranks{1, 0, 3, [](rank_part) {}};
  auto mine = ranks.join();
  auto why = error{};
  {
    auto waiting = std::jthread{[&] {
      auto x = floats(4);
      if (auto ok = mine->all_reduce(x); !ok)
        why = ok.failure();
    }};
    ranks.lose(2, fail(errc::io_error, "no power"));
  }
  BOOST_TEST(why.message == "rank 2 of 3 was lost: no power");
  auto x = floats(4);
  BOOST_TEST(!mine->all_reduce(x));
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_ends_the_group) {
  auto ranks = sent_ranks{1, 0, 2, [](rank_part) {}};
  auto mine = ranks.join();
  ranks.receive({1, 1, 0, 0, collective_kind::all_reduce, 0, 3, {1, 2, 3}});
  auto x = floats(4);
  auto ok = mine->all_reduce(x);
  BOOST_REQUIRE(!ok);
  BOOST_TEST(ok.failure().message
             == "rank 1 of 2 came with other sizes to operation 0 than rank 0");

  auto others = sent_ranks{1, 0, 2, [](rank_part) {}};
  auto other = others.join();
  others.receive({1, 5, 0, 0, collective_kind::all_reduce, 0, 1, {1}});
  BOOST_TEST(!other->all_reduce(x));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(parallel_part_inbox)

BOOST_AUTO_TEST_CASE(a_part_is_there_when_all_its_pieces_are) {
  constexpr auto piece = rank_part::max_piece;
  auto values = random_values(1, 2 * piece + 5);
  auto of = [&](size_t first) {
    auto n = std::min(piece, values.size() - first);
    auto from = values.begin() + static_cast<ptrdiff_t>(first);
    return rank_part{4,
                     1,
                     0,
                     2,
                     collective_kind::all_gather,
                     first,
                     values.size(),
                     {from, from + static_cast<ptrdiff_t>(n)}};
  };
  auto inbox = part_inbox{4, 0, 2};
  for (auto first : {2 * piece, size_t{0}, 2 * piece, size_t{0}}) {
    BOOST_TEST(!*inbox.add(of(first)));
    BOOST_TEST(inbox.find(2, 1) == nullptr);
  }
  BOOST_TEST(*inbox.add(of(piece)));
  auto* part = inbox.find(2, 1);
  BOOST_REQUIRE(part != nullptr);
  BOOST_TEST(same_bits(part->values, values));
  BOOST_TEST(!*inbox.add(of(piece)));
  // What is over stays over.
  inbox.next(3);
  BOOST_TEST(inbox.size() == 0u);
  BOOST_TEST(!*inbox.add(of(piece)));
  BOOST_TEST(inbox.size() == 0u);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_is_refused) {
  auto good = rank_part{4, 1, 0, 0, collective_kind::all_reduce, 0, 2, {1, 2}};
  auto refused = [&](auto change) {
    auto inbox = part_inbox{4, 0, 2};
    auto p = good;
    change(p);
    return !inbox.add(p) && inbox.size() == 0;
  };
  BOOST_TEST(refused([](auto& p) { p.from = 2; }));
  BOOST_TEST(refused([](auto& p) { p.from = 0; }));
  BOOST_TEST(refused([](auto& p) { p.to = 1; }));
  BOOST_TEST(refused([](auto& p) { p.number = part_inbox::max_ahead + 1; }));
  BOOST_TEST(refused([](auto& p) { p.total = 0; }));
  BOOST_TEST(refused([](auto& p) { p.total = 1; }));
  BOOST_TEST(refused([](auto& p) { p.total = rank_part::max_total + 1; }));
  BOOST_TEST(refused([](auto& p) { p.first = 1; }));
  BOOST_TEST(refused([](auto& p) { p.first = rank_part::max_piece; }));
  BOOST_TEST(refused([](auto& p) { p.values.clear(); }));
  BOOST_TEST(refused([](auto& p) { p.values.push_back(1); }));
  auto inbox = part_inbox{4, 0, 2};
  auto other = good;
  other.group = 5;
  BOOST_TEST(!*inbox.add(other));
  BOOST_TEST(inbox.size() == 0u);
  BOOST_TEST(*inbox.add(good));
  auto changed = good;
  changed.kind = collective_kind::all_gather;
  BOOST_TEST(!inbox.add(changed));
}

BOOST_AUTO_TEST_SUITE_END()
