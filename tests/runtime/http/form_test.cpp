#include "tests/runtime/http/http_fixture.hpp"

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;

// Forms of answers that ask for more than compiling one may cost.

namespace {

json asking_for(const json& schema) {
  return {{"messages", {{{"role", "user"}, {"content", "Hello"}}}},
          {"max_tokens", 4},
          {"response_format",
           {{"type", "json_schema"},
            {"json_schema",
             {{"name", "x"},
              {"schema",
               {{"type", "object"},
                {"properties", {{"a", schema}}},
                {"required", {"a"}}}}}}}}};
}

// All combinations of which of `n` properties must be there.
json choices(int n) {
  auto all = json::array();
  for (auto i = 0; i < n; ++i) {
    auto name = "p" + std::to_string(i);
    all.push_back(
        {{"anyOf",
          {{{"required", {name}}},
           {{"properties", {{name + "q", {{"type", "integer"}}}}}}}}});
  }
  return {{"type", "object"}, {"allOf", all}};
}

} // namespace

BOOST_AUTO_TEST_SUITE(http_forms)

// By steps and bytes that are counted, so that the same is refused everywhere.
BOOST_AUTO_TEST_CASE(what_costs_too_much_is_refused_with_its_place) {
  auto f = http_fixture{};
  for (auto& schema : {
           json{{"type", "string"}, {"pattern", "^(a|b)*a(a|b){25}$"}},
           json{{"type", "string"},
                {"pattern", "^(([a-z]{1,99}[0-9]{1,99}){1,99}x){1,99}$"}},
           choices(40),
       }) {
    auto j = f.post(chats, asking_for(schema), 400);
    auto message = j["error"]["message"].get<std::string>();
    BOOST_TEST(message.find("#/properties/a") != std::string::npos, message);
    BOOST_TEST_MESSAGE(message);
  }
  // The server goes on.
  auto j = f.post(chats, asking_for({{"enum", {"yes", "no"}}}));
  BOOST_TEST(j["choices"].size() == 1u);
  BOOST_TEST(f.comes_to_rest());
}

BOOST_AUTO_TEST_SUITE_END()
