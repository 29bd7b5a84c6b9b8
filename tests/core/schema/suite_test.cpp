// Runs the official test suite (tests/data/json-schema-test-suite), each case
// from its text and from nlohmann::json. Cases that are not run are listed in
// tests/data/schema/skipped.txt with a reason; only optional ones may be.

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "core/schema/json_schema.hpp"

using namespace troupe;
namespace fs = std::filesystem;

namespace {

const auto data = fs::path{TROUPE_SOURCE_DIR} / "tests" / "data";
const auto suite = data / "json-schema-test-suite";

std::string read(const fs::path& p) {
  auto in = std::ifstream{p, std::ios::binary};
  auto out = std::ostringstream{};
  out << in.rdbuf();
  return out.str();
}

// Cuts a document into the texts of its values, so that numbers stay as they
// were written.
class slicer {
public:
  explicit slicer(std::string_view text) : text_(text) {}

  std::vector<std::string_view> items() {
    auto out = std::vector<std::string_view>{};
    enter('[');
    while (more(']'))
      out.push_back(value());
    return out;
  }

  std::map<std::string_view, std::string_view> members() {
    auto out = std::map<std::string_view, std::string_view>{};
    enter('{');
    while (more('}')) {
      auto key = value();
      enter(':');
      out[key.substr(1, key.size() - 2)] = value();
    }
    return out;
  }

private:
  void space() {
    while (at_ < text_.size()
           && std::string_view{" \t\r\n,"}.find(text_[at_])
                  != std::string_view::npos)
      ++at_;
  }

  void enter(char c) {
    space();
    BOOST_REQUIRE(text_.at(at_) == c);
    ++at_;
  }

  bool more(char close) {
    space();
    return text_.at(at_) != close;
  }

  std::string_view value() {
    space();
    auto start = at_;
    auto depth = 0;
    do {
      auto c = text_.at(at_++);
      if (c == '"') {
        for (; text_.at(at_) != '"'; ++at_)
          at_ += text_[at_] == '\\';
        ++at_;
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (c == '}' || c == ']') {
        --depth;
      } else if (depth == 0) { // a number or a word
        while (std::string_view{",]} \t\r\n"}.find(text_.at(at_))
               == std::string_view::npos)
          ++at_;
      }
    } while (depth > 0);
    return text_.substr(start, at_ - start);
  }

  std::string_view text_;
  size_t at_ = 0;
};

std::string unquoted(std::string_view text) {
  return nlohmann::json::parse(text).get<std::string>();
}

schema_options options_for(const std::string& draft) {
  auto o = schema_options{};
  o.draft7 = draft == "draft7";
  auto root = suite / "remotes";
  for (auto& f : fs::recursive_directory_iterator{root})
    if (f.is_regular_file())
      o.documents["http://localhost:1234/"
                  + f.path().lexically_relative(root).generic_string()] =
          read(f.path());
  return o;
}

// Lines "draft/file: group: case", or "draft/file: group" for all of it.
std::set<std::string> skipped() {
  auto out = std::set<std::string>{};
  auto in = std::istringstream{read(data / "schema" / "skipped.txt")};
  for (auto line = std::string{}; std::getline(in, line);)
    if (!line.empty() && line.front() != '#' && line.front() != ' ')
      out.insert(line);
  return out;
}

struct counts {
  unsigned run = 0;
  unsigned skipped = 0;
};

class suite_run {
public:
  explicit suite_run(const std::string& draft)
      : draft_(draft), options_(options_for(draft)), skipped_(::skipped()) {}

  counts of(const std::string& folder, bool formats) {
    total_ = {};
    options_.assert_formats = formats;
    auto from = suite / "tests" / draft_ / folder;
    auto files = std::set<fs::path>{};
    for (auto& f : fs::directory_iterator{from})
      if (f.is_regular_file())
        files.insert(f.path());
    for (auto& f : files)
      file(f, folder);
    return total_;
  }

private:
  void file(const fs::path& f, const std::string& folder) {
    optional_ = !folder.empty();
    auto text = read(f);
    auto name =
        draft_ + "/" + (optional_ ? folder + "/" : "") + f.filename().string();
    for (auto g : slicer{text}.items())
      group(name, g);
  }

