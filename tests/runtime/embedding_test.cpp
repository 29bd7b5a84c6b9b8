#include "runtime/embedding.hpp"

#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>
#include <time.h>
#include <utility>

#include "core/base/random.hpp"
#include "tests/runtime/tiny_request.hpp"
#include "tests/runtime/tiny_runtime.hpp"
#include "tests/support/core/comes.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/process.hpp"

using namespace troupe;
using testing::request_of;

namespace {

std::vector<token_id> tokens_of(runtime& rt, const generate_request& r) {
  auto c = generate(rt, r);
  BOOST_REQUIRE_MESSAGE(c.ok(), (c.ok() ? "" : c.failure().message));
  return c->tokens;
}

bool comes_to_rest(runtime& rt) {
  return testing::comes([&] {
    auto s = rt.status();
    BOOST_REQUIRE(s.ok());
    auto used = 0u;
    for (auto& n : s->nodes)
      used += n.blocks_in_use + n.sequences + n.waiting;
    return used == 0;
  });
}

size_t entries(const char* folder) {
  auto all = std::filesystem::directory_iterator{folder};
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(embedding_calls, testing::tiny_runtime)

// -- calls --------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(waiting_gives_what_streaming_gives) {
  auto rt = open();
  auto r = request_of(1, 20, 30);
  auto g = rt.submit(r);
  BOOST_REQUIRE(g.ok());
  auto streamed = collect(*g);
  auto waited = generate(rt, r);
  BOOST_REQUIRE(waited.ok());
  BOOST_TEST(waited->tokens == streamed.tokens);
  BOOST_TEST(waited->text == streamed.text);
  BOOST_TEST((waited->end.reason == finish_reason::length));
}

BOOST_AUTO_TEST_CASE(each_token_is_told_in_the_calling_thread) {
  auto rt = open();
  auto told = std::vector<token_id>{};
  auto elsewhere = 0;
  auto here = std::this_thread::get_id();
  auto c = generate(rt, request_of(1, 20, 30), [&](const token_event& e) {
    told.insert(told.end(), e.tokens.begin(), e.tokens.end());
    elsewhere += std::this_thread::get_id() != here;
    return true;
  });
  BOOST_REQUIRE(c.ok());
  BOOST_TEST(told == c->tokens);
  BOOST_TEST(told.size() == 30u);
  BOOST_TEST(elsewhere == 0);
}

// -- whose thread computes ----------------------------------------------------

BOOST_AUTO_TEST_CASE(who_waits_alone_does_the_work) {
  auto rt = open();
  auto now = [](clockid_t clock) {
    auto t = timespec{};
    ::clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
  };
  auto share_of = [&](auto ask) {
    auto all = now(CLOCK_PROCESS_CPUTIME_ID);
    auto own = now(CLOCK_THREAD_CPUTIME_ID);
    ask();
    own = now(CLOCK_THREAD_CPUTIME_ID) - own;
    return own / (now(CLOCK_PROCESS_CPUTIME_ID) - all);
  };
  auto r = request_of(1, 20, 230);
  // On a busy machine its thread may be kept from it for so long that the node
  // goes on elsewhere, but not each time.
  BOOST_TEST(testing::comes(
      [&] { return share_of([&] { tokens_of(rt, r); }) > 0.6; }));
  BOOST_TEST(testing::comes([&] {
    return share_of([&] {
             auto g = rt.submit(r);
             BOOST_REQUIRE(g.ok());
             collect(*g);
           })
           < 0.4;
  }));
}

BOOST_AUTO_TEST_CASE(a_caller_that_tarries_holds_nobody_up) {
  auto rt = open();
  auto steps = [&] {
    auto s = rt.status();
    BOOST_REQUIRE(s.ok());
    return s->nodes.at(0).steps;
  };
  auto before = steps();
  auto first = true;
  auto c = generate(rt, request_of(1, 20, 60), [&](const token_event&) {
    if (std::exchange(first, false))
      BOOST_TEST(testing::comes([&] { return steps() >= before + 60; }));
    return true;
  });
  BOOST_REQUIRE(c.ok());
  BOOST_TEST(c->tokens == tokens_of(rt, request_of(1, 20, 60)));
}

BOOST_AUTO_TEST_CASE(a_request_within_a_request_gets_its_answer) {
  auto rt = open();
  auto expected = tokens_of(rt, request_of(2, 10, 40));
  auto alone = tokens_of(rt, request_of(1, 20, 30));
  auto inner = 0;
  auto c = generate(rt, request_of(1, 20, 30), [&](const token_event& e) {
    if (e.index % 10 == 0)
      inner += tokens_of(rt, request_of(2, 10, 40)) == expected;
    return true;
  });
  BOOST_REQUIRE(c.ok());
  BOOST_TEST(inner == 3);
  BOOST_TEST(c->tokens == alone);
}

BOOST_AUTO_TEST_CASE(others_come_and_go_and_tokens_stay_the_same) {
  auto rt = open();
  auto expected = std::array<std::vector<token_id>, 4>{};
  auto question = [](uint64_t i) {
    return request_of(i, 10 + 7 * static_cast<uint32_t>(i), 40);
  };
  for (uint64_t i = 0; i < expected.size(); ++i)
    expected[i] = tokens_of(rt, question(i));
  auto wrong = std::atomic<int>{0};
  {
    auto threads = std::vector<std::jthread>{};
    for (uint64_t i = 0; i < expected.size(); ++i)
      threads.emplace_back([&, i] {
        for (auto n = 0; n < 30; ++n) {
          auto stop = random_bits(i, n) % 80;
          auto c = generate(rt, question(i), [&](const token_event& e) {
            return e.index < stop;
          });
          auto& all = expected[i];
          if (!c || c->tokens.size() > all.size()
              || !std::equal(c->tokens.begin(), c->tokens.end(), all.begin())
              || (stop >= all.size() && c->tokens.size() != all.size()))
            ++wrong;
        }
      });
  }
  BOOST_TEST(wrong == 0);
  BOOST_TEST(comes_to_rest(rt));
}

BOOST_AUTO_TEST_CASE(a_runtime_may_end_while_its_caller_does_the_work) {
  for (auto i = 0; i < 20; ++i) {
    auto rt = std::make_optional(open());
    auto begun = std::atomic<bool>{false};
    auto end = finish_event{};
    auto g = rt->submit(request_of(1, 20, 230), in_between::little);
    BOOST_REQUIRE(g.ok());
    auto caller = std::jthread{[&] {
      while (auto e = g->next()) {
        begun = true;
        if (auto* f = std::get_if<finish_event>(&*e))
          end = *f;
      }
    }};
    BOOST_REQUIRE(testing::comes([&] { return begun.load(); }));
    rt.reset();
    caller.join();
    BOOST_TEST((end.reason == finish_reason::error
                || end.reason == finish_reason::length));
  }
}

// -- calls --------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(who_has_enough_hears_no_more) {
  auto rt = open();
  auto calls = 0;
  auto c = generate(rt, request_of(1, 10, 240), [&](const token_event&) {
    ++calls;
    return false;
  });
  BOOST_REQUIRE(c.ok());
  BOOST_TEST(calls == 1);
  BOOST_TEST((c->end.reason == finish_reason::cancelled
              || c->end.reason == finish_reason::length));
  BOOST_TEST(comes_to_rest(rt));
}

