#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/trace/look/trace_diagram.hpp"
#include "core/trace/look/trace_export.hpp"
#include "tests/support/core/trace_scene.hpp"

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;

namespace {

std::string golden(const std::string& name) {
  auto in = std::ifstream{TROUPE_SOURCE_DIR "/tests/data/trace/" + name};
  return {std::istreambuf_iterator<char>{in}, {}};
}

size_t count(std::string_view text, std::string_view part) {
  auto n = size_t{0};
  for (auto at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + part.size()))
    ++n;
  return n;
}

template <class F>
std::string exported(F f, const trace_model& m) {
  auto text = std::string{};
  BOOST_TEST(f(m, [&](std::string_view s) {
    text += s;
    return true;
  }));
  return text;
}

// Names that would end an element, an attribute or a string.
std::vector<std::byte> hostile() {
  auto b = trace_builder{1};
  b.about("role=\"><script>\\\xff");
  b.type(20, "</text><script>alert(1)</script>\"'&\xc3");
  b.node(0, "here");
  b.actor({0, 2}, "\"/><b>\n\\", 0);
  auto a = b.arrive({{0, 1}, {0, 2}, 20, 1}, 10);
  b.handle({0, 2}, a, 20, 30);
  return b.bytes();
}

} // namespace

BOOST_AUTO_TEST_SUITE(trace_drawings)

// -- diagrams -----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_diagram_is_drawn_as_it_was) {
  auto f = scene_of(20);
  auto m = model_of(f);
  BOOST_TEST(to_text(diagram_of(m, 7)) == golden("diagram.txt"));
  auto o = diagram_options{.width = 64, .ascii = true};
  auto text = to_text(diagram_of(m, 7, o), o);
  BOOST_TEST(text == golden("diagram_ascii.txt"));
  for (auto c : text)
    BOOST_TEST((c == '\n' || (c >= 0x20 && c < 0x7f)));
}

BOOST_AUTO_TEST_CASE(steps_that_repeat_are_folded_and_counted) {
  auto steps = [](uint32_t tokens) {
    auto f = scene_of(tokens, false);
    return diagram_of(model_of(f), 7).steps;
  };
  auto few = steps(2);
  auto many = steps(50);
  auto is_fold = [](auto& s) { return s.what == diagram_step::kind::fold; };
  BOOST_TEST(std::none_of(few.begin(), few.end(), is_fold));
  BOOST_TEST(std::count_if(many.begin(), many.end(), is_fold) == 1);
  auto fold = *std::find_if(many.begin(), many.end(), is_fold);
  BOOST_TEST(fold.times == 49u);
  BOOST_TEST(fold.label == "step_output / token_event");
  // What is folded and what is not are all of it.
  auto all = size_t{0};
  for (auto& s : many)
    all += is_fold(s) ? 2 * s.times : 1;
  BOOST_TEST(all == steps(2).size() + 48 * 2);
}

BOOST_AUTO_TEST_CASE(what_had_begun_before_the_request_is_not_drawn) {
  auto f = scene_of(2);
  auto d = diagram_of(model_of(f), 7);
  BOOST_REQUIRE(!d.steps.empty());
  BOOST_TEST(d.steps[0].label == "generate_request");
  BOOST_TEST(d.steps[0].at_ns == 0);
  BOOST_TEST((d.lifelines
              == std::vector<std::string>{"actor#1", "gateway#2", "session#3",
                                          "decode_node#4"}));
  BOOST_TEST(diagram_of(model_of(f), 9).steps.empty());
  BOOST_TEST(to_text(diagram_of(model_of(f), 9)) == "request 9\n");
}

BOOST_AUTO_TEST_CASE(no_line_is_wider_than_asked_for) {
  auto f = scene_of(20);
  auto m = model_of(f);
  for (size_t width : {40, 50, 63, 80, 200}) {
    auto o = diagram_options{.width = width, .ascii = true};
    auto text = to_text(diagram_of(m, 7, o), o);
    for (size_t at = 0; at < text.size();) {
      auto end = text.find('\n', at);
      BOOST_TEST(end - at <= width);
      at = end + 1;
    }
  }
}

