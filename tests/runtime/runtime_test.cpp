#include "runtime/runtime.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <future>
#include <mutex>
#include <thread>

#include "core/base/random.hpp"
#include "tests/runtime/tiny_request.hpp"
#include "tests/support/core/comes.hpp"
#include "tests/support/core/temp_dir.hpp"

using namespace troupe;
using testing::request_of;

namespace {

struct opened {
  explicit opened(topology nodes = {}, uint32_t blocks = 0, bool cache = true) {
    testing::write_tiny_model(dir.file("tiny.gguf"));
    auto o = runtime_options{};
    o.model = dir.file("tiny.gguf");
    o.threads = 1;
    o.nodes = std::move(nodes);
    o.prefix_cache = cache;
    for (auto* role : {&o.nodes.decode, &o.nodes.mixed})
      for (auto& n : *role)
        n.blocks = blocks;
    auto r = runtime::open(o);
    BOOST_REQUIRE_MESSAGE(r.ok(), (r.ok() ? "" : r.failure().message));
    rt.emplace(std::move(*r));
  }

  testing::temp_dir dir;
  std::optional<runtime> rt;
};

completion run(runtime& rt, const generate_request& r) {
  auto g = rt.submit(r);
  BOOST_REQUIRE_MESSAGE(g.ok(), (g.ok() ? "" : g.failure().message));
  return collect(*g);
}

// Nodes hear of an end a moment after the client does.
bool comes_to_rest(runtime& rt) {
  return testing::comes([&] {
    auto s = rt.status();
    BOOST_REQUIRE(s.ok());
    BOOST_REQUIRE(s->silent.empty());
    auto used = 0u;
    for (auto& n : s->nodes)
      used += n.blocks_in_use + n.sequences + n.waiting;
    return used == 0;
  });
}

} // namespace

BOOST_AUTO_TEST_SUITE(embedding)

BOOST_AUTO_TEST_CASE(an_answer_has_its_tokens_and_one_end) {
  auto o = opened{};
  auto c = run(*o.rt, request_of(1, 20, 30));
  BOOST_TEST(c.tokens.size() == 30u);
  BOOST_TEST((c.end.reason == finish_reason::length));
  BOOST_TEST(c.end.prompt_tokens == 20u);
  BOOST_TEST(c.end.completion_tokens == 30u);
  BOOST_TEST(comes_to_rest(*o.rt));
}

BOOST_AUTO_TEST_CASE(after_the_end_there_is_nothing) {
  auto o = opened{};
  auto g = o.rt->submit(request_of(1, 5, 3));
  BOOST_REQUIRE(g.ok());
  collect(*g);
  BOOST_TEST(!g->next().has_value());
  BOOST_TEST(!g->next().has_value());
  BOOST_TEST(g->time_to_first_token().has_value());
  BOOST_TEST(g->time_per_output_token().has_value());
}

BOOST_AUTO_TEST_CASE(kv_is_kept_unless_it_is_turned_off) {
  auto plan = node_plan{};
  plan.cache = 8;
  for (auto& nodes : {topology{}, topology{{plan}, {{}}, {}}})
    for (auto cache : {true, false}) {
      auto o = opened{nodes, 0, cache};
      auto first = run(*o.rt, request_of(1, 50, 5));
      auto second = run(*o.rt, request_of(1, 50, 5));
      BOOST_TEST(first.end.cached_tokens == 0u);
      BOOST_TEST(second.end.cached_tokens == (cache ? 48u : 0u));
      BOOST_TEST(second.tokens == first.tokens);
      BOOST_TEST(comes_to_rest(*o.rt));
    }
}

BOOST_AUTO_TEST_CASE(what_cannot_run_is_refused_before_it_starts) {
  auto o = opened{};
  auto code_of = [&](const generate_request& r) {
    auto g = o.rt->submit(r);
    return g.ok() ? errc::none : g.failure().code;
  };
  BOOST_TEST((code_of({}) == errc::invalid_argument));
  auto bad_id = request_of(1, 4, 4);
  bad_id.prompt[2] = 300;
  BOOST_TEST((code_of(bad_id) == errc::invalid_argument));
  auto hot = request_of(1, 4, 4);
  hot.sampling.temperature = -1;
  BOOST_TEST((code_of(hot) == errc::invalid_argument));
  BOOST_TEST((code_of(request_of(1, 257, 4)) == errc::context_exceeded));
}

BOOST_AUTO_TEST_CASE(a_model_that_is_none_is_refused) {
  auto o = runtime_options{};
  o.model = "/no/such.gguf";
  auto r = runtime::open(o);
  BOOST_REQUIRE(!r.ok());
  BOOST_TEST(r.failure().message.starts_with("/no/such.gguf: "));
}