BOOST_AUTO_TEST_CASE(what_the_host_throws_passes_and_frees_everything) {
  auto rt = open();
  auto wrong = [](const token_event&) -> bool {
    throw std::runtime_error{"the host's own"};
  };
  BOOST_CHECK_THROW(
      static_cast<void>(generate(rt, request_of(1, 10, 240), wrong)),
      std::runtime_error);
  BOOST_TEST(comes_to_rest(rt));
}

BOOST_AUTO_TEST_CASE(what_cannot_run_is_an_error) {
  auto rt = open();
  auto empty = generate(rt, {});
  BOOST_REQUIRE(!empty.ok());
  BOOST_TEST((empty.failure().code == errc::invalid_argument));
  // Refused by its session, after it began.
  auto r = request_of(1, 10, 20);
  r.ignore_end = false;
  r.form = {answer_form::kind::regex, "("};
  auto formless = generate(rt, r);
  BOOST_REQUIRE(!formless.ok());
  BOOST_TEST((formless.failure().code == errc::invalid_argument));
}

BOOST_AUTO_TEST_CASE(a_text_is_a_request) {
  auto rt = open();
  auto r = text_request(rt, "hello");
  BOOST_TEST(r.prompt == rt.text().encode("hello", {.add_special = true}));
  auto chat = chat_request(rt, std::string{"hello"});
  BOOST_REQUIRE(chat.ok());
  BOOST_TEST(!chat->prompt.empty());
  auto nobody = chat_request(rt, std::span<const chat_message>{});
  BOOST_TEST(!nobody.ok());
}

