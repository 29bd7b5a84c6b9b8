// Against what Jinja itself makes of the templates of common models, and of
// small snippets. tools/reference/chat_cases.py writes the cases.

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/text/jinja/parser.hpp"
#include "core/text/jinja/render.hpp"
#include "tests/core/text/jinja/from_json.hpp"

using namespace troupe;
using json = nlohmann::ordered_json;

namespace {

const auto folder = std::filesystem::path{TROUPE_SOURCE_DIR} / "tests" / "data"
                    / "text" / "jinja";

std::string read(const std::filesystem::path& path) {
  auto in = std::ifstream{path, std::ios::binary};
  BOOST_REQUIRE_MESSAGE(in.good(), "no " << path);
  auto out = std::ostringstream{};
  out << in.rdbuf();
  return out.str();
}

const json& data() {
  static const auto all = json::parse(read(folder / "cases.json"));
  return all;
}

jinja::variables variables_of(const json& from) {
  auto c = jinja::context{{}};
  auto out = jinja::variables{};
  for (auto& [key, x] : from.items())
    out.emplace_back(key, test::from_json(c, x));
  BOOST_REQUIRE(c.ok());
  return out;
}

result<std::string> render(const std::string& source,
                           const jinja::variables& given) {
  auto root = jinja::parse(source);
  if (!root)
    return root.failure();
  auto seconds = std::chrono::seconds{data().at("now").get<int64_t>()};
  auto now = std::chrono::sys_seconds{seconds};
  auto text = jinja::render(**root, given, now);
  if (!text)
    return text.failure();
  return text->bytes();
}

void compare(const json& expected, const result<std::string>& got) {
  if (expected.contains("text")) {
    BOOST_TEST((got.ok() ? *got : to_string(got.failure()))
               == expected.at("text").get<std::string>());
    return;
  }
  BOOST_REQUIRE_MESSAGE(!got.ok(), (got.ok() ? *got : ""));
  auto& message = got.failure().message;
  BOOST_TEST(message.find('\n') == message.npos);
  auto refused = expected.contains("refused");
  BOOST_TEST_CONTEXT(message)
  BOOST_TEST((got.failure().code == errc::invalid_argument) == refused);
  if (refused)
    BOOST_TEST_CONTEXT(message)
  BOOST_TEST(message.find(expected.at("refused").get<std::string>())
             != message.npos);
}

} // namespace

BOOST_AUTO_TEST_SUITE(text_jinja_reference)

BOOST_AUTO_TEST_CASE(templates_of_models_give_the_text_of_jinja) {
  BOOST_TEST(data().at("cases").size() >= 300u);
  for (auto& c : data().at("cases")) {
    auto name = c.at("template").get<std::string>();
    auto conversation = c.at("conversation").get<std::string>();
    auto given = data().at("special");
    given["messages"] = data().at("conversations").at(conversation);
    given["tools"] = c.at("tools").get<bool>() ? data().at("tools") : json{};
    given["documents"] = nullptr;
    given["add_generation_prompt"] = c.at("prompt");
    BOOST_TEST_CONTEXT(name << ", " << conversation << ", tools "
                            << c.at("tools"))
    compare(c, render(read(folder / name), variables_of(given)));
  }
}

BOOST_AUTO_TEST_CASE(snippets_give_the_text_of_jinja) {
  BOOST_TEST(data().at("snippets").size() >= 400u);
  auto given = variables_of(data().at("variables"));
  for (auto& s : data().at("snippets")) {
    auto source = s.at("source").get<std::string>();
    BOOST_TEST_CONTEXT(source) compare(s, render(source, given));
  }
}

BOOST_AUTO_TEST_SUITE_END()
