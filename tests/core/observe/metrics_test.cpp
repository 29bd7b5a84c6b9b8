#include "core/observe/metrics.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "core/observe/export.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using namespace std::string_literals;
using nlohmann::json;

namespace {

struct fixture {
  metric_registry registry;

  metric_family<counter>& requests(label_cap = {}) {
    return **registry.counters("requests_total", "Requests.",
                               {"tenant", "status"});
  }
  std::string text() { return to_prometheus(registry.snapshot()); }
  json otlp() {
    auto from = otlp_origin{"troupe", "a", 5, 18'000'000'000'000'000'000u};
    return json::parse(to_otlp_json(registry.snapshot(), from));
  }
};

} // namespace

BOOST_AUTO_TEST_SUITE(metrics_suite)

BOOST_FIXTURE_TEST_CASE(prometheus_text, fixture) {
  requests().with({"acme", "200"}).add(3);
  requests().with({"acme", "429"}).add();
  (*registry.gauges("queue", "Waiting."))->with().set(2.5);
  BOOST_TEST(text()
             == "# HELP queue Waiting.\n"
                "# TYPE queue gauge\n"
                "queue 2.5\n"
                "# HELP requests_total Requests.\n"
                "# TYPE requests_total counter\n"
                "requests_total{tenant=\"acme\",status=\"200\"} 3\n"
                "requests_total{tenant=\"acme\",status=\"429\"} 1\n");
}

BOOST_FIXTURE_TEST_CASE(prometheus_histogram, fixture) {
  auto* f = *registry.histograms("ttft_seconds", "First token.", {"model"},
                                 1e-9, {0.001, 0.1, 1});
  auto& h = f->with({"m"});
  auto r = h.make_recorder();
  for (auto d : {duration{500us}, duration{50ms}, duration{60ms}, duration{2s}})
    r.record(d);
  BOOST_TEST(text()
             == "# HELP ttft_seconds First token.\n"
                "# TYPE ttft_seconds histogram\n"
                "ttft_seconds_bucket{model=\"m\",le=\"0.001\"} 1\n"
                "ttft_seconds_bucket{model=\"m\",le=\"0.1\"} 3\n"
                "ttft_seconds_bucket{model=\"m\",le=\"1\"} 3\n"
                "ttft_seconds_bucket{model=\"m\",le=\"+Inf\"} 4\n"
                "ttft_seconds_sum{model=\"m\"} 2.1105\n"
                "ttft_seconds_count{model=\"m\"} 4\n");
}