BOOST_AUTO_TEST_CASE(many_threads_get_the_answers_that_one_gets) {
  auto expected = std::vector<std::vector<token_id>>{};
  {
    auto alone = opened{};
    for (uint64_t seed = 0; seed < 12; ++seed)
      expected.push_back(run(*alone.rt, request_of(seed, 9 + seed, 40)).tokens);
  }
  // Too few blocks for all: some wait.
  auto nodes =
      topology{std::vector<node_plan>(2), std::vector<node_plan>(3), {}};
  auto o = opened{nodes, 12};
  auto answers = std::vector<std::vector<token_id>>(expected.size());
  auto threads = std::vector<std::thread>{};
  for (uint64_t seed = 0; seed < expected.size(); ++seed)
    threads.emplace_back([&, seed] {
      auto g = o.rt->submit(request_of(seed, 9 + seed, 40));
      if (g.ok())
        answers[seed] = collect(*g).tokens;
    });
  for (auto& t : threads)
    t.join();
  BOOST_TEST((answers == expected));
  BOOST_TEST(comes_to_rest(*o.rt));
}

BOOST_AUTO_TEST_CASE(short_memory_shows_in_nothing_but_time) {
  auto expected = std::vector<std::vector<token_id>>{};
  {
    auto alone = opened{};
    for (uint64_t seed = 0; seed < 24; ++seed)
      expected.push_back(run(*alone.rt, request_of(seed, 9 + seed, 60)).tokens);
  }
  // A quarter of what all of them need at a time, and less.
  auto o = opened{{{}, {}, std::vector<node_plan>(1)}, 24};
  auto under_way = std::vector<generation>{};
  for (uint64_t seed = 0; seed < expected.size(); ++seed) {
    auto g = o.rt->submit(request_of(seed, 9 + seed, 60));
    BOOST_REQUIRE(g.ok());
    under_way.push_back(std::move(*g));
  }
  for (size_t i = 0; i < expected.size(); ++i)
    BOOST_TEST((collect(under_way[i]).tokens == expected[i]));
  BOOST_TEST(comes_to_rest(*o.rt));
  auto s = o.rt->status();
  BOOST_REQUIRE(s.ok());
  BOOST_TEST(s->nodes[0].swaps + s->nodes[0].recomputes > 0u);
}

BOOST_AUTO_TEST_CASE(a_request_moves_while_it_generates) {
  auto expected = std::vector<token_id>{};
  {
    auto alone = opened{};
    expected = run(*alone.rt, request_of(1, 20, 200)).tokens;
  }
  auto o = opened{{{}, {}, std::vector<node_plan>(2)}};
  auto moved = 0;
  for (auto i = 0; i < 50 && moved < 3; ++i) {
    auto g = o.rt->submit(request_of(1, 20, 200));
    BOOST_REQUIRE(g.ok());
    BOOST_REQUIRE(g->next().has_value());
    auto m = o.rt->migrate(g->id(), 2);
    if (!m)
      m = o.rt->migrate(g->id(), 1);
    // It may have ended before.
    if (m)
      ++moved;
    auto c = collect(*g);
    BOOST_TEST(c.tokens.size() >= 190u);
    BOOST_TEST(
        std::equal(c.tokens.rbegin(), c.tokens.rend(), expected.rbegin()));
  }
  BOOST_TEST(moved == 3);
  BOOST_TEST(comes_to_rest(*o.rt));
  BOOST_TEST((o.rt->migrate(4711, 1).failure().code == errc::unknown_sequence));
}

BOOST_AUTO_TEST_CASE(a_drained_node_is_empty_and_its_requests_go_on) {
  auto o = opened{{{}, {}, std::vector<node_plan>(3)}};
  auto under_way = std::vector<generation>{};
  for (uint64_t seed = 0; seed < 9; ++seed)
    under_way.push_back(std::move(*o.rt->submit(request_of(seed, 10, 100))));
  auto d = o.rt->drain(1);
  BOOST_REQUIRE_MESSAGE(d.ok(), (d.ok() ? "" : d.failure().message));
  BOOST_TEST(d->node == 1u);
  for (auto& g : under_way) {
    auto c = collect(g);
    BOOST_TEST((c.end.reason == finish_reason::length), c.end.message);
    BOOST_TEST(c.tokens.size() == 100u);
  }
  auto s = o.rt->status();
  BOOST_REQUIRE(s.ok());
  BOOST_TEST(s->nodes.size() == 3u);
  BOOST_TEST((o.rt->drain(4).failure().code == errc::no_node));
  BOOST_TEST(comes_to_rest(*o.rt));
}

