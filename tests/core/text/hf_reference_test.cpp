// Ids against those of the libraries `tokenizers` and `sentencepiece`. Each
// folder of tests/data/text/hf holds a tokenizer's files and cases.

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "core/text/hf_vocabulary.hpp"
#include "core/text/utf8.hpp"
#include "tests/core/text/make_tokenizer.hpp"
#include "tests/core/text/random_text.hpp"

using namespace troupe;
using nlohmann::json;

namespace {

const auto folder =
    std::filesystem::path{TROUPE_SOURCE_DIR} / "tests" / "data" / "text" / "hf";

std::string from_hex(const std::string& hex) {
  auto bytes = std::string{};
  for (auto i = size_t{0}; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

std::shared_ptr<const tokenizer> load(const std::string& name) {
  auto v = read_hf_vocabulary((folder / name).string(), 0);
  BOOST_REQUIRE_MESSAGE(v.ok(), (v.ok() ? "" : v.failure().message));
  return test::make_tokenizer(*v);
}

void compare(const std::string& name) {
  auto t = load(name);
  auto in = std::ifstream{folder / name / "cases.json"};
  auto data = json::parse(in, nullptr, false);
  BOOST_REQUIRE(data.is_object());
  BOOST_TEST(data.at("cases").size() >= 100u);
  // `tokenizers` reads special tokens in a text, `sentencepiece` does not.
  auto reads_special = name.substr(0, 3) != "spm";
  for (auto& c : data.at("cases")) {
    auto text = from_hex(c.at("bytes"));
    auto got = t->encode(text, {.add_special = c.at("add_special").get<bool>(),
                                .parse_special = reads_special});
    BOOST_TEST_CONTEXT(name << ", " << quoted(text, 1000))
    BOOST_TEST(got == c.at("ids").get<test::token_ids>(),
               boost::test_tools::per_element());
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(text_hf_reference)

BOOST_AUTO_TEST_CASE(ids_equal_those_of_the_reference_libraries) {
  for (auto name : {"deepseek_coder", "deepseek_v3", "gemma", "gpt2", "gpt4o",
                    "llama2", "llama2_metaspace", "llama3", "qwen2", "smollm",
                    "spm", "spm_no_prefix", "tekken"})
    compare(name);
}

BOOST_AUTO_TEST_CASE(any_bytes_come_back) {
  for (auto name : {"deepseek_v3", "gemma", "gpt4o", "llama2", "spm"}) {
    auto t = load(name);
    auto d = test::dice{11};
    for (auto i = 0; i < 300; ++i) {
      auto text = test::random_bytes(d, 1 + d.roll(12));
      BOOST_TEST_CONTEXT(name << ", " << quoted(text, 1000))
      BOOST_TEST(t->decode(t->encode(text)) == text);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_unigram_model_is_refused) {
  auto v = read_hf_vocabulary((folder / "unigram").string(), 0);
  BOOST_REQUIRE(!v.ok());
  BOOST_TEST((v.failure().code == errc::unsupported));
  BOOST_TEST(v.failure().message.find("unigram/tokenizer.model: ")
             != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
