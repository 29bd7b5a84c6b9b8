#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <nlohmann/json.hpp>
#include <ostream>

#include "core/api/embedding_answer.hpp"
#include "core/api/openai_request.hpp"

using namespace troupe;
using namespace troupe::api;

namespace {

struct fault {
  std::string body;
  std::string param;
};

std::ostream& operator<<(std::ostream& out, const fault& f) {
  return out << f.body.substr(0, 60);
}

std::string many(size_t n) {
  auto list = std::string{};
  for (size_t i = 0; i < n; ++i)
    list += i > 0 ? ",\"a\"" : "\"a\"";
  return R"({"input":[)" + list + "]}";
}

const fault faults[] = {
    {"", ""},
    {"[]", ""},
    {"{}", "input"},
    {R"({"input":null})", "input"},
    {R"({"input":7})", "input"},
    {R"({"input":{}})", "input"},
    {R"({"input":[]})", "input"},
    {R"({"input":[1,-1]})", "input"},
    {R"({"input":[1,1.5]})", "input"},
    {R"({"input":[1,"a"]})", "input"},
    {R"({"input":["a",1]})", "input"},
    {R"({"input":["a",[1,"b"]]})", "input"},
    {R"({"input":[[[1]]]})", "input"},
    {many(2049), "input"},
    {R"({"input":"a","model":7})", "model"},
    {R"({"input":"a","user":7})", "user"},
    {R"({"input":"a","dimensions":0})", "dimensions"},
    {R"({"input":"a","dimensions":-3})", "dimensions"},
    {R"({"input":"a","dimensions":2.5})", "dimensions"},
    {R"({"input":"a","dimensions":1048577})", "dimensions"},
    {R"({"input":"a","encoding_format":"hex"})", "encoding_format"},
    {R"({"input":"a","encoding_format":7})", "encoding_format"},
};

embedding_request read(const std::string& body) {
  auto r = embedding_request{};
  auto bad = read_request(body, {}, r);
  BOOST_REQUIRE_MESSAGE(!bad, (bad ? bad->message : ""));
  return r;
}

std::string base64(std::string_view bytes) {
  auto out = std::string{};
  append_base64(out, bytes);
  return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(api_embedding)

BOOST_DATA_TEST_CASE(faults_are_named, boost::unit_test::data::make(faults),
                     f) {
  auto r = embedding_request{};
  auto bad = read_request(f.body, {}, r);
  BOOST_REQUIRE(bad.has_value());
  BOOST_TEST(bad->status == 400);
  BOOST_TEST(bad->param == f.param);
}

BOOST_AUTO_TEST_CASE(inputs_are_texts_or_tokens_or_lists_of_them) {
  using ids = std::vector<token_id>;
  auto one = read(R"({"input":"Hi","model":"m","user":"u"})");
  BOOST_REQUIRE_EQUAL(one.inputs.size(), 1u);
  BOOST_TEST(std::get<std::string>(one.inputs[0]) == "Hi");
  BOOST_TEST(one.model == "m");
  BOOST_TEST(one.user == "u");
  BOOST_TEST(!one.base64);
  BOOST_TEST(one.dimensions == 0u);
  BOOST_TEST(
      (std::get<ids>(read(R"({"input":[1,2]})").inputs.at(0)) == ids{1, 2}));
  auto texts = read(R"({"input":["a","b"],"encoding_format":"base64"})");
  BOOST_REQUIRE_EQUAL(texts.inputs.size(), 2u);
  BOOST_TEST(std::get<std::string>(texts.inputs[1]) == "b");
  BOOST_TEST(texts.base64);
  auto lists = read(R"({"input":[[1],[2,3],"c"],"dimensions":5})");
  BOOST_REQUIRE_EQUAL(lists.inputs.size(), 3u);
  BOOST_TEST((std::get<ids>(lists.inputs[1]) == ids{2, 3}));
  BOOST_TEST(std::get<std::string>(lists.inputs[2]) == "c");
  BOOST_TEST(lists.dimensions == 5u);
  BOOST_TEST(read(many(2048)).inputs.size() == 2048u);
}

// RFC 4648, section 10.
BOOST_AUTO_TEST_CASE(base64_is_that_of_the_standard) {
  BOOST_TEST(base64("") == "");
  BOOST_TEST(base64("f") == "Zg==");
  BOOST_TEST(base64("fo") == "Zm8=");
  BOOST_TEST(base64("foo") == "Zm9v");
  BOOST_TEST(base64("foob") == "Zm9vYg==");
  BOOST_TEST(base64("fooba") == "Zm9vYmE=");
  BOOST_TEST(base64("foobar") == "Zm9vYmFy");
  BOOST_TEST(base64("\xff\xfe\xfd\xfc") == "//79/A==");
}

BOOST_AUTO_TEST_CASE(an_answer_holds_vectors_and_usage) {
  auto vectors = std::vector<std::vector<float>>{{0.1f, -1.f, 1e-30f}, {1.f}};
  auto j =
      nlohmann::json::parse(embedding_answer(vectors, false, "a \"model\"", 7));
  BOOST_TEST(j["object"] == "list");
  BOOST_TEST(j["model"] == "a \"model\"");
  BOOST_TEST(j["usage"]["prompt_tokens"] == 7);
  BOOST_TEST(j["usage"]["total_tokens"] == 7);
  BOOST_REQUIRE_EQUAL(j["data"].size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    BOOST_TEST(j["data"][i]["object"] == "embedding");
    BOOST_TEST(j["data"][i]["index"] == i);
    // Exactly.
    BOOST_TEST(
        (j["data"][i]["embedding"].get<std::vector<float>>() == vectors[i]));
  }
  j = nlohmann::json::parse(embedding_answer(vectors, true, "m", 7));
  // 1.f is 0x3f800000.
  BOOST_TEST(j["data"][1]["embedding"] == "AACAPw==");
  BOOST_TEST(j["data"][0]["embedding"].get<std::string>().size() == 16u);
}

BOOST_AUTO_TEST_SUITE_END()
