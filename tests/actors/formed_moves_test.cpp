// Sequences whose answers have a form, moved, preempted and failed over at any
// moment: their tokens are those of an answer that nothing disturbed.

#include <boost/test/unit_test.hpp>

#include "tests/support/actors/cluster.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

// Names that may not stand twice, counts and nesting: much for an automaton to
// remember.
constexpr auto records =
    R"({"type":"array","minItems":3,"items":{"type":"object","properties":{
        "id":{"type":"integer","minimum":10},
        "tags":{"type":"array","items":{"enum":["red","green"]},"minItems":1}},
        "required":["id","tags"],"additionalProperties":{"type":"string",
        "maxLength":9}}})";

generate_request formed_request(uint32_t n, uint32_t max_tokens) {
  auto r = varied_request(n, max_tokens);
  r.ignore_end = false;
  r.sampling.temperature = 1.5f;
  r.form = n % 2 == 0
               ? answer_form{answer_form::kind::json_schema, records}
               : answer_form{answer_form::kind::regex, "([a-z]{2,5}=[0-9]{3,9};"
                                                       "){4,40}"};
  return r;
}

// With one node, and nobody else.
client_log::answer undisturbed(const generate_request& r) {
  auto c = cluster{{.mixed = 1, .text = true}};
  c.submit(r);
  c.expect_idle();
  return c.answer(r.request);
}

struct world {
  cluster_options options;
  generate_request request;
  client_log::answer alone = undisturbed(request);
  std::vector<uint64_t> counted = {0, 0, 0}; ///< steps, recomputes, swaps
  bool first_dies = false;

  void interrupt(std::function<void(cluster&)> how) {
    BOOST_REQUIRE(alone.tokens.size() > 7u);
    auto ks = at_every_message(options, request, how, [&](cluster& c) {
      c.expect_idle();
      auto& e = c.heard->end(request.request);
      BOOST_REQUIRE_MESSAGE(e.reason == alone.finishes.at(0).reason,
                            to_string(e.code) << ": " << e.message);
      BOOST_TEST(c.answer(request.request).tokens == alone.tokens,
                 boost::test_tools::per_element());
      for (auto* nodes : {&c.decodes, &c.mixed})
        for (auto& node : *nodes) {
          if (first_dies && node == nodes->front())
            continue;
          auto s = c.status(node);
          counted[1] += s.recomputes;
          counted[2] += s.swaps;
        }
      counted[0] += c.status(second(c)).steps;
    });
    BOOST_TEST(ks > 20u);
  }

  decode_actor& second(cluster& c) {
    return options.mixed > 0 ? c.mixed[1] : c.decodes[1];
  }
};

void preempt(cluster& c, request_id request, preempt_way way) {
  for (auto* nodes : {&c.decodes, &c.mixed})
    for (auto& n : *nodes)
      caf::anon_send(n, preempt_sequence{request, way});
}

const auto shapes = {
    cluster_options{.decodes = 2, .text = true},
    cluster_options{.mixed = 2, .cached_blocks = 8, .text = true}};

template <class F>
void in_each_world(F f) {
  auto n = uint32_t{3}; // an expression, then a schema
  for (auto& o : shapes)
    f(world{o, formed_request(n++, 12)});
}

} // namespace

BOOST_AUTO_TEST_SUITE(formed_moves)

BOOST_AUTO_TEST_CASE(a_move_does_not_show) {
  in_each_world([](world w) {
    w.interrupt([&](cluster& c) {
      caf::anon_send(c.reg, migrate_request{w.request.request,
                                            w.options.mixed > 0 ? 202u : 102u});
    });
    BOOST_TEST(w.counted[0] > 10u);
  });
}

BOOST_AUTO_TEST_CASE(recomputing_does_not_show) {
  in_each_world([](world w) {
    w.interrupt([&](cluster& c) {
      preempt(c, w.request.request, preempt_way::recompute);
    });
    BOOST_TEST(w.counted[1] > 10u);
  });
}

BOOST_AUTO_TEST_CASE(swapping_does_not_show) {
  in_each_world([](world w) {
    w.options.store_blocks = 32;
    w.interrupt(
        [&](cluster& c) { preempt(c, w.request.request, preempt_way::swap); });
    BOOST_TEST(w.counted[2] > 10u);
  });
}

BOOST_AUTO_TEST_CASE(the_death_of_a_node_does_not_show) {
  in_each_world([](world w) {
    w.first_dies = true;
    w.interrupt([&](cluster& c) {
      c.sim.kill(w.options.mixed > 0 ? c.mixed[0] : c.decodes[0]);
    });
    BOOST_TEST(w.counted[0] > 10u);
  });
}

BOOST_AUTO_TEST_SUITE_END()
