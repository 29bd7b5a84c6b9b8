#include "core/parallel/partition.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;

namespace {

hparams heads(uint32_t n, uint32_t kv, uint32_t dim) {
  auto p = hparams{};
  p.heads = n;
  p.kv_heads = kv;
  p.head_dim = dim;
  return p;
}

} // namespace

BOOST_AUTO_TEST_SUITE(parallel_partition)

BOOST_AUTO_TEST_CASE(parts_cover_everything_once_and_end_on_units) {
  for (auto unit : {1u, 3u, 32u})
    for (auto units : {0u, 1u, 5u, 8u, 61u})
      for (auto ranks : {1u, 2u, 3u, 8u}) {
        auto next = 0u;
        for (auto r = 0u; r < ranks; ++r) {
          auto p = part_of(units * unit, ranks, r, unit);
          BOOST_TEST(p.first == next);
          BOOST_TEST(p.count % unit == 0u);
          BOOST_TEST(p.count / unit - units / ranks <= 1u);
          next = p.end();
        }
        BOOST_TEST(next == units * unit);
      }
}

BOOST_AUTO_TEST_CASE(heads_are_split_by_groups_and_on_blocks) {
  auto splits = 0;
  for (auto kv : {1u, 2u, 3u, 4u, 8u})
    for (auto group : {1u, 2u, 3u, 4u, 7u})
      for (auto dim : {8u, 16u, 48u, 64u, 128u})
        for (auto block : {1u, 32u, 256u})
          for (auto ranks : {1u, 2u, 3u, 4u, 6u}) {
            auto p = heads(kv * group, kv, dim);
            if (p.heads * dim % block != 0 || !heads_of(p, ranks, 0, block))
              continue;
            ++splits;
            auto next = 0u;
            for (auto r = 0u; r < ranks; ++r) {
              auto h = *heads_of(p, ranks, r, block);
              BOOST_TEST(h.query.first == next);
              BOOST_TEST(h.query.count > 0u);
              BOOST_TEST(h.query.first * dim % block == 0u);
              BOOST_TEST(h.query.end() * dim % block == 0u);
              BOOST_TEST(h.query.count % h.kv.count == 0u);
              BOOST_TEST(h.kv.first == h.query.first / group);
              BOOST_TEST(h.kv.end() == (h.query.end() + group - 1) / group);
              next = h.query.end();
            }
            BOOST_TEST(next == p.heads);
          }
  BOOST_TEST(splits > 500);
}

BOOST_AUTO_TEST_CASE(a_kv_head_goes_to_several_ranks_where_there_are_too_few) {
  auto p = heads(7, 1, 16);
  BOOST_TEST((*heads_of(p, 2, 0) == head_part{{0, 4}, {0, 1}}));
  BOOST_TEST((*heads_of(p, 2, 1) == head_part{{4, 3}, {0, 1}}));
  p = heads(8, 2, 16);
  BOOST_TEST((*heads_of(p, 3, 0) == head_part{{0, 2}, {0, 1}}));
  BOOST_TEST((*heads_of(p, 3, 1) == head_part{{2, 2}, {0, 1}}));
  BOOST_TEST((*heads_of(p, 3, 2) == head_part{{4, 4}, {1, 1}}));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_split_is_refused_with_a_sentence) {
  auto r = heads_of(heads(4, 2, 16), 4, 3, 32);
  BOOST_REQUIRE(!r.ok());
  BOOST_TEST(r.failure().message
             == "4 heads of 16 values, 2 to each KV head, cannot be split over "
                "4 ranks on blocks of 32 values");
  BOOST_TEST(heads_of(heads(4, 2, 16), 4, 3).ok());
  BOOST_TEST(!heads_of(heads(4, 2, 16), 5, 0).ok());
  BOOST_TEST(!heads_of(heads(4, 4, 64), 2, 0, 256).ok());
}

BOOST_AUTO_TEST_SUITE_END()