BOOST_FIXTURE_TEST_CASE(nothing_breaks_out_of_its_quotes, fixture) {
  auto* f = *registry.counters("x", "a \\ b\nc \"d\"", {"l"});
  f->with({"\"} 7\n# evil\\"}).add();
  f->with({"caf\xc3\xa9 \xff\xc0\xaf\xed\xa0\x80 \xf0\x9f\x98\x80"}).add();
  f->with({std::string{"\0\x01", 2}}).add();
  auto expected = "# HELP x a \\\\ b\\nc \"d\"\n"
                  "# TYPE x counter\n"
                  "x{l=\"\0\x01\"} 1\n"
                  "x{l=\"\\\"} 7\\n# evil\\\\\"} 1\n"
                  "x{l=\"caf\xc3\xa9 ?????? \xf0\x9f\x98\x80\"} 1\n"s;
  BOOST_TEST(text() == expected);
  auto points = otlp()["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]
                      ["sum"]["dataPoints"];
  BOOST_TEST(points.size() == 3u);
  BOOST_TEST(points[1]["attributes"][0]["value"]["stringValue"]
             == "\"} 7\n# evil\\");
}

BOOST_FIXTURE_TEST_CASE(numbers_that_are_none, fixture) {
  auto& g = (*registry.gauges("g", ""))->with();
  for (auto [x, text, form] :
       {std::tuple{std::nan(""), "g NaN\n", "NaN"},
        std::tuple{HUGE_VAL, "g +Inf\n", "Infinity"},
        std::tuple{-HUGE_VAL, "g -Inf\n", "-Infinity"}}) {
    g.set(x);
    BOOST_TEST(this->text().ends_with(text));
    BOOST_TEST(otlp()["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]
                     ["gauge"]["dataPoints"][0]["asDouble"]
               == form);
  }
}

BOOST_FIXTURE_TEST_CASE(otlp_metrics, fixture) {
  requests().with({"acme", "200"}).add(1ull << 60);
  auto* f =
      *registry.histograms("tokens", "", {}, 1, std::vector<double>{10, 20});
  auto r = f->with().make_recorder();
  for (auto v : {5, 10, 15, 1000})
    r.record(static_cast<uint64_t>(v));
  auto resource = otlp()["resourceMetrics"][0];
  BOOST_TEST(resource["resource"]["attributes"].size() == 2u);
  auto metrics = resource["scopeMetrics"][0]["metrics"];
  BOOST_TEST(metrics.size() == 2u);
  auto sum = metrics[0]["sum"];
  BOOST_TEST(sum["isMonotonic"] == true);
  BOOST_TEST(sum["aggregationTemporality"] == 2);
  auto point = sum["dataPoints"][0];
  BOOST_TEST(point["asInt"] == "1152921504606846976");
  BOOST_TEST(point["timeUnixNano"] == "18000000000000000000");
  BOOST_TEST(point["attributes"][1]["key"] == "status");
  point = metrics[1]["histogram"]["dataPoints"][0];
  BOOST_TEST(point["count"] == "4");
  BOOST_TEST(point["sum"] == 1030.);
  BOOST_TEST((point["explicitBounds"] == json{10., 20.}));
  BOOST_TEST((point["bucketCounts"] == json{"2", "1", "1"}));
}

// -- caps ---------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(values_beyond_the_cap_are_other) {
  auto registry = metric_registry{{3, 1000, 8}};
  auto* f = *registry.counters("x", "", {"tenant", "code"});
  for (auto i = 0; i < 1000; ++i)
    f->with({"t" + std::to_string(i), i % 2 ? "1" : "0"}).add();
  f->with({"t1", "1"}).add(5);
  f->with({"much too long", "1"}).add(7);
  auto s = registry.snapshot()[0];
  auto total = uint64_t{0};
  auto others = uint64_t{0};
  for (auto& series : s.all) {
    total += std::get<uint64_t>(series.value);
    if (series.label_values[0] == "other")
      others += std::get<uint64_t>(series.value);
  }
  BOOST_TEST(s.all.size() == 5u);
  BOOST_TEST(total == 1012u);
  BOOST_TEST(others == 1004u);
}

BOOST_AUTO_TEST_CASE(combinations_beyond_the_cap_are_other) {
  auto registry = metric_registry{{100, 50, 8}};
  auto* f = *registry.counters("x", "", {"a", "b"});
  for (auto i = 0; i < 40; ++i)
    for (auto k = 0; k < 40; ++k)
      f->with({std::to_string(i), std::to_string(k)}).add();
  auto s = registry.snapshot()[0];
  BOOST_TEST(s.all.size() == 51u);
  BOOST_TEST(std::get<uint64_t>(s.all.back().value) == 1550u);
  BOOST_TEST(s.all.back().label_values[0] == "other");
  BOOST_TEST(s.all.back().label_values[1] == "other");
}

BOOST_FIXTURE_TEST_CASE(missing_and_surplus_values, fixture) {
  auto& a = requests().with({"x"});
  auto& b = requests().with({"x", "", "surplus"});
  BOOST_TEST(&a == &b);
}

// -- names --------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(names_are_checked, fixture) {
  for (auto name : {"", "1x", "a b", "a-b", "x\n", "\xff"})
    BOOST_TEST(!registry.counters(name, "").ok());
  for (auto label : {"", "1x", "a:b", "__name__", "le", "quantile", "a\""})
    BOOST_TEST(!registry.counters("fine", "", {label}).ok());
  BOOST_TEST(!registry.counters("fine", "", {"twice", "twice"}).ok());
  BOOST_TEST(!registry.histograms("fine", "", {}, 1, {2, 1}).ok());
  BOOST_TEST(!registry.histograms("fine", "", {}, 1, {1, 1}).ok());
  BOOST_TEST(!registry.histograms("fine", "", {}, 1, {std::nan("")}).ok());
  BOOST_TEST(!registry.histograms("fine", "", {}, 0, {1}).ok());
  BOOST_TEST(!registry.histograms("fine", "", {}, std::nan(""), {1}).ok());
  BOOST_TEST(registry.counters("a:b_1", "", {"_l1"}).ok());
}

BOOST_FIXTURE_TEST_CASE(one_name_is_one_metric, fixture) {
  BOOST_TEST(&requests() == &requests());
  BOOST_TEST(
      !registry.gauges("requests_total", "Requests.", {"tenant", "status"})
           .ok());
  BOOST_TEST(
      !registry.counters("requests_total", "Requests.", {"status"}).ok());
}

BOOST_FIXTURE_TEST_CASE(threads_count_together, fixture) {
  auto threads = std::vector<std::thread>{};
  for (auto k = 0; k < 4; ++k)
    threads.emplace_back([this] {
      for (auto i = 0; i < 2000; ++i)
        requests().with({std::to_string(i % 7), "200"}).add();
    });
  for (auto i = 0; i < 50; ++i)
    text();
  for (auto& t : threads)
    t.join();
  auto total = uint64_t{0};
  auto now = registry.snapshot();
  for (auto& s : now[0].all)
    total += std::get<uint64_t>(s.value);
  BOOST_TEST(total == 8000u);
}

// Bounds that the recorded range does not reach, and those that are 0.
BOOST_AUTO_TEST_CASE(bounds_at_the_ends) {
  auto h = histogram_counts{};
  h.add(0, 2);
  h.add(std::numeric_limits<uint64_t>::max());
  auto about = metric_description{"x", "", {}, 1e-9, {0, 1e9, 1e300}};
  BOOST_TEST(check(about).ok());
  BOOST_TEST((bucket_counts(h, about) == std::vector<uint64_t>{2, 1, 0, 0}));
}

BOOST_AUTO_TEST_SUITE_END()
