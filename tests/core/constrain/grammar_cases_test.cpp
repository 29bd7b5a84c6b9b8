// Cases of tests/data/grammar: what a grammar accepts and refuses, byte by
// byte.

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/constrain/token_matcher.hpp"

using namespace troupe;
using namespace troupe::constrain;

namespace {

constexpr auto end_token = token_id{256};

std::shared_ptr<const token_vocabulary> bytes() {
  static auto v = [] {
    auto pieces = std::vector<std::string>{};
    for (auto b = 0; b < 256; ++b)
      pieces.emplace_back(1, static_cast<char>(b));
    pieces.emplace_back("end");
    return *token_vocabulary::make(pieces, {end_token});
  }();
  return v;
}

class one_case {
public:
  explicit one_case(grammar_spec spec) : spec_(std::move(spec)) {}

  void set_options(const std::string& text) {
    auto words = std::istringstream{text};
    for (auto word = std::string{}; words >> word;)
      if (word == "open")
        spec_.schema.open_objects = true;
      else if (word == "ignore-formats")
        spec_.schema.formats = format_policy::ignore;
      else if (word.starts_with("space="))
        spec_.schema.most_space =
            static_cast<uint32_t>(std::stoul(word.substr(6)));
      else
        BOOST_ERROR("no such option: " + word);
  }

  void expect_refusal(const std::string& why) {
    auto made = compile_grammar(spec_);
    BOOST_TEST_CONTEXT(spec_.text) {
      BOOST_TEST(!made.ok());
      if (!made)
        BOOST_TEST(made.failure().message.find(why) != std::string::npos,
                   made.failure().message);
    }
  }

  void expect(const std::string& text, bool accepted) {
    auto m = matcher();
    auto whole = feed(m, text) && m.complete();
    BOOST_TEST(whole == accepted, spec_.text << " with " << text);
  }

  void set_prefix(std::string text) { prefix_ = std::move(text); }

  // One letter or name each.
  void expect_next(const std::string& list, bool allowed) {
    auto m = matcher();
    BOOST_TEST(feed(m, prefix_), spec_.text << " with " << prefix_);
    auto mask = std::vector<uint64_t>(bytes()->words());
    m.mask(mask);
    auto words = std::istringstream{list};
    for (auto word = std::string{}; words >> word;) {
      auto id = word == "END"     ? end_token
                : word == "SPACE" ? token_id{' '}
                                  : static_cast<uint8_t>(word[0]);
      auto bit = (mask[static_cast<size_t>(id) / 64] >> (id % 64) & 1) != 0;
      BOOST_TEST(bit == allowed,
                 spec_.text << " after " << prefix_ << ": " << word);
    }
  }

private:
  token_matcher matcher() {
    if (!automaton_) {
      auto made = compile_grammar(spec_);
      BOOST_REQUIRE_MESSAGE(
          made, spec_.text << ": " << (made ? "" : made.failure().message));
      automaton_ = *token_automaton::make(*made, bytes());
    }
    return token_matcher{automaton_};
  }

  static bool feed(token_matcher& m, const std::string& text) {
    for (auto c : text)
      if (!m.accept(static_cast<uint8_t>(c)))
        return false;
    return true;
  }

  grammar_spec spec_;
  std::string prefix_;
  std::shared_ptr<const token_automaton> automaton_;
};

// Returns how many lines said something.
size_t run_file(const std::filesystem::path& path) {
  auto file = std::ifstream{path};
  auto now = std::optional<one_case>{};
  auto checks = size_t{0};
  for (auto line = std::string{}; std::getline(file, line);) {
    if (line.empty() || line[0] == '#')
      continue;
    auto space = std::min(line.find(' '), line.size());
    auto word = line.substr(0, space);
    auto rest =
        line.substr(std::min(line.find_first_not_of(' ', space), line.size()));
    auto begin = [&](grammar_kind kind) {
      now.emplace(grammar_spec{kind, rest, {}});
    };
    if (word == "schema")
      begin(grammar_kind::json_schema);
    else if (word == "regex")
      begin(grammar_kind::regex);
    else if (word == "ebnf")
      begin(grammar_kind::ebnf);
    else if (word == "object")
      begin(grammar_kind::json_object);
    else if (word == "options")
      now->set_options(rest);
    else if (word == "prefix")
      now->set_prefix(rest);
    else if (word == "allow" || word == "deny")
      now->expect_next(rest, word == "allow");
    else if (word == "accept" || word == "reject")
      now->expect(rest, word == "accept");
    else if (word == "refuse")
      now->expect_refusal(rest);
    else
      BOOST_ERROR(path.string() + ": " + line);
    ++checks;
  }
  return checks;
}

} // namespace

BOOST_AUTO_TEST_SUITE(schema_grammar_cases)

BOOST_AUTO_TEST_CASE(all_files) {
  auto folder = std::filesystem::path{TROUPE_SOURCE_DIR} / "tests/data/grammar";
  auto checks = size_t{0};
  for (auto& entry : std::filesystem::directory_iterator{folder})
    if (entry.path().extension() == ".txt")
      checks += run_file(entry.path());
  BOOST_TEST(checks > 200u);
}

BOOST_AUTO_TEST_SUITE_END()
