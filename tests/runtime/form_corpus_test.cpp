// Answers to real schemas, at a temperature that lets nearly anything come:
// each that is whole is valid, and none is one that the session refuses. Over
// the schemas of $TROUPE_SCHEMA_DATA (or ../shared/data), where they are there.
// So many whole answers of each model: $TROUPE_FORM_OUTPUTS, else a few.

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "core/schema/json_schema.hpp"
#include "runtime/runtime.hpp"
#include "tests/support/core/temp_dir.hpp"
#include "tests/support/core/tiny_model.hpp"

using namespace troupe;
using namespace troupe::testing;
namespace fs = std::filesystem;

namespace {

// Both files in turns, in an order that mixes them.
std::vector<std::string> real_schemas() {
  auto* given = std::getenv("TROUPE_SCHEMA_DATA");
  auto folder =
      (given ? fs::path{given} : fs::path{TROUPE_SOURCE_DIR} / "../shared/data")
      / "jsonschema";
  auto read = std::vector<std::string>{};
  for (auto name : {"glaiveai2k.jsonl", "github_easy.jsonl"}) {
    auto file = std::ifstream{folder / name};
    for (auto line = std::string{}; std::getline(file, line);)
      read.push_back(nlohmann::ordered_json::parse(line)["schema"].dump());
  }
  auto mixed = std::vector<std::string>{};
  for (size_t i = 0; i < read.size(); ++i)
    mixed.push_back(read[i * 1009 % read.size()]);
  return mixed;
}

size_t wanted() {
  auto* given = std::getenv("TROUPE_FORM_OUTPUTS");
  return given ? std::strtoul(given, nullptr, 10) : 40;
}

json_schema validator(const std::string& schema) {
  auto o = schema_options{};
  o.assert_formats = true;
  for (auto draft : {"04", "06"})
    o.documents[std::string{"http://json-schema.org/draft-"} + draft
                + "/schema"] =
        R"({"$schema":"http://json-schema.org/draft-07/schema#"})";
  auto s = json_schema::compile(schema, o);
  BOOST_REQUIRE_MESSAGE(s.ok(), (s.ok() ? "" : s.failure().message));
  return *s;
}

struct tally {
  size_t asked = 0, whole = 0, cut = 0, refused = 0;
};

class corpus {
public:
  corpus(runtime& rt, std::vector<std::string> schemas, float bias)
      : rt_(rt), schemas_(std::move(schemas)), bias_(bias) {}

  tally run() {
    constexpr auto at_once = size_t{8};
    auto most = 20 * wanted() + 100;
    auto open = std::deque<std::pair<size_t, generation>>{};
    while (t_.whole < wanted() && (t_.asked < most || !open.empty())) {
      if (open.size() < at_once && t_.asked < most) {
        auto g = rt_.submit(request(t_.asked));
        BOOST_REQUIRE(g.ok());
        open.emplace_back(t_.asked++, std::move(*g));
        continue;
      }
      auto [n, g] = std::move(open.front());
      open.pop_front();
      judge(collect(g), schemas_[n % schemas_.size()]);
    }
    return t_;
  }

private:
  generate_request request(size_t n) {
    auto r = generate_request{};
    r.prompt = rt_.text().encode("Once upon a time", {.add_special = true});
    r.sampling.seed = n;
    r.sampling.temperature = 1.5f;
    // A model of random weights would hardly ever end a string.
    if (bias_ != 0)
      r.sampling.logit_bias.push_back({rt_.text().encode("\"").front(), bias_});
    r.max_tokens = 400;
    r.form = {answer_form::kind::json_schema, schemas_[n % schemas_.size()]};
    return r;
  }

  void judge(const completion& c, const std::string& schema) {
    if (c.end.reason == finish_reason::length) {
      ++t_.cut;
      return;
    }
    if (c.end.reason == finish_reason::error
        && c.end.message.starts_with("the form of the answer:")) {
      BOOST_TEST(c.tokens.empty());
      ++t_.refused; // before anything was computed
      return;
    }
    BOOST_TEST((c.end.reason == finish_reason::stop),
               c.end.message << ": " << c.text << " by " << schema);
    ++t_.whole;
    auto report = validator(schema).check(c.text);
    BOOST_TEST((report.ok() && report->valid), c.text << " by " << schema);
  }

  runtime& rt_;
  std::vector<std::string> schemas_;
  float bias_;
  tally t_;
};

void check(const std::string& model, float bias) {
  auto schemas = real_schemas();
  if (schemas.empty()) {
    BOOST_TEST_MESSAGE("skipped: the schemas are not there");
    return;
  }
  auto o = runtime_options{};
  o.model = model;
  auto rt = runtime::open(std::move(o));
  BOOST_REQUIRE_MESSAGE(rt.ok(), (rt.ok() ? "" : rt.failure().message));
  auto t = corpus{*rt, std::move(schemas), bias}.run();
  BOOST_TEST_MESSAGE(model << ": " << t.asked << " asked, " << t.whole
                           << " whole and valid, " << t.cut << " cut, "
                           << t.refused << " refused by name");
  BOOST_TEST(t.whole >= wanted());
  BOOST_TEST(t.refused * 5 < t.asked);
}

} // namespace

BOOST_AUTO_TEST_SUITE(form_corpus)

BOOST_AUTO_TEST_CASE(the_bundled_model_keeps_to_real_schemas) {
  check(TROUPE_SOURCE_DIR "/models/troupe-demo.gguf", 0);
}

BOOST_AUTO_TEST_CASE(a_random_model_keeps_to_real_schemas) {
  auto dir = temp_dir{};
  auto m = tiny_model_options{};
  m.context = 512;
  write_tiny_model(dir.file("tiny.gguf"), m);
  check(dir.file("tiny.gguf"), 4);
}

BOOST_AUTO_TEST_SUITE_END()
