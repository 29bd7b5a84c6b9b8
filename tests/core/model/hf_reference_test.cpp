// Small models of random weights whose logits another implementation computed;
// tests/data/hf/README.md says how.

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/model/hf_model.hpp"
#include "tests/support/core/hf_writer.hpp"
#include "tests/support/core/logits.hpp"

using namespace troupe;
using namespace troupe::testing;
namespace bdata = boost::unit_test::data;

namespace {

const auto fixtures = std::vector<std::string>{
    "deepseek_v2",  "deepseek_v2_grouped",
    "deepseek_v3",  "gemma2",
    "gemma3",       "llama",
    "llama3_rope",  "llama3_rope_new",
    "llama_linear", "llama_tied",
    "mistral",      "phi3",
    "phi3_window",  "mixtral",
    "qwen2",        "qwen2_yarn",
    "qwen3",        "qwen3_moe",
};

std::string path_of(const std::string& name) {
  return TROUPE_SOURCE_DIR "/tests/data/hf/" + name;
}

struct reference {
  std::vector<token_id> ids;
  std::vector<float> logits; // [ids, vocab]
};

reference read_reference(const std::string& name) {
  auto in = std::ifstream{path_of(name) + "/reference.json"};
  auto json = nlohmann::json::parse(in);
  auto out = reference{json.at("ids"), {}};
  for (auto& row : json.at("logits"))
    for (auto& x : row)
      out.logits.push_back(x);
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(hf_reference)

BOOST_DATA_TEST_CASE(logits_are_those_of_transformers, bdata::make(fixtures),
                     name) {
  auto want = read_reference(name);
  auto m = load_with_numbered_tokens(path_of(name));
  BOOST_REQUIRE_MESSAGE(m.ok(), (m.ok() ? "" : m.failure().message));
  auto got = logits_of(*m, want.ids);
  BOOST_REQUIRE(got.size() == want.logits.size());
  auto largest = 0.0;
  auto worst = 0.0;
  for (auto i = size_t{0}; i < got.size(); ++i) {
    largest = std::max(largest, std::abs(double{want.logits[i]}));
    auto error = std::abs(double{got[i]} - want.logits[i]);
    worst = error <= worst ? worst : error; // a NaN counts
  }
  BOOST_TEST_MESSAGE(name << ": " << worst / largest);
  BOOST_TEST(worst < 1e-5 * largest);
}

BOOST_AUTO_TEST_SUITE_END()
