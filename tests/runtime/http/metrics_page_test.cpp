#include <boost/test/unit_test.hpp>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/runtime/http/http_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

// What a metric is, and which labels it has.
struct metric {
  std::string type;
  std::set<std::string> labels;
};

using metrics_by_name = std::map<std::string, metric>;

metrics_by_name in_text(const std::string& text) {
  auto all = metrics_by_name{};
  auto in = std::istringstream{text};
  auto label = std::regex{R"re(([a-z_]+)="[^"]*")re"};
  for (std::string line, last; std::getline(in, line);) {
    auto words = std::istringstream{line};
    auto mark = std::string{}, what = std::string{}, name = std::string{};
    words >> mark >> what >> name;
    if (what == "TYPE") {
      last = name;
      words >> all[last].type;
    } else if (mark != "#" && line.starts_with(last)) {
      auto end = line.find('}');
      auto head =
          end == std::string::npos ? std::string{} : line.substr(0, end);
      for (auto i = std::sregex_iterator{head.begin(), head.end(), label};
           i != std::sregex_iterator{}; ++i)
        if ((*i)[1] != "le")
          all[last].labels.insert((*i)[1]);
    }
  }
  return all;
}

// The rows of docs/operations.md.
metrics_by_name in_page() {
  auto all = metrics_by_name{};
  auto in = std::ifstream{TROUPE_SOURCE_DIR "/docs/operations.md"};
  auto row = std::regex{R"(\| `(troupe_\w+)` \| (\w+) \| ([^|]*)\| .+ \|)"};
  auto word = std::regex{"`(\\w+)`"};
  auto m = std::smatch{};
  for (std::string line; std::getline(in, line);) {
    if (!std::regex_match(line, m, row))
      continue;
    auto& to = all[m[1]];
    to.type = m[2];
    auto labels = m[3].str();
    for (auto i = std::sregex_iterator{labels.begin(), labels.end(), word};
         i != std::sregex_iterator{}; ++i)
      to.labels.insert((*i)[1]);
  }
  return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_metrics_page)

BOOST_AUTO_TEST_CASE(it_has_all_metrics_and_no_others) {
  auto cache = response_cache_options{};
  cache.enabled = true;
  auto f = http_fixture{{}, 256, {}, cache};
  f.post(completions, {{"prompt", "a"}, {"max_tokens", 3}});
  // The end of a request is told to the profiler after its client.
  auto there = metrics_by_name{};
  for (auto i = 0; i < 10'000 && there["troupe_stage_seconds"].labels.empty();
       ++i)
    there = in_text(http_client{f.port()}.get("/metrics").body);
  auto page = in_page();
  BOOST_TEST(page.size() > 30u);
  for (auto& [name, m] : there) {
    BOOST_TEST_CONTEXT(name) {
      BOOST_REQUIRE(page.contains(name));
      BOOST_TEST(page[name].type == m.type);
      BOOST_TEST(page[name].labels == m.labels,
                 boost::test_tools::per_element());
    }
  }
  for (auto& [name, m] : page)
    BOOST_TEST(there.contains(name), name << " is in the page alone");
}

BOOST_AUTO_TEST_SUITE_END()
