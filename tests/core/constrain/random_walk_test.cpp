// Outputs at random by many schemas: each that is whole is a document that its
// schema allows. Over the schemas of tests/data/grammar, and over those of
// $TROUPE_SCHEMA_DATA (or ../shared/data), where they are there.

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "core/base/random.hpp"
#include "core/constrain/schema_json.hpp"
#include "core/constrain/token_matcher.hpp"
#include "tests/support/core/made_vocabulary.hpp"

using namespace troupe;
using namespace troupe::constrain;
using json = nlohmann::ordered_json;
namespace fs = std::filesystem;

namespace {

/// Whether a schema allows a document; any validator can stand here.
using validator = std::function<bool(const json& schema, const json& value)>;

bool is_type(const json& v, const std::string& name) {
  return name == "null"      ? v.is_null()
         : name == "boolean" ? v.is_boolean()
         : name == "object"  ? v.is_object()
         : name == "array"   ? v.is_array()
         : name == "string"  ? v.is_string()
         : name == "integer" ? v.is_number_integer()
                             : v.is_number();
}

// By hand, what is plain to see: types, values, members, items and counts.
bool is_plainly_valid(const json& s, const json& v) {
  if (s.is_boolean())
    return s.get<bool>();
  if (auto t = s.find("type"); t != s.end()) {
    auto names = t->is_array() ? *t : json::array({*t});
    if (std::none_of(names.begin(), names.end(),
                     [&](auto& name) { return is_type(v, name); }))
      return false;
  }
  if (auto e = s.find("enum"); e != s.end())
    if (std::find(e->begin(), e->end(), v) == e->end())
      return false;
  if (auto c = s.find("const"); c != s.end() && *c != v)
    return false;
  if (v.is_number()) {
    auto x = v.get<double>();
    if (auto m = s.find("minimum"); m != s.end() && x < m->get<double>())
      return false;
    if (auto m = s.find("maximum"); m != s.end() && x > m->get<double>())
      return false;
  }
  if (v.is_array()) {
    if (v.size() < s.value("minItems", size_t{0})
        || v.size() > s.value("maxItems", v.size()))
      return false;
    auto items = s.find("items");
    if (items != s.end() && !items->is_array() && !s.contains("prefixItems"))
      return std::all_of(v.begin(), v.end(),
                         [&](auto& x) { return is_plainly_valid(*items, x); });
  }
  if (v.is_object()) {
    if (auto r = s.find("required"); r != s.end())
      for (auto& name : *r)
        if (!v.contains(name.get<std::string>()))
          return false;
    auto named = s.find("properties");
    for (auto& [name, x] : v.items())
      if (named != s.end() && named->contains(name)) {
        if (!is_plainly_valid((*named)[name], x))
          return false;
      } else if (auto o = s.find("additionalProperties");
                 o != s.end() && !s.contains("patternProperties")
                 && !is_plainly_valid(*o, x)) {
        return false;
      }
  }
  return true;
}

std::shared_ptr<const token_vocabulary> vocabulary() {
  static auto v = *token_vocabulary::make(made_pieces(8000), {0});
  return v;
}

// What brings an output to its end soonest, first.
token_id closing(const std::vector<token_id>& ids) {
  for (auto text : {"\"", "}", "]", ":", ",", "0", "1", "a"})
    for (auto id : ids)
      if (vocabulary()->piece(id) == text)
        return id;
  return ids[0];
}

// An output, or nothing if it came to no end. Uniform among what is allowed
// until it is long enough.
std::optional<std::string> walk(const std::shared_ptr<const token_automaton>& a,
                                uint64_t seed) {
  auto m = token_matcher{a};
  auto mask = std::vector<uint64_t>(vocabulary()->words());
  auto text = std::string{};
  for (auto n = size_t{0}; n < 400; ++n) {
    m.mask(mask);
    auto ids = std::vector<token_id>{};
    for (auto id = size_t{0}; id < vocabulary()->size(); ++id)
      if ((mask[id / 64] >> (id % 64) & 1) != 0)
        ids.push_back(static_cast<token_id>(id));
    BOOST_REQUIRE(!ids.empty());
    auto late = n > 40;
    auto id = late && m.complete() ? token_id{0}
              : late               ? closing(ids)
                                   : ids[random_bits(seed, n) % ids.size()];
    BOOST_REQUIRE(m.accept(id));
    if (m.finished())
      return text;
    text += vocabulary()->piece(id);
  }
  return {};
}

struct tally {
  size_t schemas = 0, compiled = 0, outputs = 0, whole = 0;
};

void check(const std::string& schema, uint64_t seed, size_t outputs,
           const validator& valid, tally& to) {
  ++to.schemas;
  auto g = compile_grammar({grammar_kind::json_schema, schema, {}});
  if (!g) {
    BOOST_TEST(g.failure().message.starts_with("#"), g.failure().message);
    return;
  }
  ++to.compiled;
  auto a = *token_automaton::make(*g, vocabulary());
  auto parsed = json::parse(schema);
  for (auto i = size_t{0}; i < outputs; ++i) {
    ++to.outputs;
    auto text = walk(a, seed * 100 + i);
    if (!text)
      continue;
    ++to.whole;
    auto value = parse_schema(*text); // which refuses a name that is twice
    BOOST_REQUIRE_MESSAGE(value.ok(), *text);
    BOOST_TEST(valid(parsed, *value), schema << " with " << *text);
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(schema_random_walk)

BOOST_AUTO_TEST_CASE(outputs_are_valid) {
  auto t = tally{};
  for (auto& entry : fs::directory_iterator{fs::path{TROUPE_SOURCE_DIR}
                                            / "tests/data/grammar"}) {
    auto file = std::ifstream{entry.path()};
    for (auto line = std::string{}; std::getline(file, line);)
      if (line.starts_with("schema  "))
        check(line.substr(8), t.schemas, 4, is_plainly_valid, t);
  }
  BOOST_TEST(t.outputs > 150u);
  BOOST_TEST(t.whole * 10 > t.outputs * 9);
}

BOOST_AUTO_TEST_CASE(real_schemas_compile_or_say_why) {
  auto* given = std::getenv("TROUPE_SCHEMA_DATA");
  auto folder =
      (given ? fs::path{given} : fs::path{TROUPE_SOURCE_DIR} / "../shared/data")
      / "jsonschema";
  if (!fs::exists(folder)) {
    BOOST_TEST_MESSAGE("skipped: " << folder << " is not there");
    return;
  }
  auto t = tally{};
  for (auto name : {"glaiveai2k.jsonl", "github_easy.jsonl"}) {
    auto file = std::ifstream{folder / name};
    for (auto line = std::string{}; std::getline(file, line);)
      check(json::parse(line)["schema"].dump(), t.schemas,
            t.schemas % 12 == 0 ? 1 : 0, is_plainly_valid, t);
  }
  BOOST_TEST_MESSAGE(t.compiled << " of " << t.schemas << " compiled, "
                                << t.whole << " of " << t.outputs
                                << " outputs whole");
  BOOST_TEST(t.compiled * 10 >= t.schemas * 9);
  BOOST_TEST(t.whole * 10 > t.outputs * 8);
}

BOOST_AUTO_TEST_SUITE_END()