#ifdef __cpp_impl_coroutine

BOOST_AUTO_TEST_CASE(events_can_be_looped_over) {
  auto rt = open();
  auto expected = tokens_of(rt, request_of(1, 20, 30));
  auto tokens = std::vector<token_id>{};
  auto ends = 0;
  for (auto& e : events(rt, request_of(1, 20, 30)))
    if (auto* t = std::get_if<token_event>(&e))
      tokens.insert(tokens.end(), t->tokens.begin(), t->tokens.end());
    else
      ++ends;
  BOOST_TEST(tokens == expected);
  BOOST_TEST(ends == 1);
}

BOOST_AUTO_TEST_CASE(leaving_the_loop_frees_everything) {
  auto rt = open();
  for (auto& e : events(rt, request_of(1, 10, 240))) {
    BOOST_TEST(std::holds_alternative<token_event>(e));
    break;
  }
  BOOST_TEST(comes_to_rest(rt));
}

BOOST_AUTO_TEST_CASE(a_refusal_is_an_event) {
  auto rt = open();
  auto all = std::vector<generation::event>{};
  for (auto& e : events(rt, {}))
    all.push_back(std::move(e));
  BOOST_REQUIRE(all.size() == 1u);
  auto& end = std::get<finish_event>(all[0]);
  BOOST_TEST((end.reason == finish_reason::error));
  BOOST_TEST((end.code == errc::invalid_argument));
}

#endif

// -- configuration ------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_file_configures_it) {
  auto file = dir.file("troupe.json");
  testing::write_file(file, R"({"model": ")" + model()
                                + R"(", "threads": 1, "nodes": {"mixed": 2}})");
  auto rt = open_config(file);
  BOOST_REQUIRE_MESSAGE(rt.ok(), (rt.ok() ? "" : rt.failure().message));
  auto s = rt->status();
  BOOST_REQUIRE(s.ok());
  BOOST_TEST(s->nodes.size() == 2u);
  BOOST_TEST(tokens_of(*rt, request_of(1, 5, 5)).size() == 5u);
}

BOOST_AUTO_TEST_CASE(a_wrong_file_says_what_is_wrong) {
  auto missing = open_config(dir.file("none.json"));
  BOOST_REQUIRE(!missing.ok());
  BOOST_TEST((missing.failure().code == errc::io_error));
  auto misspelt = open_json(R"({"modell": "x"})");
  BOOST_REQUIRE(!misspelt.ok());
  BOOST_TEST((misspelt.failure().code == errc::bad_file));
  BOOST_TEST(misspelt.failure().message.find("\"model\"") != std::string::npos);
  BOOST_TEST(!open_json("{").ok());
}

// -- several of them ----------------------------------------------------------

BOOST_AUTO_TEST_CASE(two_runtimes_do_not_disturb_each_other) {
  auto other = dir.file("other.gguf");
  auto shape = testing::tiny_model_options{};
  shape.seed = 77;
  testing::write_tiny_model(other, shape);
  auto o = options();
  o.model = other;
  auto expected = std::array<std::vector<std::vector<token_id>>, 2>{};
  for (auto k : {0, 1}) {
    auto alone = open(k == 0 ? options() : o);
    for (uint64_t seed = 0; seed < 8; ++seed)
      expected[k].push_back(tokens_of(alone, request_of(seed, 9 + seed, 40)));
  }
  BOOST_TEST((expected[0] != expected[1]));
  auto first = open();
  auto second = open(o);
  auto answers = expected;
  for (auto& a : answers)
    a.assign(8, {});
  {
    auto threads = std::vector<std::jthread>{};
    for (auto k : {0, 1})
      for (uint64_t seed = 0; seed < 8; ++seed)
        threads.emplace_back([&, k, seed] {
          auto c =
              generate(k == 0 ? first : second, request_of(seed, 9 + seed, 40));
          if (c)
            answers[k][seed] = c->tokens;
        });
  }
  BOOST_TEST((answers == expected));
  BOOST_TEST(comes_to_rest(first));
  BOOST_TEST(comes_to_rest(second));
}