BOOST_AUTO_TEST_CASE(only_so_many_steps_are_drawn) {
  auto f = scene_of(20);
  auto m = model_of(f);
  auto d = diagram_of(m, 7, {.most_steps = 3});
  BOOST_TEST(d.steps.size() == 3u);
  BOOST_TEST(d.left_out > 0u);
  BOOST_TEST(to_text(d).find("more steps") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(pictures_need_nothing_else_and_hold_no_markup_of_names) {
  auto f = hostile();
  auto m = model_of(f);
  auto html = to_html(diagram_of(m, 1));
  BOOST_TEST(count(html, "<script") == 0u);
  BOOST_TEST(count(html, "<b>") == 0u);
  BOOST_TEST(count(html, "&lt;script&gt;") > 0u);
  BOOST_TEST(count(html, "http") == 2u); // xmlns, and http-equiv
  BOOST_TEST(count(html, "src=") == 0u);
  BOOST_TEST(count(html, "<text") == count(html, "</text>"));
  BOOST_TEST(count(html, "<svg") == 1u);
}

BOOST_AUTO_TEST_CASE(a_picture_has_a_line_for_each_lifeline) {
  auto f = scene_of(3);
  auto d = diagram_of(model_of(f), 7);
  auto svg = to_svg(d);
  BOOST_TEST(count(svg, "class=\"life\"") == d.lifelines.size());
  BOOST_TEST(count(svg, "class=\"time\"") == d.steps.size());
}

// -- Perfetto -----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(perfetto_gets_slices_and_flows_between_them) {
  auto f = scene_of(5);
  auto m = model_of(f);
  auto j = json::parse(exported(export_perfetto, m));
  struct slice {
    double from;
    double to;
  };
  auto slices = std::map<std::pair<int, int>, std::vector<slice>>{};
  auto flows = std::map<int, json>{};
  auto names = std::set<std::string>{};
  for (auto& e : j.at("traceEvents")) {
    auto ph = e.at("ph").get<std::string>();
    auto where = std::pair{e.at("pid").get<int>(), e.at("tid").get<int>()};
    if (ph == "M") {
      names.insert(e.at("args").at("name"));
    } else if (ph == "X") {
      auto ts = e.at("ts").get<double>();
      slices[where].push_back({ts, ts + e.at("dur").get<double>()});
    }
  }
  BOOST_TEST(names.contains("decode_node#4"));
  BOOST_TEST(names.contains("process 0"));
  auto handled = size_t{0};
  for (auto& [where, all] : slices)
    handled += all.size();
  BOOST_TEST(handled == m.handlings[0].size());
  // Each end of a flow lies in a slice, or nothing would be drawn.
  auto starts = 0;
  auto ends = 0;
  for (auto& e : j["traceEvents"]) {
    if (e["ph"] != "s" && e["ph"] != "f")
      continue;
    (e["ph"] == "s" ? starts : ends)++;
    auto at = e.at("ts").get<double>();
    auto& here = slices[{e.at("pid").get<int>(), e.at("tid").get<int>()}];
    BOOST_TEST(std::any_of(here.begin(), here.end(), [&](auto& s) {
      return s.from <= at && at <= s.to;
    }));
    BOOST_TEST(e.at("id").get<uint32_t>() < m.messages.size());
  }
  BOOST_TEST(starts > 0);
  BOOST_TEST(starts == ends);
}

// -- OTLP ---------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(otlp_gets_a_span_for_each_handling) {
  auto f = scene_of(5);
  auto m = model_of(f);
  auto j = json::parse(exported(export_otlp, m));
  auto& spans = j.at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans");
  BOOST_TEST(spans.size() == m.handlings[0].size());
  auto trace_of = std::map<std::string, std::string>{};
  for (auto& s : spans) {
    BOOST_TEST(s.at("traceId").get<std::string>().size() == 32u);
    BOOST_TEST(s.at("spanId").get<std::string>().size() == 16u);
    BOOST_TEST(
        trace_of.emplace(s["spanId"], s["traceId"].get<std::string>()).second);
    BOOST_TEST(std::stoll(s.at("startTimeUnixNano").get<std::string>())
               <= std::stoll(s.at("endTimeUnixNano").get<std::string>()));
  }
  auto parents = 0;
  auto links = 0;
  for (auto& s : spans) {
    auto parent = s.at("parentSpanId").get<std::string>();
    if (!parent.empty()) {
      ++parents;
      BOOST_TEST(trace_of.at(parent) == s["traceId"].get<std::string>());
    }
    if (s.contains("links")) {
      ++links;
      auto& l = s["links"][0];
      BOOST_TEST(trace_of.at(l.at("spanId"))
                 == l.at("traceId").get<std::string>());
      BOOST_TEST(l["traceId"] != s["traceId"]);
    }
  }
  BOOST_TEST(parents > 0);
  BOOST_TEST(links == 6); // outputs of steps, and the session's beginning
}

// -- lines of JSON ------------------------------------------------------------

BOOST_AUTO_TEST_CASE(each_message_is_a_line_of_json) {
  auto f = scene_of(2);
  auto m = model_of(f);
  auto text = exported(export_lines, m);
  auto lines = std::istringstream{text};
  auto i = uint32_t{0};
  for (std::string line; std::getline(lines, line); ++i) {
    auto j = json::parse(line);
    auto& x = m.messages.at(i);
    BOOST_TEST(j.at("message") == i);
    BOOST_TEST(j.at("request") == x.request);
    BOOST_TEST(j.at("cause").is_null() == (x.cause == trace_none));
    BOOST_TEST(j.at("ended_ns").is_null() == (x.ended_ns == trace_never));
    BOOST_TEST(j.at("sender").is_null() == (x.sender == trace_none));
  }
  BOOST_TEST(i == m.messages.size());
}

BOOST_AUTO_TEST_CASE(exports_stay_json_whatever_names_are) {
  auto f = hostile();
  auto m = model_of(f);
  for (auto e : {export_perfetto, export_otlp, export_lines})
    BOOST_TEST(json::accept(exported(e, m)));
}

BOOST_AUTO_TEST_CASE(exports_stop_when_nobody_wants_more) {
  auto f = scene_of(5);
  auto m = model_of(f);
  for (auto e : {export_perfetto, export_otlp, export_lines}) {
    auto n = 0;
    BOOST_TEST(!e(m, [&](std::string_view) { return ++n < 3; }));
    BOOST_TEST(n == 3);
  }
}

BOOST_AUTO_TEST_SUITE_END()
