#include "core/observe/spans.hpp"

#include <boost/test/unit_test.hpp>

#include <nlohmann/json.hpp>
#include <set>

#include "core/observe/export.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using nlohmann::json;
using enum stage;

namespace {

constexpr auto t0 = time_point{} + 1s;

request_trace trace(request_id id = 7) {
  return {id, {1, 0xabc}, 0x12, t0};
}

json exported(std::vector<request_trace> all) {
  auto text = to_otlp_json(all, {"troupe", "", 0, 0}, 1'000'000);
  return json::parse(text)["resourceSpans"][0]["scopeSpans"][0]["spans"];
}

} // namespace

BOOST_AUTO_TEST_SUITE(spans_suite)

BOOST_AUTO_TEST_CASE(stages_begin_and_end) {
  auto t = trace();
  t.begin(admit, t0);
  t.end(admit, t0 + 1ms);
  t.end(admit, t0 + 2ms); // not open
  t.begin(prefill, t0 + 2ms);
  t.begin(handoff, t0 + 3ms); // while it computes
  t.end(prefill, t0 + 6ms);
  t.finish(t0 + 7ms);
  BOOST_TEST(t.spans().size() == 3u);
  BOOST_TEST((t.spent(admit) == 1ms));
  BOOST_TEST((t.spent(prefill) == 4ms));
  BOOST_TEST((t.spent(handoff) == 4ms));
  BOOST_TEST((t.end() == t0 + 7ms));
}

BOOST_AUTO_TEST_CASE(a_stage_that_begins_again_has_ended) {
  auto t = trace();
  t.begin(prefill, t0);
  t.begin(prefill, t0 + 5ms);
  t.finish(t0 + 6ms);
  BOOST_TEST(t.spans().size() == 2u);
  BOOST_TEST((t.spent(prefill) == 6ms));
}

BOOST_AUTO_TEST_CASE(a_clock_that_steps_back_makes_no_negative_span) {
  auto t = trace();
  t.begin(decode, t0);
  t.finish(t0 - 1s);
  BOOST_TEST((t.spent(decode) == 0ms));
  BOOST_TEST((t.end() == t0));
}

BOOST_AUTO_TEST_CASE(spans_of_a_request_are_bounded) {
  auto t = trace();
  for (auto i = 0; i < 1000; ++i)
    t.begin(place, t0 + i * 1ms);
  t.finish(t0 + 1s);
  BOOST_TEST(t.spans().size() == request_trace::most_spans);
  BOOST_TEST(t.dropped() == 1000 - request_trace::most_spans);
}

BOOST_AUTO_TEST_CASE(otlp_traces) {
  auto t = trace();
  t.begin(admit, t0);
  t.end(admit, t0 + 1us);
  t.begin(decode, t0 + 1us);
  t.finish(t0 + 1ms);
  auto spans = exported({t});
  BOOST_TEST(spans.size() == 3u);
  BOOST_TEST(spans[0]["traceId"] == "00000000000000010000000000000abc");
  BOOST_TEST(spans[0]["parentSpanId"] == "0000000000000012");
  BOOST_TEST(spans[0]["startTimeUnixNano"] == "1001000000");
  BOOST_TEST(spans[0]["endTimeUnixNano"] == "1002000000");
  BOOST_TEST(spans[0]["attributes"][0]["value"]["stringValue"] == "7");
  BOOST_TEST(spans[1]["name"] == "admit");
  BOOST_TEST(spans[2]["name"] == "decode");
  BOOST_TEST(spans[2]["parentSpanId"] == spans[0]["spanId"]);
}

BOOST_AUTO_TEST_CASE(ids_of_spans_differ) {
  auto all = std::vector<request_trace>{};
  for (auto id = 0u; id < 500; ++id) {
    all.push_back(trace(id));
    for (auto i = 0; i < 5; ++i)
      all.back().begin(place, t0);
    all.back().finish(t0);
  }
  auto ids = std::set<std::string>{};
  for (auto& s : exported(all))
    ids.insert(s["spanId"]);
  BOOST_TEST(ids.size() == 3000u);
  BOOST_TEST(!ids.contains("0000000000000000"));
}

BOOST_AUTO_TEST_CASE(the_log_keeps_the_last) {
  auto log = trace_log{3};
  for (auto id = 0u; id < 5; ++id)
    log.add(trace(id));
  BOOST_TEST(log.dropped() == 2u);
  auto all = log.take();
  BOOST_TEST(all.size() == 3u);
  BOOST_TEST(all[0].request() == 2u);
  BOOST_TEST(log.take().empty());
  auto none = trace_log{0};
  none.add(trace());
  BOOST_TEST(none.take().empty());
  BOOST_TEST(none.dropped() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