BOOST_AUTO_TEST_CASE(a_cancelled_answer_ends_once_and_frees_everything) {
  auto o = opened{};
  auto g = o.rt->submit(request_of(1, 10, 240));
  BOOST_REQUIRE(g.ok());
  BOOST_REQUIRE(g->next().has_value());
  g->cancel();
  g->cancel();
  auto c = collect(*g);
  BOOST_TEST((c.end.reason == finish_reason::cancelled
              || c.end.reason == finish_reason::length));
  BOOST_TEST(comes_to_rest(*o.rt));
}

BOOST_AUTO_TEST_CASE(a_dropped_generation_frees_everything) {
  auto o = opened{};
  for (auto i = 0u; i < 8; ++i)
    BOOST_TEST(o.rt->submit(request_of(i, 30, 200)).ok());
  BOOST_TEST(comes_to_rest(*o.rt));
}

BOOST_AUTO_TEST_CASE(a_generation_may_outlive_its_runtime) {
  auto o = opened{};
  auto g = o.rt->submit(request_of(1, 10, 240));
  BOOST_REQUIRE(g.ok());
  o.rt.reset();
  auto c = collect(*g);
  BOOST_TEST((c.end.reason != finish_reason::none));
  g->cancel();
}

BOOST_AUTO_TEST_CASE(more_than_a_node_can_ever_hold_is_an_error) {
  auto o = opened{{{}, {}, std::vector<node_plan>(1)}, 2};
  auto c = run(*o.rt, request_of(1, 40, 10));
  BOOST_TEST((c.end.reason == finish_reason::error));
  BOOST_TEST((c.end.code == errc::no_free_blocks));
  BOOST_TEST(comes_to_rest(*o.rt));
}

BOOST_AUTO_TEST_CASE(texts_become_vectors) {
  auto split = topology{};
  split.prefill.resize(1);
  split.decode.resize(1);
  auto first = embeddings{};
  for (auto& nodes : {topology{}, split}) {
    auto o = opened{nodes};
    auto r = embed_request{};
    for (uint32_t i = 0; i < 30; ++i)
      r.inputs.push_back(request_of(i, 1 + 7 * i, 1).prompt);
    auto all = o.rt->embed(r);
    BOOST_TEST((all.end.reason == finish_reason::stop), all.end.message);
    BOOST_TEST(all.end.prompt_tokens == r.tokens());
    BOOST_REQUIRE_EQUAL(all.vectors.size(), 30u);
    for (auto& v : all.vectors) {
      BOOST_TEST(v.size() == o.rt->weights().params.hidden);
      auto squares = 0.0;
      for (auto x : v)
        squares += double{x} * double{x};
      BOOST_TEST(std::abs(squares - 1) < 1e-6);
    }
    BOOST_TEST((all.vectors[0] != all.vectors[1]));
    // Alone, and beside answers.
    auto g = o.rt->submit(request_of(1, 20, 200));
    for (auto i : {0u, 13u, 29u}) {
      auto one = embed_request{};
      one.inputs = {r.inputs[i]};
      BOOST_TEST((o.rt->embed(one).vectors[0] == all.vectors[i]));
    }
    collect(*g);
    // Wherever they are computed.
    if (first.vectors.empty())
      first = all;
    BOOST_TEST((first.vectors == all.vectors));
    BOOST_TEST(comes_to_rest(*o.rt));
  }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_embedded_is_said_in_the_end) {
  auto o = opened{};
  auto r = embed_request{};
  BOOST_TEST((o.rt->embed(r).end.code == errc::invalid_argument));
  r.inputs = {{5}, std::vector<token_id>(257, 5)};
  BOOST_TEST((o.rt->embed(r).end.code == errc::context_exceeded));
  r.inputs = {{5}};
  r.dimensions = 65;
  BOOST_TEST((o.rt->embed(r).end.code == errc::invalid_argument));
  r.dimensions = 64;
  BOOST_TEST((o.rt->embed(r).end.reason == finish_reason::stop));
  BOOST_TEST(comes_to_rest(*o.rt));
}

BOOST_AUTO_TEST_CASE(who_drops_a_subscription_cancels_its_embedding) {
  auto o = opened{};
  auto r = embed_request{};
  for (uint32_t i = 0; i < 1000; ++i)
    r.inputs.push_back(request_of(i, 250, 1).prompt);
  auto begun = std::promise<void>{};
  auto once = std::once_flag{};
  {
    auto s = o.rt->embed(r, [&](embed_event) {
      std::call_once(once, [&] { begun.set_value(); });
    });
    begun.get_future().wait();
  }
  BOOST_TEST(comes_to_rest(*o.rt));
  BOOST_TEST(o.rt->status()->nodes[0].steps < 1000u);
}

BOOST_AUTO_TEST_SUITE_END()