BOOST_AUTO_TEST_CASE(one_may_end_while_the_other_goes_on) {
  auto first = open();
  auto expected = tokens_of(first, request_of(3, 10, 200));
  auto g = first.submit(request_of(3, 10, 200));
  BOOST_REQUIRE(g.ok());
  {
    auto second = open();
    tokens_of(second, request_of(4, 10, 5));
  }
  BOOST_TEST(collect(*g).tokens == expected);
}

BOOST_AUTO_TEST_CASE(weights_of_two_are_in_memory_once) {
  auto mapped = [&] {
    auto in = std::ifstream{"/proc/self/maps"};
    auto n = 0;
    for (auto line = std::string{}; std::getline(in, line);)
      n += line.ends_with(model());
    return n;
  };
  auto first = open();
  BOOST_TEST(mapped() == 1);
  {
    auto second = open();
    BOOST_TEST(mapped() == 1);
    BOOST_TEST((tokens_of(second, request_of(3, 10, 20))
                == tokens_of(first, request_of(3, 10, 20))));
  }
  BOOST_TEST(!tokens_of(first, request_of(4, 10, 20)).empty());
}

BOOST_AUTO_TEST_CASE(open_and_close_leaves_nothing_behind) {
  auto once = [&] {
    auto rt = open();
    tokens_of(rt, request_of(1, 5, 3));
  };
  once();
  auto files = entries("/proc/self/fd");
  auto threads = entries("/proc/self/task");
  for (auto i = 0; i < 25; ++i)
    once();
  BOOST_TEST(entries("/proc/self/fd") == files);
  // Those of nodes end by themselves, soon after nobody waits for them.
  BOOST_TEST(
      testing::comes([&] { return entries("/proc/self/task") <= threads; }));
}

// -- the end ------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_is_under_way_may_finish) {
  auto o = options();
  o.drain_within = std::chrono::seconds{60};
  auto under_way = std::vector<generation>{};
  {
    auto rt = open(o);
    for (uint64_t seed = 0; seed < 4; ++seed)
      under_way.push_back(std::move(*rt.submit(request_of(seed, 10, 200))));
  }
  for (auto& g : under_way) {
    auto c = collect(g);
    BOOST_TEST(c.tokens.size() == 200u);
    BOOST_TEST((c.end.reason == finish_reason::length), c.end.message);
  }
}

BOOST_AUTO_TEST_CASE(but_not_for_longer_than_that) {
  for (auto within : {duration{}, duration{1}}) {
    auto o = options();
    o.drain_within = within;
    auto under_way = std::vector<generation>{};
    {
      auto rt = open(o);
      for (uint64_t seed = 0; seed < 8; ++seed)
        under_way.push_back(std::move(*rt.submit(request_of(seed, 10, 240))));
    }
    auto cut = 0;
    for (auto& g : under_way)
      cut += collect(g).end.code == errc::abandoned;
    BOOST_TEST(cut > 0);
  }
}

BOOST_AUTO_TEST_CASE(nothing_new_begins_meanwhile) {
  auto o = options();
  o.drain_within = std::chrono::seconds{60};
  auto refused = std::atomic<int>{0};
  auto ended = std::atomic<int>{0};
  auto kept = std::optional<subscription>{}; // longer than the runtime
  {
    auto rt = open(o);
    // Asks again with every token that it gets.
    auto asks = [&](const generation::event& e) {
      if (std::holds_alternative<finish_event>(e))
        return void(++ended);
      auto again = rt.submit(request_of(9, 5, 1), [&](generation::event x) {
        auto* end = std::get_if<finish_event>(&x);
        refused += end && end->code == errc::abandoned;
      });
    };
    kept = rt.submit(request_of(1, 10, 200), asks);
  }
  BOOST_TEST(ended == 1);
  BOOST_TEST(refused > 0);
}

BOOST_AUTO_TEST_SUITE_END()