  bool skip(const std::string& what) {
    if (skipped_.count(what) == 0)
      return false;
    BOOST_TEST(optional_, what << " is required");
    return true;
  }

  void group(const std::string& file, std::string_view text) {
    auto parts = slicer{text}.members();
    auto name = file + ": " + unquoted(parts.at("description"));
    auto tests = slicer{parts.at("tests")}.items();
    if (skip(name)) {
      total_.skipped += static_cast<unsigned>(tests.size());
      return;
    }
    auto schema = json_schema::compile(parts.at("schema"), options_);
    BOOST_TEST(schema.ok(),
               name << ": " << (schema ? "" : schema.failure().message));
    auto dom = json_schema::compile(nlohmann::json::parse(parts.at("schema")),
                                    options_);
    BOOST_TEST(dom.ok(), name);
    if (!schema || !dom)
      return;
    for (auto t : tests)
      one(name, *schema, *dom, t);
  }

  void one(const std::string& group, const json_schema& schema,
           const json_schema& dom, std::string_view text) {
    auto parts = slicer{text}.members();
    auto name = group + ": " + unquoted(parts.at("description"));
    if (skip(name)) {
      ++total_.skipped;
      return;
    }
    ++total_.run;
    auto want = parts.at("valid") == "true";
    auto document = parts.at("data");
    auto parsed = nlohmann::json::parse(document);
    BOOST_TEST(schema.valid(document) == want, name << " (text)");
    // A value has no more than the digits of a double, nor may its schema.
    BOOST_TEST(dom.valid(parsed) == want, name << " (value)");
    // The path that finds errors comes to the same answer.
    auto report = schema.check(document);
    BOOST_REQUIRE(report.ok());
    BOOST_TEST(report->valid == want, name);
    BOOST_TEST(report->errors.empty() == want, name);
    for (auto& e : report->errors) {
      auto at = nlohmann::json::json_pointer{std::string{e.instance()}};
      BOOST_TEST(parsed.contains(at), name << ": " << e.text());
      BOOST_TEST(!e.message().empty());
    }
  }

  std::string draft_;
  schema_options options_;
  std::set<std::string> skipped_;
  bool optional_ = false;
  counts total_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(schema_suite)

BOOST_AUTO_TEST_CASE(all_required_cases_of_2020_12_pass) {
  auto n = suite_run{"draft2020-12"}.of("", false);
  BOOST_TEST(n.run == 1299u);
  BOOST_TEST(n.skipped == 0u);
}

BOOST_AUTO_TEST_CASE(all_required_cases_of_draft_07_pass) {
  auto n = suite_run{"draft7"}.of("", false);
  BOOST_TEST(n.run == 927u);
  BOOST_TEST(n.skipped == 0u);
}

BOOST_AUTO_TEST_CASE(optional_cases_pass) {
  auto n = suite_run{"draft2020-12"}.of("optional", false);
  BOOST_TEST(n.run == 161u);
  BOOST_TEST(n.skipped == 1u);
  n = suite_run{"draft7"}.of("optional", false);
  BOOST_TEST(n.run == 106u);
  BOOST_TEST(n.skipped == 12u);
}

BOOST_AUTO_TEST_CASE(formats_are_checked_as_the_suite_has_them) {
  auto n = suite_run{"draft2020-12"}.of("optional/format", true);
  BOOST_TEST(n.run == 764u);
  BOOST_TEST(n.skipped == 0u);
  n = suite_run{"draft7"}.of("optional/format", true);
  BOOST_TEST(n.run == 676u);
  BOOST_TEST(n.skipped == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
