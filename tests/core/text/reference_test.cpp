// Ids against those of the libraries that the models were trained with. Each
// file of tests/data/text holds a vocabulary, or the path of a model with one,
// and cases; another file there is another test.

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "core/model/model.hpp"
#include "core/text/utf8.hpp"
#include "tests/core/text/make_tokenizer.hpp"

using namespace troupe;
using nlohmann::json;

namespace {

const auto folder =
    std::filesystem::path{TROUPE_SOURCE_DIR} / "tests" / "data" / "text";

json load(const std::filesystem::path& path) {
  auto in = std::ifstream{path};
  auto data = json::parse(in, nullptr, false);
  BOOST_REQUIRE_MESSAGE(data.is_object(), "no JSON object: " << path);
  return data;
}

vocabulary read_vocabulary(const json& from) {
  auto v = vocabulary{};
  from.at("model").get_to(v.model);
  from.at("pre").get_to(v.pre);
  from.at("tokens").get_to(v.tokens);
  from.at("merges").get_to(v.merges);
  from.at("scores").get_to(v.scores);
  for (auto& kind : from.at("kinds"))
    v.kinds.push_back(static_cast<token_kind>(kind.get<int>()));
  from.at("bos").get_to(v.bos);
  from.at("eos").get_to(v.eos);
  from.at("eot").get_to(v.eot);
  from.at("unk").get_to(v.unk);
  from.at("pad").get_to(v.pad);
  from.at("add_bos").get_to(v.add_bos);
  from.at("add_eos").get_to(v.add_eos);
  from.at("add_space_prefix").get_to(v.add_space_prefix);
  return v;
}

vocabulary load_from_model(const std::string& path) {
  auto v = load_vocabulary(TROUPE_SOURCE_DIR "/" + path);
  BOOST_REQUIRE_MESSAGE(v.ok(), (v.ok() ? "" : v.failure().message));
  return *v;
}

std::string from_hex(const std::string& hex) {
  auto bytes = std::string{};
  for (auto i = size_t{0}; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

void compare(const std::filesystem::path& path) {
  auto data = load(path);
  auto t = test::make_tokenizer(data.contains("vocab")
                                    ? read_vocabulary(data.at("vocab"))
                                    : load_from_model(data.at("model")));
  BOOST_TEST(data.at("cases").size() >= 10u);
  for (auto& c : data.at("cases")) {
    auto text = from_hex(c.at("bytes_hex"));
    auto special = c.at("special").get<bool>();
    auto got = t->encode(text, {.parse_special = special});
    BOOST_TEST_CONTEXT(path.filename() << ", parse_special " << special << ", "
                                       << quoted(text, 1000))
    BOOST_TEST(got == c.at("ids").get<test::token_ids>(),
               boost::test_tools::per_element());
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(text_reference)

BOOST_AUTO_TEST_CASE(ids_equal_those_of_the_reference_libraries) {
  auto missing = std::set<std::string>{"demo_tokenizer.json", "gpt2.json",
                                       "llama3.json", "qwen2.json", "spm.json"};
  BOOST_REQUIRE_MESSAGE(std::filesystem::is_directory(folder), "no " << folder);
  for (auto& entry : std::filesystem::directory_iterator{folder}) {
    if (entry.path().extension() != ".json")
      continue;
    missing.erase(entry.path().filename());
    compare(entry.path());
  }
  for (auto& name : missing)
    BOOST_ERROR("no " << (folder / name));
}

BOOST_AUTO_TEST_SUITE_END()
